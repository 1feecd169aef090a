"""`Value`: what families of small immutable records derive from, such as messages and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(frozen=True)
class Value:
    """Every class derived from it is a frozen dataclass, and needs no decorator."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)


ValueT = TypeVar("ValueT", bound=Value)


def made(kind: type[ValueT], **fields: Any) -> ValueT:
    """A record of these fields, all of them: a frozen class's own way of setting one after the other takes far longer.

    Of a class without `__post_init__`.
    """
    one = object.__new__(kind)
    one.__dict__.update(fields)
    return one
