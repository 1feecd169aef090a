"""Aggregation that a few devices cannot spoil: by hand, and as properties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from updates import updates

from jaragua.errors import ConfigurationError, RunError
from jaragua.settings import AggregationSettings
from jaragua.strategies import Aggregation, ClientUpdate, Settings, TinyReptile, Vector
from jaragua.strategies.aggregation import UpdateRows
from jaragua.strategies.guarded import MAX_EXCLUDED_ROUNDS, ExclusionCounter
from jaragua.strategies.robust import (
    LONGEST,
    Bounded,
    ClippedNorm,
    Finite,
    MedianNormClip,
    OutlierFilter,
    aggregation_of,
    median,
    norms,
    spectral_mean,
    start_length,
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


@pytest.mark.parametrize("fraction", [-0.1, 0.5, 1.0])
def test_a_trimmed_mean_of_nothing_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigurationError):
        trimmed_mean(fraction)


def test_r21_1_devices_that_differ_together_are_excluded() -> None:
    draw = np.random.default_rng(4)
    rows = draw.normal(size=(10, 60))
    rows[[2, 7]] = -1.5  # no farther than the others, and the same
    assert np.linalg.norm(rows[2]) < 1.6 * np.median(np.linalg.norm(rows, axis=1))
    found = spectral_mean(0.2)(updates(*rows.tolist()))
    np.testing.assert_array_equal(found, np.mean(np.delete(rows, [2, 7], axis=0), axis=0))


def test_r21_2_as_many_as_the_fraction_holds_are_excluded_and_none_of_two() -> None:
    """R21.2, R21.3."""
    five = updates([1], [2], [3], [4], [1000])
    np.testing.assert_array_equal(spectral_mean(0.2)(five), [2.5])
    np.testing.assert_array_equal(spectral_mean(0.19)(five), [202])
    np.testing.assert_array_equal(spectral_mean(0.4)(updates([1], [1000])), [500.5])
    same = updates([7], [7], [7], [7])
    np.testing.assert_array_equal(spectral_mean(0.49)(same), [7])


@pytest.mark.parametrize("fraction", [-0.1, 0.5, 1.0])
def test_r21_a_spectral_mean_of_half_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigurationError):
        spectral_mean(fraction)


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
    kept = MedianNormClip(2.0)(ZERO, updates([1, 0], [0, 2], [30, 40]))
    np.testing.assert_allclose(norms(ZERO, kept), [1, 2, 4])


@given(ROWS, st.floats(0.1, 9))
def test_no_clipped_update_is_longer_than_the_limit(rows: list[list[float]], limit: float) -> None:
    assert (norms(ZERO, ClippedNorm(limit)(ZERO, updates(*rows))) <= limit * (1 + 1e-12)).all()


def test_an_update_far_from_the_fleet_is_excluded_by_name() -> None:
    rows = updates([1, 1], [1, 2], [2, 1], [-40, 60])
    kept, excluded = Aggregation((OutlierFilter(5.0),)).checked(ZERO, rows)
    assert [one.device for one in kept] == ["board-0", "board-1", "board-2"]
    assert excluded == {"board-3": "it is more than 5 times as far from the round's median as is usual"}


def test_two_updates_cannot_be_told_apart() -> None:
    assert len(OutlierFilter(1.0)(ZERO, updates([0, 0], [1e9, 0]))) == 2


def test_equal_updates_all_stay() -> None:
    assert len(OutlierFilter(1.0)(ZERO, updates([1, 1], [1, 1], [1, 1]))) == 3


def test_numbers_that_are_none_are_excluded() -> None:
    kept = Finite()(ZERO, updates([1, float("nan")], [float("inf"), 0], [1, 2]))
    assert [one.device for one in kept] == ["board-2"]


def test_checks_come_in_their_order_before_the_strategy_combines() -> None:
    """The far one is gone before the median length is taken: (2 + 2 + 2) / 3, not what 400 would make of it."""
    aggregation = aggregation_of(AggregationSettings(norm_clip_factor=1.0, outlier_factor=3.0))
    strategy = TinyReptile(Settings(1, aggregation=aggregation))
    start = np.array([0.0, 100.0])
    moved = strategy.aggregate(1, start, updates([2, 100], [2, 100.5], [2, 99.5], [400, 100]))
    np.testing.assert_allclose(moved, [2.0, 100.0], atol=0.05)


def test_another_way_to_combine_takes_the_place_of_the_strategys() -> None:
    median = aggregation_of(AggregationSettings(combine="median", outlier_factor=0))
    strategy = TinyReptile(Settings(1, alpha=0.5, aggregation=median))
    start = np.array([10.0, 0.0])
    np.testing.assert_array_equal(strategy.aggregate(1, start, updates([1, 0], [4, 0], [100, 0])), [7, 0])


def test_nothing_moves_if_nothing_is_believed() -> None:
    strategy = TinyReptile(Settings(1, aggregation=aggregation_of(AggregationSettings(outlier_factor=0))))
    start = np.array([1.0, 2.0])
    np.testing.assert_array_equal(strategy.aggregate(1, start, updates([float("nan"), 0.0])), start)


def test_an_unknown_way_to_combine_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no way to combine 'average'"):
        aggregation_of(AggregationSettings(combine="average"))


# ---- R17: what every run leaves out ----

DEFAULT = aggregation_of(AggregationSettings())


def honest_rows(count: int, parameters: int = 300, seed: int = 17) -> tuple[Vector, Vector]:
    """A start, and what devices made of it: each a tenth of its length away."""
    draw = np.random.default_rng(seed)
    start = draw.normal(scale=0.3, size=parameters)
    learned = draw.normal(size=(count, parameters))
    return start, start + learned * (0.1 * np.linalg.norm(start) / np.linalg.norm(learned, axis=1))[:, None]


def rows_of(rows: Vector, wrapped: bool) -> Sequence[ClientUpdate]:
    names = [f"board-{number}" for number in range(len(rows))]
    if wrapped:
        return UpdateRows(names, rows, [1] * len(rows))
    return [ClientUpdate(name, row, 1) for name, row in zip(names, rows, strict=True)]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("lie", [3e38, 3.4e38 * 32767, 1e30, 1e6, -1e4, float("inf"), float("nan")])
def test_r17_one_absurd_update_is_excluded_of_a_round_of_any_size(count: int, lie: float, wrapped: bool) -> None:
    """R17.1 and R17.2: all its weights, and one of them only."""
    for places in (slice(None), slice(7, 8)):
        start, rows = honest_rows(count)
        rows[-1, places] = lie
        kept, excluded = DEFAULT.checked(start, rows_of(rows, wrapped))
        assert list(excluded) == [f"board-{count - 1}"]
        moved = TinyReptile(Settings(1, aggregation=DEFAULT)).aggregate(1, start, rows_of(rows, wrapped))
        np.testing.assert_array_equal(moved, start + (np.mean(rows[:-1], axis=0) - start) if count > 1 else start)
        assert len(kept) == count - 1


@pytest.mark.parametrize("lie", [3e38, 1e30, 1e6, float("nan")])
def test_r17_2_a_majority_of_absurd_updates_is_excluded(lie: float) -> None:
    start, rows = honest_rows(3)
    rows[:2] = lie
    kept, excluded = DEFAULT.checked(start, rows_of(rows, wrapped=False))
    assert [one.device for one in kept] == ["board-2"]
    assert len(excluded) == 2


def test_r17_5_nothing_moves_where_all_are_absurd() -> None:
    start, rows = honest_rows(3)
    moved = TinyReptile(Settings(1, aggregation=DEFAULT)).aggregate(1, start, rows_of(rows * 0 + 1e30, wrapped=True))
    np.testing.assert_array_equal(moved, start)


def test_r17_3_what_is_far_from_the_others_and_long_is_excluded() -> None:
    """Of three, three times as long as the start: bounds alone would believe it."""
    start, rows = honest_rows(3)
    rows[0] = start + (rows[0] - start) * 30
    _, excluded = DEFAULT.checked(start, rows_of(rows, wrapped=False))
    assert excluded == {"board-0": "it is more than 10 times as far from the round's median as is usual"}


def test_r17_3_who_alone_learns_something_is_believed() -> None:
    """The median distance is 0, as the others passed over all they know (A11.8), or all learned the same."""
    start, rows = honest_rows(5)
    rows[1:] = start
    assert len(DEFAULT.checked(start, rows_of(rows, wrapped=False))[0]) == 5
    rows[1:] = rows[0] * 1.01
    assert len(DEFAULT.checked(start, rows_of(rows, wrapped=True))[0]) == 5


@pytest.mark.parametrize("wrapped", [False, True])
def test_r17_honest_updates_are_handed_on_as_they_are(wrapped: bool) -> None:
    """The very same sequence: so nothing that is computed of them changes by a bit."""
    start, rows = honest_rows(20)
    updates_of_a_round = rows_of(rows, wrapped)
    assert DEFAULT.checked(start, updates_of_a_round) == (updates_of_a_round, {})
    kept = DEFAULT.checked(start, updates_of_a_round)[0]
    assert kept is updates_of_a_round or all(one is other for one, other in zip(kept, updates_of_a_round, strict=True))
    assert isinstance(kept, UpdateRows) == wrapped


def test_r17_a_start_of_zeros_has_a_length() -> None:
    assert start_length(np.zeros(400)) == pytest.approx(2.0)
    kept = Bounded()(np.zeros(400), rows_of(np.array([[0.9] * 400, [1.1] * 400]), wrapped=False))
    assert [one.device for one in kept] == ["board-0"]
    assert LONGEST == 10


def test_r17_5_four_rounds_without_an_update_that_is_believed_end_a_run() -> None:
    trust = ExclusionCounter()
    why = {"board-1": "a weight is not a number"}
    for _ in range(2):
        for number in range(1, MAX_EXCLUDED_ROUNDS):
            trust.saw(number, 1, why)
        trust.saw(MAX_EXCLUDED_ROUNDS, 2, why)
    for number in range(5, 4 + MAX_EXCLUDED_ROUNDS):
        trust.saw(number, 1, why)
    with pytest.raises(
        RunError, match=r"last 4 rounds is believed, and nothing has moved since round 4; of board-1: a"
    ):
        trust.saw(8, 1, why)
