"""The keys of a run's TOML, from the definitions that read it."""

from __future__ import annotations

from collections.abc import Iterator

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from jaragua.config.schema import SECTIONS
from jaragua.store.run_folder import FREE_TO_CHANGE
from jaragua_documents.markdown import code, plain, table

_SIGNS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
#: Bounds that are written as powers.
_POWERS = {2**63 - 1: "2^63 - 1", 2**-32: "2^-32", 1e12: "10^12"}
#: The end of a description that says what stands for a key that is left out.
_DEFAULT = "; default: "


def keys() -> str:
    """A heading and a table for each section of the file."""
    return "\n\n".join(_section(name) for name in SECTIONS)


def _section(name: str) -> str:
    section = SECTIONS[name]
    purpose = (section.__doc__ or "").partition(": ")[2]
    rows = (_row(f"{name}.{key}", field) for key, field in section.model_fields.items())
    heading = f"### [{name}]\n\n{purpose[:1].upper()}{purpose[1:]}"
    return f"{heading}\n\n" + table(("key", "what it is", "range", "default"), rows)


def _row(key: str, field: FieldInfo) -> tuple[str, str, str, str]:
    text, _, said = (field.description or "").partition(_DEFAULT)
    text = text[:1].upper() + text[1:] + ("" if text.endswith(".") or not text else ".")
    if key in FREE_TO_CHANGE:
        text += " *free*"
    return code(key), plain(text), code(", ".join(_bounds(field))), plain(said) or _default(field)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for mark in field.metadata:
        for kind, attribute, sign in _SIGNS:
            if isinstance(mark, kind):
                yield f"{sign} {_number(getattr(mark, attribute))}"


def _number(value: float) -> str:
    """1,000,000 in full, but what is too long to read as a power."""
    return _POWERS.get(value, f"{value:,}")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: required"
    if isinstance(field.default, dict | tuple):
        return "none"
    return code(f"{field.default}" if isinstance(field.default, str) else f"{field.default:g}")
