"""The memory planner: nothing that lives at one moment shares bytes, and what lies where is told."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from image_networks import CNN, random_graph_network
from random_cases import MLP, SINE

from jaragua_compiler import plan
from jaragua_compiler.planning.boards import Core
from jaragua_compiler.planning.memory import ALIGNMENT_BYTES, Buffer, MemoryPlan, Place, active_entries
from jaragua_compiler.planning.stack import stack_bound


def _overlaps(memory: MemoryPlan) -> list[tuple[str, str]]:
    pairs = [(one, other) for index, one in enumerate(memory.places) for other in memory.places[:index]]
    return [
        (one.buffer.name, other.buffer.name)
        for one, other in pairs
        if any(_bytes_at(one, moment) & _bytes_at(other, moment) for moment in range(60))
    ]


def _bytes_at(place: Place, moment: int) -> set[int]:
    return set(range(place.offset, place.offset + place.buffer.bytes_at(moment)))


@pytest.mark.parametrize("seed", range(40))
def test_buffers_that_live_at_one_moment_share_no_byte(seed: int) -> None:
    memory = plan(random_graph_network(np.random.default_rng(seed))).memory
    assert _overlaps(memory) == []
    assert all(place.offset % ALIGNMENT_BYTES == 0 and place.end <= memory.bytes for place in memory.places)


def test_what_grows_may_grow_over_what_is_no_longer_in_use() -> None:
    growing = Place(Buffer("rows", 24, 3, 5, bytes_at_first=16, grows=4), 0)
    gone = Place(Buffer("gone", 8, 1, 3), 16)
    assert growing.shares_bytes(gone)
    assert not growing.clashes(gone)
    assert not gone.clashes(growing)
    assert growing.clashes(Place(Buffer("still there", 8, 1, 4), 16))


@pytest.mark.parametrize(("rows", "entries"), [(1, 3), (2, 3), (7, 9), (8, 9)])
def test_a_list_of_active_rows_has_room_for_an_odd_ones_pair_and_its_end(rows: int, entries: int) -> None:
    assert active_entries(rows) == entries


def test_a_cnn_trains_in_less_than_the_sum_of_its_buffers() -> None:
    memory = plan(CNN).memory
    assert memory.bytes < sum(place.buffer.bytes for place in memory.places) * 2 // 3
    most = max(sum(place.buffer.bytes_at(moment) for place in memory.places) for moment in range(20))
    assert most <= memory.bytes <= most * 1.05


@pytest.mark.parametrize("network", [SINE, MLP, CNN], ids=lambda network: network.name)
def test_the_table_names_every_buffer_and_the_arena(network: object) -> None:
    compiled = plan(network)  # type: ignore[arg-type]
    lines = compiled.memory_table().splitlines()
    stacks = [line.split() for line in lines if line.startswith("stack at most")]
    assert stacks == [["stack", "at", "most,", core, str(stack_bound(compiled, core))] for core in get_args(Core)]
    assert len(lines) == len(compiled.memory.places) + 2 + len(stacks)  # a heading, and the arena
    assert lines[-1 - len(stacks)].split() == ["arena", str(compiled.memory.bytes)]
