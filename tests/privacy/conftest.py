"""Helpers of this room are imported by name."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jaragua_broker import Broker

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def generator() -> np.random.Generator:
    """A random one; its seed is printed."""
    seed = int(np.random.SeedSequence().entropy or 0) % 2**32
    print(f"seed {seed}")
    return np.random.default_rng(seed)


from fleet import Fleet  # noqa: E402

_FLEETS = itertools.count()


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def fleet(broker: Broker, tmp_path: Path) -> Fleet:
    return Fleet(broker.url, f"private-{next(_FLEETS)}", tmp_path)
