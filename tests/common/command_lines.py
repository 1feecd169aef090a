"""Command lines of `jaragua`."""

from __future__ import annotations


def with_settings(*assignments: str) -> tuple[str, ...]:
    """`--set KEY=VALUE` for each of these."""
    return tuple(word for assignment in assignments for word in ("--set", assignment))
