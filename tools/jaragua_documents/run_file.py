"""The keys of a run's TOML, from `jaragua.settings`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING

from jaragua.settings import SECTIONS, Key, keys_of
from jaragua_documents.markdown import code, plain, table

#: Bounds that are written as powers.
_POWERS = {2**63 - 1: "2^63 - 1", 2**-32: "2^-32", 1e12: "10^12"}


def keys() -> str:
    """A heading and a table for each section of the file."""
    return "\n\n".join(_section(name) for name in SECTIONS)


def _section(name: str) -> str:
    purpose = (SECTIONS[name].__doc__ or "").partition(": ")[2]
    rows = (_row(key) for key in keys_of(name).values())
    heading = f"### [{name}]\n\n{purpose[:1].upper()}{purpose[1:]}"
    return f"{heading}\n\n" + table(("key", "what it is", "range", "default"), rows)


def _row(key: Key) -> tuple[str, str, str, str]:
    free = " *free*" if key.setting.free else ""
    return code(key.path), plain(key.setting.help) + free, _range(key), _default(key)


def _range(key: Key) -> str:
    bounds = code(", ".join(_bounds(key)))
    return f"{bounds} {key.setting.unit}".strip()


def _bounds(key: Key) -> Iterator[str]:
    setting = key.setting
    signs = (("≥", setting.least), (">", setting.above), ("≤", setting.most), ("<", setting.below))
    return (f"{sign} {_number(value)}" for sign, value in signs if value is not None)


def _number(value: float) -> str:
    """1,000,000 in full, but what is too long to read as a power."""
    return _POWERS.get(value, f"{value:,}")


def _default(key: Key) -> str:
    if key.is_filled_in:
        return key.default_in_words
    if key.default is MISSING:
        return "none: required"
    if isinstance(key.default, dict | tuple):
        return "none"
    return code(f"{key.default}" if isinstance(key.default, str) else f"{key.default:g}")
