"""The memory planner: nothing that lives at one moment shares bytes, and what lies where is told."""

from __future__ import annotations

import numpy as np
import pytest
from image_networks import CNN, random_graph_network
from random_cases import MLP, SINE

from jaragua_compiler import plan
from jaragua_compiler.memory import ALIGNMENT_BYTES, MemoryPlan
from jaragua_compiler.stack import stack_bound


def _overlaps(memory: MemoryPlan) -> list[tuple[str, str]]:
    pairs = [(one, other) for index, one in enumerate(memory.places) for other in memory.places[:index]]
    return [
        (one.buffer.name, other.buffer.name)
        for one, other in pairs
        if one.shares_bytes(other) and one.buffer.meets(other.buffer)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_buffers_that_live_at_one_moment_share_no_byte(seed: int) -> None:
    memory = plan(random_graph_network(np.random.default_rng(seed))).memory
    assert _overlaps(memory) == []
    assert all(place.offset % ALIGNMENT_BYTES == 0 and place.end <= memory.bytes for place in memory.places)


def test_a_cnn_trains_in_less_than_the_sum_of_its_buffers() -> None:
    memory = plan(CNN).memory
    assert memory.bytes < sum(place.buffer.bytes for place in memory.places) * 2 // 3
    most = max(
        sum(place.buffer.bytes for place in memory.places if place.buffer.first <= moment <= place.buffer.last)
        for moment in range(20)
    )
    assert most <= memory.bytes <= most * 1.05


@pytest.mark.parametrize("network", [SINE, MLP, CNN], ids=lambda network: network.name)
def test_the_table_names_every_buffer_and_the_arena(network: object) -> None:
    compiled = plan(network)  # type: ignore[arg-type]
    lines = compiled.memory_table().splitlines()
    assert len(lines) == len(compiled.memory.places) + 4
    assert lines[-3].split() == ["arena", str(compiled.memory.bytes)]
    assert lines[-2].split()[-2:] == ["cortex_m4", str(stack_bound(compiled, "cortex_m4"))]
