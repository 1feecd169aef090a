"""A real broker for every test, and the helpers of tests/node."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaragua_broker import Broker

sys.path.insert(0, str(Path(__file__).parents[1] / "node"))


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as started:
        yield started
