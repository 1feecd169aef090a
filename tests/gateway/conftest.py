"""A real broker for every test, and the helpers of tests/node."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaragua_broker import Broker

for other in ("node", "simulation/rounds"):
    sys.path.insert(0, str(Path(__file__).parents[1] / other))


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as started:
        yield started
