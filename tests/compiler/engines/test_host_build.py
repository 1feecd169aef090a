"""C for this machine: no warning stops a build, and a library goes where it can be loaded from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jaragua_bench.emulated import toolchain
from jaragua_compiler.engines import host_build
from jaragua_compiler.errors import ToolchainError

ROOT = Path(__file__).parents[3]
#: GCC and clang warn of the unused function with -Wall.
WARNED = host_build.Sources(
    {"warned.c": "static int unused(void) { return 1; }\nint answer(void);\nint answer(void) { return 42; }\n"}
)
_TEXTS = {".py", ".toml", ".ini", ".json", ".sh", ".txt"}
ANSWER = (
    "import pathlib, sys\n"
    "from jaragua_compiler.engines import host_build as b\n"
    "sources = b.Sources({'a.c': 'int answer(void); int answer(void) { return 42; }'})\n"
    "library = b.build(sources, (), cache=pathlib.Path(sys.argv[1]))\n"
    "print(b.load_private_copy(library).answer(), library)\n"
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a user's machine."""
    for name in (host_build.STRICT_VARIABLE, host_build.MARCH_VARIABLE, "CC"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_h1_a_warning_stops_no_build_of_a_user(compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} IS NOT INSTALLED")
    monkeypatch.setenv("CC", compiler)
    assert host_build.load_private_copy(host_build.build(WARNED, (), cache=tmp_path)).answer() == 42
    monkeypatch.setenv(host_build.STRICT_VARIABLE, "1")
    with pytest.raises(ToolchainError, match="unused"):
        host_build.build(WARNED, (), cache=tmp_path)


def test_h1_warnings_are_errors_only_where_ci_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = {"-Werror", "-Wl,--fatal-warnings"}

    def flags() -> set[str]:
        return {*host_build.base_flags(), *toolchain.c_flags("cortex_m4"), *toolchain.link_flags()}

    assert not flags() & stopping
    monkeypatch.setenv(host_build.STRICT_VARIABLE, "1")
    assert flags() >= stopping


def test_no_other_file_asks_for_werror() -> None:
    """`strict` of firmware/flags.toml and host_build.py are the only places; firmware builds read the former."""
    places = {
        "firmware/flags.toml",
        "tools/jaragua_compiler/engines/host_build.py",
        "tests/compiler/engines/test_host_build.py",
    }
    folders = ("firmware", "host", "models", "broker", "tools", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in _TEXTS]
    stopping = re.compile(r"-Werror\b|fatal-warnings")
    found = {str(path.relative_to(ROOT)) for path in files if stopping.search(path.read_text(encoding="utf-8"))}
    assert found <= places | {"tests/strict_c.py"}
    assert "-Werror" not in (ROOT / "platformio.ini").read_text(encoding="utf-8")


def test_an_unknown_processor_is_refused_with_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(host_build.MARCH_VARIABLE, "z80")
    with pytest.raises(ToolchainError, match="JARAGUA_MARCH=z80") as caught:
        host_build.build(WARNED, (), cache=tmp_path)
    assert "JARAGUA_MARCH" in caught.value.hint


def test_a_library_of_one_processor_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = host_build.build(WARNED, (), cache=tmp_path)
    monkeypatch.setenv(host_build.MARCH_VARIABLE, "native")
    assert host_build.build(WARNED, (), cache=tmp_path) != first


def test_a_compiler_that_fails_is_told_in_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="cannot build Jaragua's C") as caught:
        host_build.build(host_build.Sources({"wrong.c": "#include <no_such_header.h>\n"}), (), cache=tmp_path)
    assert "no_such_header.h" in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == [], "nothing half built is left"


# ---- where libraries can be kept ----


def in_a_mount_namespace(mounts: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build and load with file systems of the test's own. Skips where the kernel gives no mount namespace."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("NO MOUNT NAMESPACES: unshare -Urm is refused on this machine")
    script = f'{mounts} && exec "$0" -c "$1" "$2"'
    command = ["unshare", "-Urm", "sh", "-c", script, sys.executable, ANSWER, str(cache)]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def test_h3_noexec_on_tmp_does_not_matter_to_a_cache_elsewhere(tmp_path: Path) -> None:
    """The private copy of a library is made beside it, not in the folder for temporary files."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = in_a_mount_namespace(f"mount -t tmpfs -o noexec none {scratch}", tmp_path / "cache", TMPDIR=str(scratch))
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["42"]), done.stderr


@pytest.mark.parametrize("options", ["noexec", "ro"])
def test_h3_a_cache_that_cannot_hold_libraries_is_passed_over(options: str, tmp_path: Path) -> None:
    cache, scratch = tmp_path / "cache", tmp_path / "scratch"
    cache.mkdir()
    scratch.mkdir()
    done = in_a_mount_namespace(f"mount -t tmpfs -o {options} none {cache}", cache, TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    answer, library = done.stdout.split()
    assert answer == "42"
    assert Path(library).is_relative_to(scratch)


def test_h3_where_no_folder_will_do_the_error_names_them_and_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tmp_path / "file" / "cache"
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setattr(host_build, "_other_folders", lambda: iter([tmp_path / "file" / "other"]))
    with pytest.raises(ToolchainError, match="no folder can hold compiled C") as caught:
        host_build.build(WARNED, (), cache=wanted)
    assert str(wanted) in caught.value.message
    assert "XDG_CACHE_HOME" in caught.value.hint
