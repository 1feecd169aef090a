"""Builds the firmware's image with PlatformIO."""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from jaragua import boards
from jaragua.commands import pio
from jaragua.emulate import build_engine
from jaragua.emulate.project import CONFIGURATION, clone_folder, project_folder
from jaragua.errors import ToolError, UsageError
from jaragua.wire.codegen.key import key_in
from jaragua.wire.codegen.version import HEADER_NAME, build_hash
from jaragua_compiler.planning.plan import MOST_PROTOTYPES

QEMU: Final = "qemu_m4"
NATIVE: Final = "native"
#: Environment, model, sums, classes, file of the coordinator's key.
Settings: TypeAlias = tuple[str, str, bool, int, Path | None]
_KEY_VARIABLE: Final = "JARAGUA_COORDINATOR_KEY"
#: What the file of a task of one's own ends in.
_TASK: Final = ".toml"
_LINES_SHOWN: Final = 15
_KEY_HINT: Final = "Give the public key of Ed25519 that `jaragua broker init` wrote, a PEM file."


def image_path(
    environment: str, model: str, accumulate: bool = False, prototypes: int = 0, key: Path | None = None
) -> Path:
    """Where `build_image` puts the image of `model` (of the zoo, or a TOML file) for `environment`.

    UsageError if there is no such environment, or the key cannot be read.
    """
    boards.environment(environment)
    name = _folder(environment, model, accumulate, prototypes, key)
    if model.endswith(_TASK):  # two files of one name in different folders have an image each
        name += "-" + hashlib.sha256(str(Path(model).absolute()).encode()).hexdigest()[:8]
    return project_folder() / ".pio" / "jaragua" / name / _program(environment)


def _folder(environment: str, model: str, accumulate: bool, prototypes: int, key: Path | None) -> str:
    """As firmware/scripts/generate.py names it."""
    label = re.sub(r"[^A-Za-z0-9._-]", "_", Path(model).stem) if model.endswith(_TASK) else model
    name = f"{environment}-{label}" + ("-sums" if accumulate else "")
    name += f"-prototypes{prototypes}" if prototypes else ""
    return name + (f"-signed-{_digest_of(key)}" if key else "")


def _digest_of(key: Path) -> str:
    _key_of(key)
    return hashlib.sha256(key.read_bytes()).hexdigest()[:8]


def _key_of(key: Path) -> bytes:
    try:
        return key_in(key)
    except (OSError, ValueError) as error:
        raise UsageError(f"{key}: the coordinator's public key cannot be read", _KEY_HINT) from error


def check_environment(environment: str) -> None:
    """Raises: UsageError if it is none whose image runs on an emulator or as a process."""
    emulated = [one.name for one in boards.environments() if one.is_emulated]
    if environment not in emulated:
        raise UsageError(f"{environment!r} is not an emulated board", f"Take one of: {', '.join(emulated)}.")


def _program(environment: str) -> str:
    """What tools/platform/builder/main.py calls the image."""
    return "program" if boards.environment(environment).core == "host" else "firmware.elf"


def _built_path(environment: str, model: str, accumulate: bool, prototypes: int, key: Path | None) -> Path:
    """Where PlatformIO leaves it (firmware/scripts/generate.py)."""
    project = project_folder()
    default = model == _default_model(project, environment) and not accumulate and not prototypes and not key
    folder = environment if default else _folder(environment, model, accumulate, prototypes, key)
    return project / ".pio" / "build" / folder / _program(environment)


def build_image(
    environment: str = QEMU,
    model: str = "digits",
    accumulate: bool | None = None,
    prototypes: int | None = None,
    key: Path | None = None,
) -> Path:
    """Builds the image if anything it is made from has changed; returns its path.

    model: of the zoo, or the TOML file of a task of one's own. accumulate: with sums, so that a step can take several
    samples (A11.1); None: as JARAGUA_ACCUMULATE says. prototypes: classes that it has room to recognise by prototypes
    (A12), 0 for none; None: as JARAGUA_PROTOTYPES says. key: file of the coordinator's public key, with which the board
    verifies signatures (G32); None: as JARAGUA_COORDINATOR_KEY says.
    What is returned is a copy: PlatformIO empties its own folder when a source file is added, whoever still needs it.
    ToolError, with the last lines of the build, if it cannot be built.
    """
    settings = ImageChoice(environment, model, accumulate, prototypes, key).settings
    path = image_path(*settings)
    project = project_folder()
    with _only_one_build(project):
        build_engine.ensure(project)
        _run_platformio(settings)
        _copy(_built_path(*settings), path)
    return path


@dataclass(frozen=True)
class ImageChoice:
    """An image of `environment` for `model`. accumulate, prototypes, key: None as the environment variables say."""

    environment: str
    model: str
    accumulate: bool | None = None
    prototypes: int | None = None
    key: Path | None = None

    @property
    def settings(self) -> Settings:
        """Environment, model, sums, classes, file of the coordinator's key. Raises: UsageError."""
        sums = _sums_asked_for() if self.accumulate is None else self.accumulate
        classes = _prototypes_asked_for() if self.prototypes is None else self.prototypes
        return self.environment, self.model, bool(sums), classes or 0, self.key or key_asked_for()


def asked_for() -> tuple[bool | None, int | None]:
    """Sums and classes that JARAGUA_ACCUMULATE and JARAGUA_PROTOTYPES ask for; None of one that is not set."""
    sums, classes = (os.environ.get(name) for name in ("JARAGUA_ACCUMULATE", "JARAGUA_PROTOTYPES"))
    return _sums_asked_for() if sums else None, _prototypes_asked_for() if classes else None


