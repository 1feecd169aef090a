"""Which environment and which model an image is built for: what was said, or what the board is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaragua import boards
from jaragua.errors import UsageError
from jaragua.serial.ports.discovery import Port
from jaragua.upload.methods import PLATFORMIO
from jaragua.upload.volumes import find_volume, is_drive_of
from jaragua.wire.messages import Identity


@dataclass(frozen=True)
class Target:
    """A board that gets an image. `before`: who it was, None if nobody answered."""

    port: Port
    environment: str
    model: str
    before: Identity | None


def environment_of(given: str | None, port: Port, before: Identity | None) -> str:
    """The environment of the board on a port. Raises: UsageError if it is unclear, or not what was given."""
    found = _candidates(port, before)
    if given is not None:
        boards.environment(given)
        if port.kind == "emulated" and found and given not in found:
            raise UsageError(f"the emulated board on {port.path} is {found[0]}, not {given}", "leave --environment out")
        return given
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"what {port.title} on {port.path} is cannot be told", f"name it: --environment {_names()}")
    raise UsageError(f"{port.title} may be {' or '.join(found)}", f"name it: --environment {found[0]}")


def model_of(given: str | None, environment: str, before: Identity | None, zoo: Sequence[str]) -> str:
    """The model that was given, else the board's own if the zoo has it, else that of the environment."""
    if given is not None:
        return given
    if before is not None and before.model in zoo:
        return before.model
    return boards.environment(environment).model


def environment_without_port(given: str | None, volume: Path | None, waiting: Sequence[str]) -> str | None:
    """The environment of a board that has no port: by name, by its drive, or by its USB identity; None: none is there.

    waiting: environments whose board is on USB and waits for an image. Raises: UsageError if it is unclear.
    """
    if given is not None:
        board = boards.environment(given)
        return board.name if set(board.upload) - {PLATFORMIO} else None  # PlatformIO uploads to a port
    if volume is not None and not volume.is_dir():
        raise UsageError(f"there is no folder {volume}", "name the folder where the board's drive is mounted")
    found = [one.name for one in boards.environments() if _has_drive(one, volume)]
    candidates = found or list(dict.fromkeys(waiting))
    if len(candidates) > 1:
        raise UsageError(f"the board may be {' or '.join(candidates)}", f"name it: --environment {candidates[0]}")
    if volume is not None and not candidates:
        raise UsageError(f"{volume} is not the drive of a board that is known", f"name it: --environment {_names()}")
    return candidates[0] if candidates else None


def _has_drive(board: boards.Environment, volume: Path | None) -> bool:
    return find_volume(board) is not None if volume is None else is_drive_of(board, volume)


def _candidates(port: Port, before: Identity | None) -> list[str]:
    known = {one.name for one in boards.environments()}
    if before is not None and before.board in known:
        return [before.board]
    return [name for name in port.environments if name in known]


def _names() -> str:
    return "|".join(one.name for one in boards.environments() if one.is_a_board)
