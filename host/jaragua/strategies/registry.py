"""Strategies by the name a configuration gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from jaragua.errors import ConfigurationError
from jaragua.strategies.base import Strategy
from jaragua.strategies.tiny_reptile import TinyReptile

#: Name -> what makes it from (alpha, alpha_final, rounds).
REGISTRY: Mapping[str, Callable[[float, float, int], Strategy]] = {"tinyreptile": TinyReptile}


def names() -> list[str]:
    """Every strategy there is, sorted."""
    return sorted(REGISTRY)


def create(name: str, alpha: float, alpha_final: float, rounds: int) -> Strategy:
    """The strategy of that name. Raises: ConfigurationError if there is none."""
    if name not in REGISTRY:
        raise ConfigurationError(f"there is no strategy '{name}'", suggestion(name))
    return REGISTRY[name](alpha, alpha_final, rounds)


def suggestion(name: str) -> str:
    """What to write in its place."""
    near = get_close_matches(name.lower(), names(), n=1)
    known = f"known: {', '.join(names())}"
    return f"did you mean '{near[0]}'? {known}" if near else known
