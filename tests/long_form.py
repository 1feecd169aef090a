"""Cases that `make test` leaves out: products of parameters whose every value it meets, but not each with each.

`make test-long` runs these cases, and these alone: they have the mark `long` (conftest.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

_VARIABLE = "JARAGUA_TEST_LONG"


def paired(names: Iterable[str], others: Sequence[str], first: int = 0) -> list[Any]:
    """All pairs as parameters: each name with one of the others in turn; its pairs with the rest are long.

    So every value of both is met by `make test` if there are at least as many names as others. first: whose turn it is
    with the first name; several tests of one product begin with different ones.
    """
    return [
        pytest.param(name, other, id=f"{name}-{other}", marks=() if turn % len(others) == place else pytest.mark.long)
        for turn, name in enumerate(names, first)
        for place, other in enumerate(others)
    ]


def first_of(values: Iterable[Any], count: int) -> list[Any]:
    """All values as parameters; those behind the first `count` are long."""
    return [pytest.param(value, marks=pytest.mark.long if place >= count else ()) for place, value in enumerate(values)]


def keep_of_form(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long cases out, or in a run of the long form all others."""
    is_long = os.environ.get(_VARIABLE) == "1"
    kept, left = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (kept if (item.get_closest_marker("long") is not None) == is_long else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept
