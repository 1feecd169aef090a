"""Random tests under many seeds: `make test-seeds` runs the tests that take a seed, and these alone."""

from __future__ import annotations

import os
import random

import pytest

_COUNT, _FIRST = "JARAGUA_TEST_SEEDS", "JARAGUA_TEST_SEED"


def drawn_seed() -> int:
    """One seed for the run's random tests: JARAGUA_TEST_SEED repeats an earlier run."""
    return int(os.environ.get(_FIRST) or random.SystemRandom().randrange(2**32))


def share_first_seed() -> None:
    """Before the run's processes start: in a run with many seeds, all of them have to know the same ones."""
    if _count():
        os.environ.setdefault(_FIRST, str(drawn_seed()))


def give_seeds(metafunc: pytest.Metafunc) -> None:
    """The seeds of a test, in a run with many; otherwise the fixture `seed` gives the run's own."""
    of_its_own = any("seed" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if _count() and "seed" in metafunc.fixturenames and not of_its_own:
        generator = random.Random(drawn_seed())
        metafunc.parametrize("seed", [generator.randrange(2**32) for _ in range(_count())])


def keep_with_seeds(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run with many seeds, leave out what takes none."""
    if not _count():
        return
    left = [item for item in items if "seed" not in _parameters(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if "seed" in _parameters(item)]


def _parameters(item: pytest.Item) -> dict[str, object]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def _count() -> int:
    return int(os.environ.get(_COUNT) or 0)
