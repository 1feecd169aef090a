"""The order in which a device with a small replay buffer goes over its samples."""

from __future__ import annotations

import numpy as np
import pytest

from jaragua_compiler.engines.replay_order import replay_order


@pytest.mark.parametrize("replay_buffer_size", [0, 5, 9])
def test_two_passes_with_room_for_all_are_a_pass_after_a_pass(replay_buffer_size: int) -> None:
    assert replay_order(5, 2, replay_buffer_size).tolist() == [0, 1, 2, 3, 4] * 2


def test_a_memory_of_one_learns_every_sample_again_as_it_comes() -> None:
    assert replay_order(3, 3, 1).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_sample_is_learned_again_just_before_it_makes_room() -> None:
    assert replay_order(5, 2, 3).tolist() == [0, 1, 2, 0, 3, 1, 4, 2, 3, 4]
    assert replay_order(4, 3, 3).tolist() == [0, 1, 0, 2, 1, 0, 3, 2, 1, 3, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_every_sample_is_visited_in_every_pass_and_no_more_are_held_than_there_is_room_for(seed: int) -> None:
    random = np.random.default_rng(seed)
    samples, passes, replay_buffer_size = (int(number) for number in random.integers(1, (30, 6, 35)))
    order = replay_order(samples, passes, replay_buffer_size)
    assert np.bincount(order).tolist() == [passes] * samples, f"seed {seed}"
    for sample in range(samples):
        places = np.flatnonzero(order == sample)
        newer = order[places[0] : places[-1] + 1].max()
        assert newer - sample < replay_buffer_size, f"seed {seed}"


def test_one_pass_is_the_order_in_which_they_come() -> None:
    assert replay_order(4, 1, 2).tolist() == [0, 1, 2, 3]
