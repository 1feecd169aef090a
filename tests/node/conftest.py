"""A real broker for every test of a node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jaragua_broker import Broker


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as started:
        yield started
