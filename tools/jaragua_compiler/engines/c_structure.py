"""ctypes structures from the words of their C declarations."""

from __future__ import annotations

import ctypes
import re
from typing import Any

_TYPES: dict[str, Any] = {
    "bool": ctypes.c_bool,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    **{f"int{bits}_t": getattr(ctypes, f"c_int{bits}") for bits in (8, 16, 32, 64)},
    **{f"uint{bits}_t": getattr(ctypes, f"c_uint{bits}") for bits in (8, 16, 32, 64)},
}
_MEMBER = re.compile(r"(\*?)(\w+)(?:\[(\d+)\])?")


def members(declarations: str, **structures: type[ctypes.Structure]) -> tuple[tuple[str, Any], ...]:
    """The `_fields_` of a structure: "uint32_t inputs, outputs; int8_t exponents[4]; void *weights".

    Pointers are c_void_p, whatever they point to. structures: further types by name.
    Raises: KeyError for a type that is not known; ValueError for a member that is no name.
    """
    found: list[tuple[str, Any]] = []
    for declaration in filter(str.strip, declarations.split(";")):
        kind, names = declaration.split(maxsplit=1)
        for name in names.split(","):
            found.append(_member(kind, name.strip(), structures))
    return tuple(found)


def structure(declarations: str, **structures: type[ctypes.Structure]) -> type[ctypes.Structure]:
    """A structure that only others contain, of these `members`."""
    return type("Structure", (ctypes.Structure,), {"_fields_": members(declarations, **structures)})


def _member(kind: str, text: str, structures: dict[str, type[ctypes.Structure]]) -> tuple[str, Any]:
    match = _MEMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no member of a structure")
    star, name, count = match.groups()
    if star:
        return name, ctypes.c_void_p
    one = structures.get(kind) or _TYPES[kind]
    return name, one * int(count) if count else one
