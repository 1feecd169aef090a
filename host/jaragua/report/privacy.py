"""What a run with noise tells of one device (docs/design/private-updates.md, U11), in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def in_words(found: Mapping[str, Any]) -> str:
    """ε, δ and rounds of a summary's `privacy`; "" if it has none, or no numbers in it."""
    values = [found.get(name) for name in ("epsilon", "delta", "rounds")]
    if not all(isinstance(one, int | float) for one in values):
        return ""
    epsilon, delta, rounds = values
    return f"ε = {epsilon:.4g} at δ = {delta:g}, of a device in {rounds} rounds"
