"""Reptile, FedAvg, FedSGD, FedProx, TinyMetaFed, transfer learning, from scratch: what each does differently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from updates import updates

from jaragua import strategies
from jaragua.models import model_named, properties_of
from jaragua.settings import TrainingSettings
from jaragua.strategies import WHOLE_SET, ClientWork, ModelProperties, Settings, Strategy

SETTINGS = Settings(rounds=10, alpha=0.5, alpha_final=0.1, training=TrainingSettings(0.2))


def made(name: str, **options: float) -> Strategy:
    return strategies.create(name, Settings(10, 0.5, 0.1, TrainingSettings(0.2), options=options))


def test_reptile_goes_through_a_stored_set_in_mini_batches() -> None:
    assert made("reptile").client_work(1) == ClientWork(0.2, passes=5, batch=5)
    asked = strategies.create("reptile", Settings(10, training=TrainingSettings(0.2, passes=3, batch=1)))
    assert asked.client_work(1) == ClientWork(0.2, passes=3, batch=1)


def test_reptile_moves_as_tiny_reptile_does() -> None:
    rows = updates([1.0, 4.0], [3.0, 0.0])
    start = np.array([1.0, 1.0])
    moved = [made(name).aggregate(4, start, rows) for name in ("reptile", "tinyreptile")]
    np.testing.assert_array_equal(*moved)


def test_fedavg_counts_every_sample_the_same_and_never_anneals() -> None:
    strategy = made("fedavg")
    assert {strategy.step_size(number) for number in (1, 5, 10)} == {1.0}
    moved = strategy.aggregate(7, np.array([9.0]), updates([0.0], [4.0], samples=(1, 3)))
    np.testing.assert_array_equal(moved, [3.0])


def test_fedsgd_is_fedavg_with_one_step_on_all_samples() -> None:
    """φ - η Σ n_k g_k / Σ n_k: with η = 0.2 and gradients 1 and 2 of 1 and 3 samples, 5 - 0.2 · 7/4."""
    strategy, start = made("fedsgd"), np.array([5.0])
    assert strategy.client_work(1) == ClientWork(0.2, passes=1, batch=WHOLE_SET)
    moved = strategy.aggregate(1, start, updates([5 - 0.2 * 1], [5 - 0.2 * 2], samples=(1, 3)))
    np.testing.assert_allclose(moved, [4.65], rtol=1e-15)


def test_fedprox_is_fedavg_with_a_proximal_term() -> None:
    assert made("fedprox").client_work(1) == ClientWork(0.2, proximal=0.1)
    assert made("fedprox", proximal=0.7).client_work(1).proximal == 0.7


def test_tinymetafed_sends_part_of_the_weights() -> None:
    work = made("tinymetafed", upload_fraction=0.1, local_layers=2).client_work(1)
    assert (work.local_layers, work.upload_fraction, work.delta_bits) == (2, 0.1, 8)
    assert work.compressed


@pytest.mark.parametrize(
    ("model", "local_layers"),
    [("digits", 1), ("keywords", 1), ("presence", 0), ("sine", 0), ("omniglot-cnn", 0), ("omniglot", 1)],
)
def test_tinymetafed_keeps_the_head_where_labels_are_a_tasks_own_unless_it_is_too_large(
    model: str, local_layers: int
) -> None:
    properties = properties_of(model_named(model))
    assert (
        strategies.create("tinymetafed", Settings(10, properties=properties)).client_work(1).local_layers
        == local_layers
    )
    asked = Settings(10, properties=properties, options={"local_layers": 1 - local_layers})
    assert strategies.create("tinymetafed", asked).client_work(1).local_layers == 1 - local_layers


def test_the_head_fraction_is_that_of_all_numbers() -> None:
    assert properties_of(model_named("sine")) == ModelProperties(False, 33 / (64 + 1056 + 33), 3, classifier=False)


def test_tinymetafed_falls_by_a_cosine() -> None:
    steps = [made("tinymetafed").step_size(number) for number in (1, 6, 11)]
    np.testing.assert_allclose(steps, [0.5, 0.3, 0.1], rtol=1e-12)


def test_transfer_learning_trains_in_one_place() -> None:
    assert made("transfer").client_work(1).pooled
    assert made("transfer").step_size(9) == 1.0


def test_pretraining_is_transfer_learning_on_true_classes() -> None:
    mine, others = made("pretrained"), made("transfer")
    assert mine.client_work(1) == others.client_work(1)
    assert mine.step_size(9) == 1.0
    assert [kind.TRUE_CLASSES for kind in (mine, others)] == [True, False]


def test_from_scratch_trains_nothing() -> None:
    assert not made("scratch").TRAINS


@pytest.mark.parametrize("name", strategies.names())
@given(row=st.lists(st.floats(-8, 8), min_size=3, max_size=3), number=st.integers(1, 10))
def test_devices_that_learned_nothing_move_nothing(name: str, row: list[float], number: int) -> None:
    start = np.array(row)
    moved = made(name).aggregate(number, start, updates(row, row))
    np.testing.assert_allclose(moved, start, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", strategies.names())
def test_equal_settings_make_equal_strategies(name: str) -> None:
    assert strategies.create(name, SETTINGS) == strategies.create(name, SETTINGS)
    assert strategies.create(name, SETTINGS) != strategies.create(name, Settings(11))
