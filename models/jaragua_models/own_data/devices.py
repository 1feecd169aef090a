"""Whose rows a device of a fleet has: from its name to a value of the column of devices (N1 to N4)."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaragua_compiler.frontends.naming import identifier
from jaragua_models.errors import DataError

_NUMBERED = re.compile(r"device-([1-9][0-9]{0,8})")
_NAMED = 8


def name_of(owner: str) -> str:
    """N1: the name in a fleet of the device with this value in the data."""
    return identifier(owner)


def owner_of(name: str, training: Sequence[str], held_out: Sequence[str], origin: Path) -> str:
    """N2: the training device of the data that `name` stands for.

    Raises: DataError if it is held out, or there is none (N4).
    """
    matches = [owner for owner in training if name in (owner, name_of(owner))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        told = ", ".join(map(repr, matches))
        raise DataError(
            f"{origin.name}: the name {name!r} stands for several devices: {told}.", "Rename one in the data."
        )
    numbered = _NUMBERED.fullmatch(name)
    if name in held_out_names(held_out):
        raise DataError(
            f"{origin.name}: device {name!r} is held out: it measures what was learned, and never trains.",
            "Take another name, or take it out of held_out in every copy of the TOML file.",
        )
    if numbered and training:
        return training[(int(numbered[1]) - 1) % len(training)]
    hint = f"Give the node or board the name of one that trains: {_some(training)}."
    raise DataError(f"{origin.name}: no row is of a device {name!r}.", hint)


def held_out_names(held_out: Iterable[str]) -> frozenset[str]:
    """The names in a fleet of devices that never train."""
    return frozenset(name for owner in held_out for name in (owner, name_of(owner)))


def _some(owners: Sequence[str]) -> str:
    names = [name_of(owner) for owner in owners]
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "") if names else "none trains here"
