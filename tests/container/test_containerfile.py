"""Containerfile: installs as the pages say, copies what the wheel is made of, and its commands exist.

No container engine is needed, and none is used: `make test-container` builds the image and runs it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from documents.blocks import blocks
from jaragua import __version__
from wheel.wheels import ROOT, build_wheel

TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
PAGES = ROOT / "docs" / "how-to"
SECONDS = 240.0


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of each instruction; lines that go on are one, comments are left out."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], " ".join(line.split()[1:])) for line in joined.splitlines() if line.strip()]


def values(name: str) -> list[str]:
    return [words for kind, words in instructions() if kind == name]


def run_commands() -> list[str]:
    return [command.strip() for words in values("RUN") for command in words.split("&&")]


def page_lines(name: str) -> list[str]:
    """All command lines of a page, without `sudo`."""
    found = blocks((PAGES / name).read_text(encoding="utf-8"))
    return [line.removeprefix("sudo ") for block in found if block.language == "sh" for line in block.body.splitlines()]


def test_the_wheel_is_built_as_the_page_says() -> None:
    assert "python3 -m pip wheel --no-deps --wheel-dir dist ." in set(run_commands()) & set(page_lines("install.md"))


def test_it_is_installed_as_a_service_of_the_system_is() -> None:
    installed = [command for command in run_commands() if "/opt/jaragua" in command]
    assert installed == [line for line in page_lines("run-at-boot.md")[:2] if "/opt/jaragua" in line]
    assert f"jaragua-{__version__}-py3" in installed[1]


def test_debians_packages_are_those_of_a_coordinator_with_its_broker() -> None:
    installed = next(command for command in reversed(run_commands()) if "apt-get install" in command)
    row = re.search(r"^\| `coordinator` \| `(\S+)`", (PAGES / "install.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    assert set(installed.split("--no-install-recommends ")[1].split()) == {"python3-venv", row[1]}


def test_it_runs_as_a_user_without_rights_who_owns_its_volumes() -> None:
    (user,) = values("USER")
    number = user.split(":")[0]
    assert int(number) > 0
    made = next(command for command in run_commands() if command.startswith("useradd"))
    assert f"--uid {number} " in made
    (volumes,) = values("VOLUME")
    folders = re.findall(r'"([^"]+)"', volumes)
    assert folders == ["/var/lib/jaragua", "/etc/jaragua"]
    owned = next(command for command in run_commands() if command.startswith("install "))
    assert shlex.split(owned)[1:] == [
        "--directory",
        "--owner",
        "jaragua",
        "--group",
        "jaragua",
        "--mode",
        "0700",
        *folders,
    ]
    order = [kind for kind, _ in instructions()]
    assert order.index("USER") > max(place for place, kind in enumerate(order) if kind == "RUN")


def test_the_wheel_of_what_it_copies_is_that_of_the_repository(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for words in values("COPY"):
        if words.startswith("--from"):
            continue
        *names, target = words.split()
        for name in names:
            copy(ROOT / name, source / target / name if target.endswith("/") else source / target)
    command = shlex.split(next(command for command in run_commands() if "pip wheel" in command))
    command[0] = sys.executable
    # An image gets hatchling from the index; here it is that of this environment.
    subprocess.run([*command, "--no-build-isolation", "--quiet"], cwd=source, check=True, timeout=SECONDS)
    (wheel,) = (source / "dist").glob("*.whl")
    assert wheel.name in TEXT
    assert held(wheel) == held(build_wheel(tmp_path / "dist"))


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules"))
    else:
        shutil.copy(source, target)


def held(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if "__pycache__" not in name}


def container_commands() -> list[list[str]]:
    """What the page gives to the image, in the words of `jaragua`."""
    found = [shlex.split(line) for line in page_lines("container.md") if line.startswith("podman run")]
    return [words[words.index("jaragua") + 1 :] for words in found]


def test_the_page_starts_both_programs() -> None:
    starts = [" ".join(words[:2]) for words in container_commands()]
    assert starts == ["broker init", "broker start", "pki serve", "pki invite", "run /var/lib/jaragua/run.toml"]
    assert values("ENTRYPOINT") == ['["/opt/jaragua/bin/jaragua"]']


@pytest.mark.parametrize("words", container_commands(), ids=lambda words: " ".join(words[:2]))
def test_its_commands_have_these_options(words: list[str]) -> None:
    verb = [word for word in words[:2] if not word.startswith("/")]
    command = [Path(sys.executable).parent / "jaragua", *verb, "--help"]
    said = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=SECONDS).stdout
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"^  {option}\b", said, re.MULTILINE), option


def test_folders_of_its_commands_lie_in_volumes() -> None:
    (volumes,) = values("VOLUME")
    folders = re.findall(r'"([^"]+)"', volumes)
    paths = [word for words in container_commands() for word in words if word.startswith("/")]
    assert len(paths) >= 4
    assert all(any(path.startswith(folder + "/") for folder in folders) for path in paths)
