"""Which environment and which model an image is built for: what was said, or what the board is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaragua import boards
from jaragua.errors import UsageError
from jaragua.serial.ports.discovery import Port
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


def _candidates(port: Port, before: Identity | None) -> list[str]:
    known = {one.name for one in boards.environments()}
    if before is not None and before.board in known:
        return [before.board]
    return [name for name in port.environments if name in known]


def _names() -> str:
    return "|".join(one.name for one in boards.environments() if one.is_a_board)