def key_asked_for() -> Path | None:
    """The file that JARAGUA_COORDINATOR_KEY names; None if it is not set."""
    name = os.environ.get(_KEY_VARIABLE)
    return Path(name) if name else None


def _sums_asked_for() -> bool:
    return os.environ.get("JARAGUA_ACCUMULATE", "0") not in ("", "0")


@dataclass(frozen=True)
class BuiltImage:
    """An image that was built. linked: what an emulator runs; upload: what the upload method takes (M40).

    build: the eight bytes that name its sources; its board says them (L4.1).
    """

    linked: Path
    upload: Path
    build: bytes


def build_for_upload(choice: ImageChoice, on_line: Callable[[str], None] = lambda line: None) -> BuiltImage:
    """Builds the image, and what is uploaded of it. on_line: called with each line of PlatformIO's output.

    The files are copies that the next build of the same choice replaces. ToolError, with the last lines, if it fails.
    """
    project, environment = project_folder(), boards.environment(choice.environment)
    settings = choice.settings
    linked = image_path(*settings)
    built = _built_path(*settings)
    form = built.name if environment.image == "elf" else f"firmware.{environment.image}"
    with _only_one_build(project):
        build_engine.ensure(project)
        _run_platformio(settings, on_line=on_line)
        _copy(built, linked)
        if form != built.name:
            _copy(built.with_name(form), linked.with_name(form))
        return BuiltImage(linked, linked.with_name(form), _hash_in(built.parent))


def sources_hash(key: Path | None = None) -> bytes:
    """The eight bytes that an image which is built now will have. key: as of `build_image`. Raises: UsageError."""
    file = key or key_asked_for()
    return bytes.fromhex(build_hash(project_folder() / "firmware", _key_of(file) if file else None))


def place_built(environment: str, image: Path) -> tuple[Path, dict[str, str]]:
    """Puts a finished image where PlatformIO uploads from without a build: the project, and what to set for it."""
    project = project_folder()
    folder = project / ".pio" / "build" / f"{environment}-upload"  # as firmware/scripts/generate.py names it
    folder.mkdir(parents=True, exist_ok=True)
    name = _program(environment) if image.suffix in ("", ".elf") else f"firmware{image.suffix}"
    _copy(image, folder / name)
    return project, {"JARAGUA_UPLOAD": "1"}


def _hash_in(folder: Path) -> bytes:
    text = (folder / "generated" / "jrg_defs" / HEADER_NAME).read_text(encoding="utf-8")
    return bytes(int(number, 16) for number in re.findall(r"0x([0-9a-f]{2})", text))


def _prototypes_asked_for() -> int:
    """Raises: UsageError if JARAGUA_PROTOTYPES is no number of classes."""
    text = os.environ.get("JARAGUA_PROTOTYPES") or "0"
    if text.isdecimal() and int(text) <= MOST_PROTOTYPES:
        return int(text)
    message = f"JARAGUA_PROTOTYPES={text} is not a number of classes"
    raise UsageError(message, f"Give 1 to {MOST_PROTOTYPES} classes, or 0 for an image without prototypes.")


def _run_platformio(
    settings: Settings, words: Sequence[str] = (), on_line: Callable[[str], None] = lambda line: None
) -> None:
    environment, model, accumulate, prototypes, key = settings
    choice = {
        "JARAGUA_MODEL": str(Path(model).absolute()) if model.endswith(_TASK) else model,
        "JARAGUA_ACCUMULATE": "1" if accumulate else "0",
        "JARAGUA_PROTOTYPES": str(prototypes),
        _KEY_VARIABLE: str(key.absolute()) if key else "",
    }
    output: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "platformio", "run", "--environment", environment, *words],
        cwd=project_folder(),
        env=os.environ | choice | {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            on_line(line.rstrip("\n"))
    if process.returncode != 0:
        raise _build_error(environment, "".join(output))


def _copy(built: Path, path: Path) -> None:
    """Replaced in one step, so that a board that starts at this moment sees the old image or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    shutil.copy2(built, fresh)
    fresh.replace(path)


def _build_error(environment: str, output: str) -> ToolError:
    if "No module named platformio" in output:
        return build_engine.not_installed()
    last_lines = "\n".join(output.rstrip().splitlines()[-_LINES_SHOWN:])
    return ToolError(
        f"the image for {environment} could not be built; PlatformIO says:\n{last_lines}",
        _build_hint(environment, output),
    )


def _build_hint(environment: str, output: str) -> str:
    if "HTTPClientError" in output:
        return "PlatformIO could not reach its registry, which has the vendor's platform; try again online."
    place = "" if clone_folder() else f" -d {shlex.quote(str(project_folder()))}"
    return (
        f"Run `{pio()} run{place} -e {environment}` to see all of it; `jaragua doctor --for demo` says what is missing."
    )


def _default_model(project: Path, environment: str) -> str:
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(project / CONFIGURATION, encoding="utf-8")
    common = configuration.get("env", "custom_jaragua_model", fallback="")
    return configuration.get(f"env:{environment}", "custom_jaragua_model", fallback=common)


@contextmanager
def _only_one_build(project: Path) -> Iterator[None]:
    """Two builds in one folder at the same time would spoil each other's files."""
    folder = project / ".pio"
    folder.mkdir(exist_ok=True)
    with (folder / "jaragua.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
