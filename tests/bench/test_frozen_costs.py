"""What a choice of layers costs is measured on the emulated board, and less of it trains for less."""

from __future__ import annotations

import pytest

from jaragua_bench.frozen import cost
from jaragua_compiler.graph.initial_weights import initial_weights
from jaragua_models import get

pytestmark = pytest.mark.board


def test_a10_4_less_that_trains_takes_less_ram_and_fewer_instructions() -> None:
    model = get("sine")
    weights = initial_weights(model.network, 1)
    whole, last = (cost(model, weights, train, tasks=1) for train in ("all", "last"))
    assert last.ram_bytes < whole.ram_bytes
    assert last.train_instructions < whole.train_instructions
