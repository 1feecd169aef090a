"""`Value`: what families of small immutable records derive from, such as messages and events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(frozen=True)
class Value:
    """Every class derived from it is a frozen dataclass, and needs no decorator."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)
