"""Drives that boards show for an upload: boot loaders of UF2, DAPLink and ST-Link."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from jaragua.boards import Environment
from jaragua.errors import ToolError
from jaragua.reasons import reason_of

#: Where systems mount drives: in a folder of the drive's name, or of the user's name and the drive's.
BASES: Final = ("/media", "/run/media", "/mnt", "/Volumes")
#: github.com/microsoft/uf2, "Files exposed by bootloaders": what the drive of a UF2 boot loader says of itself.
INFO: Final = "INFO_UF2.TXT"
_BOARD_ID: Final = re.compile(r"^Board-ID:[ \t]*(\S+)", re.MULTILINE)
#: DAPLink and ST-Link write here why they did not take an image.
_REFUSAL: Final = "FAIL.TXT"
_LONGEST_TEXT_BYTES: Final = 2000
#: For how long a boot loader may take to write an image and restart the board.
_TAKEN_S: Final = 20.0
_LOOK_AGAIN_S: Final = 0.1


def find_volume(board: Environment, bases: Sequence[str] | None = None) -> Path | None:
    """The folder where the board's drive is mounted, None if it is not. bases: None for those of the system."""
    return next((folder for folder in _folders(BASES if bases is None else bases) if is_drive_of(board, folder)), None)


def is_drive_of(board: Environment, folder: Path) -> bool:
    """Whether the drive in a folder is the board's: a UF2 boot loader says so, others have their name."""
    if not board.volume:
        return False
    said = board_id(folder)
    if said:
        return said == board.volume
    return board.image != "uf2" and folder.name == board.volume and os.path.ismount(folder)


def board_id(folder: Path) -> str:
    """What the boot loader of a drive calls its board, "" if it is none of UF2."""
    try:
        with (folder / INFO).open("rb") as file:
            text = file.read(_LONGEST_TEXT_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
    found = _BOARD_ID.search(text)
    return found[1] if found else ""


def write(image: Path, folder: Path, board: Environment) -> None:
    """Copies an image to a board's drive. Raises: ToolError, with the drive's own words if it has any.

    A boot loader of UF2 takes the drive away when it has the whole image; that is waited for.
    """
    try:
        with (folder / image.name).open("wb") as file, image.open("rb") as source:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if board.image != "uf2" or board_id(folder):  # a boot loader restarts the board with the last block
            raise ToolError(
                f"the drive {folder} takes no image: {reason_of(error)}", "plug the board in again"
            ) from None
    if board.image == "uf2":
        _until_gone(folder)
    elif words := _refusal(folder):
        raise ToolError(f"the drive {folder} refuses the image: {words}", "build the image for this board")


def _until_gone(folder: Path) -> None:
    deadline_s = time.monotonic() + _TAKEN_S
    while board_id(folder):
        if time.monotonic() > deadline_s:
            raise ToolError(
                f"the drive {folder} is still there {_TAKEN_S:.0f} s after the image was written to it",
                "its boot loader did not take the image: is it built for this board?",
            )
        time.sleep(_LOOK_AGAIN_S)


def _refusal(folder: Path) -> str:
    try:
        text = (folder / _REFUSAL).read_bytes()[:_LONGEST_TEXT_BYTES].decode("ascii", "replace")
    except OSError:
        return ""
    return " ".join(text.split())


def _folders(bases: Sequence[str]) -> Iterator[Path]:
    for base in bases:
        for pattern in ("*", "*/*"):
            yield from sorted(folder for folder in Path(base).glob(pattern) if folder.is_dir())
