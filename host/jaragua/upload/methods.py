"""How an image gets to a board: by the board's drive, by a tool, or to the emulator that runs it."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaragua.boards import Environment
from jaragua.emulate.image import place_built
from jaragua.emulate.registry import Running, running_boards, upload_to
from jaragua.errors import ToolError, UsageError
from jaragua.upload import volumes

#: Of `upload` in environments.toml; the emulator is that of a board which runs without hardware.
MASS_STORAGE, PICOTOOL, OPENOCD, DFU, PLATFORMIO, EMULATOR = (
    "mass_storage",
    "picotool",
    "openocd",
    "dfu",
    "platformio",
    "emulator",
)
_PACKAGES: Final = {OPENOCD: "openocd", DFU: "dfu-util", PICOTOOL: "picotool"}
_SAYS_WHY: Final = re.compile(r"\berror\b|fail|cannot|can't|unable|not found|no .*device|denied", re.I)
_LONGEST_REASON: Final = 200


@dataclass(frozen=True)
class Upload:
    """What goes where. port: of a serial line, "" if the board has none. volume: its drive, None to look for it."""

    board: Environment
    image: Path
    port: str = ""
    volume: Path | None = None

    def drive(self) -> Path | None:
        """The folder of the board's drive, None if it is not mounted. Raises: UsageError if `volume` is another's."""
        if self.volume is None:
            return volumes.find_volume(self.board)
        if not self.volume.is_dir():
            raise UsageError(f"there is no folder {self.volume}", "name the folder where the board's drive is mounted")
        said = volumes.board_id(self.volume)
        if self.board.image == "uf2" and said != self.board.volume:
            whose = f"that of {said}" if said else "not that of a UF2 boot loader"
            raise UsageError(f"the drive {self.volume} is {whose}, {self.board.volume} was expected", "name another")
        return self.volume


def emulated_on(port: str) -> Running | None:
    """The emulated board on a port, None if there is none."""
    return next((one for one in running_boards() if _is_port(one, port)), None) if port else None


def form_for(board: Environment, port: str) -> str:
    """What the board on a port takes: an emulator takes the linked image, a board what its upload method takes."""
    return "elf" if board.core == "host" or emulated_on(port) is not None else board.image


def usable_method(one: Upload) -> str:
    """The first method of the board that can be used here. Raises: ToolError with the commands that would do it."""
    if not one.board.upload or emulated_on(one.port) is not None:
        return EMULATOR
    for method in one.board.upload:
        if _obstacle(one, method) == "":
            return method
    obstacles = " and ".join(_obstacle(one, method) for method in one.board.upload)
    raise ToolError(f"no image can be put on {one.board.title}: {obstacles}", _advice(one))


def carry_out(one: Upload, method: str = "") -> None:
    """Puts the image on the board. method: "" for the first that can be used. Raises: ToolError, UsageError."""
    allowed = one.board.upload or (EMULATOR,)
    if method and method not in (*allowed, EMULATOR, PLATFORMIO):
        raise UsageError(f"{method} is not one of the board's upload methods", f"they are: {', '.join(allowed)}")
    chosen = method or usable_method(one)
    if obstacle := _obstacle(one, chosen):
        raise ToolError(f"no image can be put on {one.board.title}: {obstacle}", _advice(one))
    _METHODS[chosen](one)


def command_of(one: Upload, method: str) -> list[str]:
    """The command of a tool. Raises: KeyError of a method that is none."""
    return _COMMANDS[method](one)


def _obstacle(one: Upload, method: str) -> str:
    """Why a method cannot be used here, "" if it can."""
    if method == MASS_STORAGE:
        return "" if one.drive() else f"no drive {one.board.volume} is mounted"
    if method in _PACKAGES:
        return "" if shutil.which(_PACKAGES[method]) else f"{_PACKAGES[method]} is not installed"
    return ""


def _advice(one: Upload) -> str:
    """The exact commands, the usual method first."""
    return "; or ".join(_how_to(one, method) for method in one.board.upload)


def _how_to(one: Upload, method: str) -> str:
    if method == MASS_STORAGE:
        hold = " while you hold BOOTSEL" if one.board.image == "uf2" else ""
        return (
            f"connect the board by USB{hold}, mount its drive {one.board.volume}, and run the command again "
            f"(--volume FOLDER names a drive that is mounted elsewhere)"
        )
    if method == PLATFORMIO:
        return f"pio run -e {one.board.name} -t upload"
    return f"sudo apt-get install {_PACKAGES[method]}, then: {shlex.join(command_of(one, method))}"


def _openocd(one: Upload) -> list[str]:
    files = (word for path in one.board.openocd for word in ("-f", path))
    where = f" 0x{one.board.flash.origin:x}" if one.image.suffix == ".bin" else ""
    return ["openocd", *files, "-c", f"program {{{one.image}}}{where} verify reset exit"]


def _dfu(one: Upload) -> list[str]:
    return ["dfu-util", "-a", "0", "-s", f"0x{one.board.flash.origin:08x}:leave", "-D", str(one.image)]


def _picotool(one: Upload) -> list[str]:
    return ["picotool", "load", "-v", "-x", str(one.image)]


def _platformio(one: Upload) -> list[str]:
    port = ["--upload-port", one.port] if one.port else []
    words = ["run", "--environment", one.board.name, "--target", "nobuild", "--target", "upload", *port]
    return [sys.executable, "-m", "platformio", *words]


_COMMANDS: Final[dict[str, Callable[[Upload], list[str]]]] = {
    OPENOCD: _openocd,
    DFU: _dfu,
    PICOTOOL: _picotool,
    PLATFORMIO: _platformio,
}


def _by_drive(one: Upload) -> None:
    folder = one.drive()
    if folder is None:
        raise ToolError(f"no drive {one.board.volume} is mounted", _how_to(one, MASS_STORAGE))
    print(f"writing {one.image.name} to {folder}", flush=True)
    volumes.write(one.image, folder, one.board)


def _by_tool(method: str) -> Callable[[Upload], None]:
    return lambda one: run_tool(_PACKAGES[method], command_of(one, method))


def _by_platformio(one: Upload) -> None:
    """PlatformIO uploads what lies where it builds, and builds nothing."""
    folder, environment = place_built(one.board.name, one.image)
    run_tool("PlatformIO", _platformio(one), folder, environment)


def _by_emulator(one: Upload) -> None:
    """An emulator takes the linked image; a build leaves it beside what a board takes."""
    linked = one.image.with_name("firmware.elf")
    image = linked if one.image.suffix in (".hex", ".bin", ".uf2") and linked.exists() else one.image
    asyncio.run(upload_to(emulated_board(one.port, one.board.name), image))


_METHODS: Final[dict[str, Callable[[Upload], None]]] = {
    MASS_STORAGE: _by_drive,
    PICOTOOL: _by_tool(PICOTOOL),
    OPENOCD: _by_tool(OPENOCD),
    DFU: _by_tool(DFU),
    PLATFORMIO: _by_platformio,
    EMULATOR: _by_emulator,
}


def run_tool(
    name: str, command: Sequence[str], folder: Path | None = None, environment: dict[str, str] | None = None
) -> None:
    """Runs a tool; its output is passed on. Raises: ToolError with the line in which it says why it failed."""
    lines: list[str] = []
    try:
        with subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.strip())
                print(line.rstrip("\n"), flush=True)
    except FileNotFoundError:
        raise ToolError(f"{name} is not installed", f"Run: sudo apt-get install {name}") from None
    if process.returncode != 0:
        raise ToolError(f"{name} failed (exit code {process.returncode}): {why(lines)}", "connect the board and retry")


def why(lines: Sequence[str]) -> str:
    """Of the output of a tool that failed, the last line that says why."""
    told = [line for line in lines if line and not line.startswith("=====")]  # PlatformIO's last line
    errors = [line for line in told if line.startswith("Error: ")]
    reasons = errors or [line for line in told if _SAYS_WHY.search(line)] or told
    return reasons[-1].removeprefix("Error: ")[:_LONGEST_REASON] if reasons else "it says nothing"


def emulated_board(port: str, environment: str) -> Running:
    """The board that runs on a port, or the only one of an environment. Raises: ToolError, UsageError."""
    running = running_boards()
    found = [one for one in running if (_is_port(one, port) if port else one.environment == environment)]
    if len(found) == 1:
        if found[0].environment != environment:
            message = f"the emulated board on {port} is {found[0].environment}, the image is for {environment}"
            raise UsageError(message, f"build with `pio run -e {found[0].environment}`")
        return found[0]
    if found:
        names = ", ".join(one.url for one in found)
        raise UsageError(f"several boards of {environment} run: {names}", "name one with --upload-port")
    where = f"on {port}" if port else f"of {environment}"
    raise ToolError(f"no emulated board {where} runs", f"start one: jaragua emulate --environment {environment}")


def _is_port(board: Running, port: str) -> bool:
    return board.url == port or ("://" not in port and os.path.realpath(board.url) == os.path.realpath(port))
