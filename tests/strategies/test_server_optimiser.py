"""R18: how the server steps, against examples computed by hand; what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from updates import updates

from jaragua.errors import ConfigurationError
from jaragua.settings import AggregationSettings
from jaragua.strategies import Settings, Strategy, create
from jaragua.strategies.guarded import checked_aggregate
from jaragua.strategies.robust import aggregation_of
from jaragua.strategies.server_optimiser import NO_MOMENTS, ServerOptimiser, optimiser_of

HALVES = ServerOptimiser("momentum", beta1=0.5, beta2=0.75, tau=0.5)


def with_optimiser(optimiser: ServerOptimiser, name: str = "tinyreptile", **changes: Any) -> Strategy:
    return create(name, replace(Settings(8, alpha=0.5, alpha_final=0.5, optimiser=optimiser), **changes))


def two_rounds(strategy: Strategy) -> list[float]:
    """φ of one weight from 0, after devices that learned 2 and 4 (mean 3), and then 1."""
    first = checked_aggregate(strategy, 1, np.zeros(1), updates([2.0], [4.0]))
    second = checked_aggregate(strategy, 2, first.vector, updates((first.vector + 1.0).tolist()), first.moments)
    return [*first.vector.tolist(), *second.vector.tolist()]


def test_momentum_by_hand() -> None:
    """R18.2: m = 3, then 0.5 · 3 + 1 = 2.5; α = 0.5."""
    assert two_rounds(with_optimiser(HALVES)) == [1.5, 1.5 + 1.25]


def test_adam_by_hand() -> None:
    """R18.3, v from τ² = 1/4: m = 1.5, v = 0.75/4 + 9/4; then m = 1.25, v = 0.75 · 2.4375 + 0.25."""
    first = 0.5 * 1.5 / (math.sqrt(2.4375) + 0.5)
    second = first + 0.5 * 1.25 / (math.sqrt(2.078125) + 0.5)
    np.testing.assert_allclose(two_rounds(with_optimiser(replace(HALVES, name="adam"))), [first, second], rtol=1e-15)


def test_yogi_by_hand() -> None:
    """R18.3: v = 1/4 + 0.25 · 9 as it was less than 9; then v = 2.5 - 0.25 · 1 as it is more than 1."""
    first = 0.5 * 1.5 / (math.sqrt(2.5) + 0.5)
    second = first + 0.5 * 1.25 / (math.sqrt(2.25) + 0.5)
    np.testing.assert_allclose(two_rounds(with_optimiser(replace(HALVES, name="yogi"))), [first, second], rtol=1e-15)


def test_r18_1_the_plain_step_by_hand() -> None:
    """α = 0.5 of what was learned; nothing of the first round is left in the second."""
    assert two_rounds(with_optimiser(ServerOptimiser())) == [1.5, 1.5 + 0.5]


def test_momentum_without_a_past_is_the_plain_step_to_the_bit() -> None:
    plain = two_rounds(with_optimiser(ServerOptimiser()))
    assert two_rounds(with_optimiser(ServerOptimiser("momentum", beta1=0.0))) == plain


@pytest.mark.parametrize("name", ["fedavg", "fedsgd", "fedprox"])
def test_the_averages_take_alpha_with_an_optimiser_alone(name: str) -> None:
    """R18.4."""
    assert with_optimiser(ServerOptimiser(), name).step_size(1) == 1.0
    assert with_optimiser(HALVES, name).step_size(1) == 0.5


@pytest.mark.parametrize("name", ["momentum", "adam", "yogi"])
def test_a_round_that_nobody_believes_moves_nothing(name: str) -> None:
    """R18.6."""
    strategy = with_optimiser(replace(HALVES, name=name), aggregation=aggregation_of(AggregationSettings()))
    before = checked_aggregate(strategy, 1, np.ones(2), updates([1.5, 1.0]))
    after = checked_aggregate(strategy, 2, before.vector, updates([math.nan, 1.0]), before.moments)
    np.testing.assert_array_equal(after.vector, before.vector)
    np.testing.assert_array_equal(after.moments, before.moments)
    assert before.vector[1] == 1.0  # nobody moved it (a local head, R12)


@pytest.mark.parametrize(
    ("name", "why"), [("transfer", "no server steps"), ("pretrained", "one place"), ("scratch", "nothing")]
)
def test_who_has_no_server_step_takes_no_optimiser(name: str, why: str) -> None:
    """R18.8."""
    with pytest.raises(
        ConfigurationError, match=f"server_optimiser is momentum, which '{name}' does not take: .*{why}"
    ):
        with_optimiser(HALVES, name)


class OwnStep(Strategy):
    """Stays where it is."""

    def aggregate(self, round_number: int, initialisation: Any, updates: Any) -> Any:
        return initialisation


def test_a_class_with_a_step_of_its_own_takes_no_optimiser() -> None:
    with pytest.raises(ConfigurationError, match="its class has an aggregate of its own"):
        with_optimiser(HALVES, f"{__name__}:OwnStep")
    assert checked_aggregate(OwnStep(Settings(1)), 1, np.ones(1), []).moments is NO_MOMENTS


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"server_optimiser": "adamw"}, "server_optimiser is 'adamw', which there is not"),
        ({"server_optimiser": "adam", "server_beta1": 1.0}, "server_beta1 is 1, which is out of range"),
        ({"server_optimiser": "yogi", "server_beta2": -0.1}, r"server_beta2 is -0\.1"),
        ({"server_optimiser": "yogi", "server_beta2": math.nan}, "server_beta2 is nan"),
        ({"server_optimiser": "adam", "server_tau": 0.0}, "server_tau is 0, which is out of range"),
        ({"server_optimiser": "adam", "server_tau": math.inf}, "server_tau is inf"),
    ],
)
def test_numbers_that_no_optimiser_takes_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        optimiser_of(AggregationSettings(**changes))
