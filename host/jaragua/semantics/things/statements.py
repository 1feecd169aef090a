"""What a device's owner states of it, in a TOML file: sensors, place, and what no device can answer (S2.5)."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from jaragua.errors import ConfigurationError
from jaragua.semantics.boards.board_types import board_types
from jaragua.semantics.vocabulary import SENSORS

_MOST: Final = 2**40
_TEXT_LENGTH: Final = 64


@dataclass(frozen=True)
class Statements:
    """Of one device; None: the owner says nothing of it. `type`: a type of board. `reflash`: may get another image."""

    type: str | None = None
    sensors: tuple[str, ...] | None = None
    place: str | None = None
    clock_hz: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    supply_millivolt: int | None = None
    current_microampere: int | None = None
    link_bytes_per_second: int | None = None
    reflash: bool | None = None


_KEYS: Final = tuple(field.name for field in fields(Statements))
_NUMBERS: Final = frozenset(key for key in _KEYS if key not in ("type", "sensors", "place", "reflash"))


def read_statements(path: Path) -> dict[str, Statements]:
    """Device -> statements of a file. Raises ConfigurationError, which lists every problem, one a line."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", "name a file with [devices.NAME]"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML: {error}", "docs/reference/semantics.md has an example") from error
    problems = list(_problems(document))
    if problems:
        raise ConfigurationError("\n".join(f"{path}: {one}" for one in problems), "docs/reference/semantics.md, S2.5")
    return {name: _made(entry) for name, entry in document.get("devices", {}).items()}


def _made(entry: Mapping[str, Any]) -> Statements:
    tuples: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Statements(**tuples)


def _problems(document: Mapping[str, Any]) -> list[str]:
    found = [f"there is no section [{name}]; only [devices.NAME]" for name in document if name != "devices"]
    devices = document.get("devices", {})
    if not isinstance(devices, dict):
        return [*found, "devices is no table; write [devices.NAME]"]
    for name, entry in devices.items():
        if not isinstance(entry, dict):
            found.append(f"devices.{name} is no table; write [devices.{name}]")
            continue
        found += [problem for key, value in entry.items() for problem in _key_problems(f"devices.{name}", key, value)]
    return found


def _key_problems(place: str, key: str, value: object) -> list[str]:
    if key not in _KEYS:
        return [f"{place}: there is no key {key!r}{_did_you_mean(key, _KEYS)}"]
    if key in _NUMBERS:
        right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
        return [] if right else [f"{place}.{key} is {value!r}: give a whole number from 1 on"]
    if key == "reflash":
        return [] if isinstance(value, bool) else [f"{place}.{key} is {value!r}: give true or false"]
    if key == "sensors":
        return _sensor_problems(place, value)
    if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_LENGTH:
        return [f"{place}.{key} is {value!r}: give a text of 1 to {_TEXT_LENGTH} characters"]
    if key == "type" and value not in board_types():
        return [f"{place}.type: there is no type of board {value!r}{_did_you_mean(value, tuple(board_types()))}"]
    return []


def _sensor_problems(place: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return [f"{place}.sensors is {value!r}: give a list of names"]
    return [
        f"{place}.sensors: there is no sensor {one!r}{_did_you_mean(one, tuple(SENSORS))}"
        for one in value
        if one not in SENSORS
    ]


def _did_you_mean(name: str, known: tuple[str, ...]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else f"; there are: {', '.join(sorted(known))}"
