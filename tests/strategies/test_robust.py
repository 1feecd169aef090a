"""Aggregation that a few devices cannot spoil: by hand, and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from updates import updates

from jaragua.errors import ConfigurationError
from jaragua.strategies import Aggregation, Settings, TinyReptile
from jaragua.strategies.robust import (
    ClippedNorm,
    ClippedToTheMedianNorm,
    Finite,
    NearTheFleet,
    aggregation_of,
    median,
    norms,
    trimmed_mean,
)

ROWS = st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=2), min_size=3, max_size=9)
ZERO = np.zeros(2)


def test_the_median_of_each_weight() -> None:
    np.testing.assert_array_equal(median(updates([1, 9], [2, 8], [99, 7])), [2, 8])
    np.testing.assert_array_equal(median(updates([1, 0], [3, 0])), [2, 0])


def test_a_trimmed_mean_leaves_out_both_ends() -> None:
    five = updates([1], [2], [3], [4], [1000])
    np.testing.assert_array_equal(trimmed_mean(0.2)(five), [3])
    np.testing.assert_array_equal(trimmed_mean(0.4)(five), [3])
    np.testing.assert_array_equal(trimmed_mean(0.19)(five), [202])


@pytest.mark.parametrize("share", [-0.1, 0.5, 1.0])
def test_a_trimmed_mean_of_nothing_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError):
        trimmed_mean(share)


@given(ROWS, st.integers(0, 8), st.floats(1e3, 1e9))
def test_one_liar_cannot_leave_the_range_of_the_others(rows: list[list[float]], liar: int, lie: float) -> None:
    honest = np.array(rows)
    liar %= len(rows)
    told = [list(row) for row in rows]
    told[liar] = [lie, -lie]
    others = np.delete(honest, liar, axis=0)
    for combine in (median, trimmed_mean(0.34)):
        found = combine(updates(*told))
        assert (found >= others.min(axis=0) - 1e-9).all()
        assert (found <= others.max(axis=0) + 1e-9).all()


def test_a_long_update_is_shortened_and_keeps_its_direction() -> None:
    start = np.array([1.0, 1.0])
    kept = ClippedNorm(5.0)(start, updates([7.0, 9.0], [1.0, 2.0]))
    np.testing.assert_allclose([one.weights for one in kept], [[4.0, 5.0], [1.0, 2.0]])


def test_the_median_length_is_the_measure() -> None:
    kept = ClippedToTheMedianNorm(2.0)(ZERO, updates([1, 0], [0, 2], [30, 40]))
    np.testing.assert_allclose(norms(ZERO, kept), [1, 2, 4])


@settings(deadline=None)
@given(ROWS, st.floats(0.1, 9))
def test_no_clipped_update_is_longer_than_the_limit(rows: list[list[float]], limit: float) -> None:
    assert (norms(ZERO, ClippedNorm(limit)(ZERO, updates(*rows))) <= limit * (1 + 1e-12)).all()


def test_an_update_far_from_the_fleet_is_left_out_by_name() -> None:
    rows = updates([1, 1], [1, 2], [2, 1], [-40, 60])
    kept, left_out = Aggregation((NearTheFleet(5.0),)).checked(ZERO, rows)
    assert [one.device for one in kept] == ["board-0", "board-1", "board-2"]
    assert left_out == {"board-3": "it is more than 5 times as far from the round's median as is usual"}


def test_two_updates_cannot_be_told_apart() -> None:
    assert len(NearTheFleet(1.0)(ZERO, updates([0, 0], [1e9, 0]))) == 2


def test_equal_updates_all_stay() -> None:
    assert len(NearTheFleet(1.0)(ZERO, updates([1, 1], [1, 1], [1, 1]))) == 3


def test_numbers_that_are_none_are_left_out() -> None:
    kept = Finite()(ZERO, updates([1, float("nan")], [float("inf"), 0], [1, 2]))
    assert [one.device for one in kept] == ["board-2"]


def test_checks_come_in_their_order_before_the_strategy_combines() -> None:
    """The far one is gone before the median length is taken: (2 + 2 + 2) / 3, not what 400 would make of it."""
    aggregation = aggregation_of("own", 0.2, clip=1.0, near=3.0)
    strategy = TinyReptile(Settings(1, aggregation=aggregation))
    moved = strategy.aggregate(1, ZERO, updates([2, 0], [2, 0.5], [2, -0.5], [400, 0]))
    np.testing.assert_allclose(moved, [2.0, 0.0], atol=0.05)


def test_another_way_to_combine_takes_the_place_of_the_strategys() -> None:
    strategy = TinyReptile(Settings(1, alpha=0.5, aggregation=aggregation_of("median", 0.2, 0, 0)))
    np.testing.assert_array_equal(strategy.aggregate(1, ZERO, updates([1, 0], [4, 0], [100, 0])), [2, 0])


def test_nothing_moves_if_nothing_is_believed() -> None:
    strategy = TinyReptile(Settings(1, aggregation=aggregation_of("own", 0.2, 0, 0)))
    start = np.array([1.0, 2.0])
    np.testing.assert_array_equal(strategy.aggregate(1, start, updates([float("nan"), 0.0])), start)


def test_an_unknown_way_to_combine_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no way to combine 'average'"):
        aggregation_of("average", 0.2, 0, 0)
