"""The command that runs an image of the RP2040 on rp2040js, which `tools/setup/setup.sh boards` installs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jaragua.boards import Environment
from jaragua.emulate.elf import Image
from jaragua.emulate.project import project_folder
from jaragua.emulate.qemu import BootIdentity, boot_words

PROGRAM: Final = "node"
_FOLDER: Final = Path("tools") / "emulators"


def is_installed() -> bool:
    """Whether rp2040js is there; Node.js is another question."""
    return (project_folder() / _FOLDER / "node_modules" / "rp2040js").is_dir()


def arguments(board: Environment, image: Path, listening_fd: int, start: BootIdentity) -> list[str]:
    """The command line of one board: `listening_fd` is an open listening socket."""
    boot_block = Image(image).address("jrg_port_boot_block")
    words = [str(word) for word in (boot_block, *boot_words(board, start))]
    return [PROGRAM, str(project_folder() / _FOLDER / "rp2040.mjs"), str(image), str(listening_fd), *words]
