"""From scratch: no training before adaptation."""

from __future__ import annotations

from typing import ClassVar

from jaragua.strategies.base import Strategy


class Scratch(Strategy):
    """A new device starts from random weights (`initial_weights`): what every other strategy must beat."""

    SUMMARY: ClassVar[str] = "no training: each new device adapts from random weights of its own"
    TRAINS: ClassVar[bool] = False
