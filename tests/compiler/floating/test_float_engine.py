"""The float engine: its gradients against finite differences, its values by hand, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from named_networks import RESIDUAL

from jaragua_compiler import CompileError, Network, first_weights, initial_weights
from jaragua_compiler.floating.engine import FloatEngine, activations
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.graph.initial_weights import Weights

IMAGE = (7, 6, 2)
HEAD = (kinds.Flatten(), kinds.Dense(3))
BODIES: dict[str, tuple[kinds.Layer, ...]] = {
    "dense": (kinds.Flatten(), kinds.Dense(5, "tanh"), kinds.Dense(3)),
    "sigmoid": (
        kinds.DepthwiseConv2D((3, 2), padding="same", activation="sigmoid"),
        kinds.Flatten(),
        kinds.Dense(5, "sigmoid"),
        kinds.Dense(3),
    ),
    "convolution, same": (kinds.Conv2D(4, (3, 2), (2, 1), "same", "tanh"), *HEAD),
    "convolution, padded": (kinds.Conv2D(3, (3, 3), (2, 2), ((0, 2), (1, 0)), "leaky_relu", slope=0.2), *HEAD),
    "two convolutions": (kinds.Conv2D(3, (2, 3), activation="relu"), kinds.Conv2D(2, (3, 3), (1, 2), "same"), *HEAD),
    "depthwise": (kinds.Conv2D(3), kinds.DepthwiseConv2D((3, 2), (2, 1), "same", "relu6"), *HEAD),
    "max pool": (kinds.Conv2D(3), kinds.MaxPool2D((3, 2), (2, 2), "same"), *HEAD),
    "average pool": (kinds.Conv2D(3), kinds.AveragePool2D((2, 3), (1, 2), "same"), *HEAD),
    "global average pool": (kinds.Conv2D(4, activation="tanh"), kinds.GlobalAveragePool2D(), kinds.Dense(3)),
    "residual": (
        kinds.Conv2D(2, padding="same"),
        kinds.Conv2D(2, padding="same", activation="tanh"),
        kinds.Add(0, "relu"),
        *HEAD,
    ),
    "branches": (
        kinds.Conv2D(2, padding="same"),
        kinds.Conv2D(2, (1, 1), source=-1),
        kinds.Add(0),
        kinds.Activation("leaky_relu"),
        *HEAD,
    ),
    "residual of the input": (kinds.Conv2D(2, (1, 1)), kinds.Add(-1), *HEAD),
    "frozen in the middle": (kinds.Conv2D(2), kinds.Conv2D(3, trainable=False, activation="tanh"), *HEAD),
}
LOSSES = ("softmax_cross_entropy", "mean_squared_error")


def _loss(network: Network, weights: Weights, x: np.ndarray, target: np.ndarray) -> float:
    outputs = FloatEngine(network, weights, np.float64).forward(x[None])[0]
    if network.classifier:
        return float(np.log(np.exp(outputs).sum()) - outputs[target[0]])
    return float(np.mean((outputs - target) ** 2))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("body", BODIES)
def test_gradients_are_those_of_finite_differences(body: str, loss: str) -> None:
    network = Network("net", IMAGE, BODIES[body], loss)  # type: ignore[arg-type]
    generator = np.random.default_rng(7)
    weights = [(matrix, generator.normal(size=bias.shape)) for matrix, bias in initial_weights(network, 3)]
    x = generator.normal(size=network.input_size)
    target = np.array([1]) if network.classifier else generator.normal(size=3)
    engine = FloatEngine(network, weights, np.float64)
    assert engine.train_step(x, target, 0.0).loss == pytest.approx(_loss(network, weights, x, target))
    for layer, pair in zip(engine.gradients, weights, strict=True):
        for gradient, values in zip(layer, pair, strict=True):
            for place in generator.choice(values.size, min(8, values.size), replace=False):
                flat, kept = values.reshape(-1), float(values.reshape(-1)[place])
                losses = []
                for flat[place] in (kept + 1e-6, kept - 1e-6):
                    losses.append(_loss(network, weights, x, target))
                flat[place] = kept
                assert gradient.reshape(-1)[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-7, rel=1e-5)


def test_a_step_moves_against_the_gradient_and_leaves_frozen_layers_alone() -> None:
    network = Network("net", IMAGE, BODIES["frozen in the middle"])
    engine = FloatEngine(network, initial_weights(network, 3), np.float64)
    before = engine.weights
    engine.train_step(np.ones(network.input_size), 2, 0.25)
    for place, (old, new, gradient) in enumerate(zip(before, engine.weights, engine.gradients, strict=True)):
        moved = 0.0 if place == 1 else 0.25
        assert all(np.allclose(new[part], old[part] - moved * gradient[part]) for part in range(2))


def test_a_max_pool_sends_its_error_to_the_first_largest() -> None:
    network = Network(
        "net", (2, 2, 1), (kinds.Conv2D(1, (1, 1)), kinds.MaxPool2D(), kinds.Flatten()), "mean_squared_error"
    )
    engine = FloatEngine(network, [(np.ones((1, 1, 1, 1)), np.zeros(1))])
    engine.train_step([1.0, 3.0, 3.0, 2.0], [0.0], 0.0)
    assert engine.gradients[0][1] == pytest.approx(2 * 3)


def test_an_average_pool_does_not_count_its_padding() -> None:
    layers = (kinds.AveragePool2D((2, 2), (2, 2), "same"), kinds.Flatten(), kinds.Dense(4))
    network = Network("net", (3, 3, 1), layers, "mean_squared_error")
    found = activations(network, initial_weights(network, 1), [np.arange(9.0)])[1]
    assert found.reshape(-1).tolist() == [2.0, 3.5, 6.5, 8.0]


def test_activations_are_one_array_per_tensor() -> None:
    samples = np.random.default_rng(1).normal(size=(4, RESIDUAL.input_size))
    found = activations(RESIDUAL, initial_weights(RESIDUAL, 1), samples)
    assert [values.shape for values in found] == [(4, *shape) for shape in RESIDUAL.shapes]


def test_a_network_of_every_kind_learns_two_images() -> None:
    network = RESIDUAL
    engine = FloatEngine(network, initial_weights(network, 5))
    images = np.random.default_rng(2).normal(size=(2, network.input_size))
    first = [engine.train_step(image, label, 0.02).loss for label, image in enumerate(images)]
    steps = [engine.train_step(images[step % 2], step % 2, 0.02) for step in range(300)]
    assert steps[-1].loss < 0.2 < min(first)
    assert steps[-1].correct
    assert engine.forward(images).dtype == np.float32


def test_the_cross_entropy_of_huge_logits_stays_finite() -> None:
    network = Network("net", 1, (kinds.Dense(2),))
    engine = FloatEngine(network, [(np.array([[1e4], [-1e4]]), np.zeros(2))])
    assert math.isclose(engine.train_step([1.0], 1, 0.0).loss, 2e4)


def test_initial_weights_are_scaled_by_what_a_neuron_sees() -> None:
    layers = (
        kinds.Conv2D(64, (3, 3), padding="same", activation="relu"),
        kinds.DepthwiseConv2D((3, 3)),
        kinds.Flatten(),
        kinds.Dense(4),
    )
    network = Network("net", (8, 8, 16), layers)
    spreads = [float(matrix.std()) for matrix, _ in initial_weights(network, 1)]
    less_their_mean = 3 / 4  # of four rows (A2.7)
    of_logits = math.sqrt(less_their_mean * 2 / (6 * 6 * 64 + 4))
    assert spreads == pytest.approx([math.sqrt(2 / 144), math.sqrt(2 / 18), of_logits], rel=0.1)


@pytest.mark.parametrize("outputs", [2, 5])
def test_a2_7_logits_have_nothing_in_common_before_and_after_training(outputs: int) -> None:
    network = Network("net", 6, (kinds.Dense(8, "relu"), kinds.Dense(outputs)))
    engine = FloatEngine(network, initial_weights(network, 4), np.float64)
    generator = np.random.default_rng(4)
    for _ in range(20):
        engine.train_step(generator.normal(size=6), int(generator.integers(outputs)), 0.1)
    for rows, biases in (initial_weights(network, 4)[-1], engine.weights[-1]):
        assert np.abs(rows.mean(axis=0)).max() < 1e-12 < np.abs(rows).max()
        assert abs(biases.mean()) < 1e-12


def test_a2_7_a_classifier_without_hidden_layers_begins_at_zero() -> None:
    (rows, biases), *others = first_weights(Network("net", 6, (kinds.Dense(4),)), 4)
    assert (rows.shape, biases.shape, others) == ((4, 6), (4,), [])
    assert not rows.any()
    assert not biases.any()
    for one in (
        Network("net", 6, (kinds.Dense(8, "relu"), kinds.Dense(4))),
        Network("net", 6, (kinds.Dense(4),), "mean_squared_error"),
    ):
        for (drawn, _), (first, _) in zip(initial_weights(one, 4), first_weights(one, 4), strict=True):
            assert np.array_equal(drawn, first)


def test_a2_8_a_hidden_linear_square_layer_begins_as_the_identity() -> None:
    layers = (kinds.Dense(6), kinds.Dense(6, "relu"), kinds.Dense(4), kinds.Dense(4))
    network = Network("net", 6, layers)
    (rows, biases), *others = first_weights(network, 4)
    assert np.array_equal(rows, np.eye(6))
    assert not biases.any()
    for (drawn, _), (first, _) in zip(initial_weights(network, 4)[1:], others, strict=True):
        assert np.array_equal(drawn, first)


def test_a2_8_logits_right_behind_a_metric_begin_at_0() -> None:
    """Not those behind another layer (above), and no regression."""
    (metric, _), (rows, biases) = first_weights(Network("net", 6, (kinds.Dense(6), kinds.Dense(4))), 4)
    assert np.array_equal(metric, np.eye(6))
    assert rows.shape == (4, 6)
    assert not rows.any()
    assert not biases.any()
    values = Network("net", 6, (kinds.Dense(6), kinds.Dense(4)), "mean_squared_error")
    assert np.array_equal(first_weights(values, 4)[1][0], initial_weights(values, 4)[1][0])


def test_a2_7_leaves_a_regression_alone() -> None:
    network = Network("net", 6, (kinds.Dense(8, "relu"), kinds.Dense(3)), "mean_squared_error")
    rows, _ = initial_weights(network, 4)[-1]
    assert np.abs(rows.mean(axis=0)).min() > 0


def test_samples_and_weights_of_another_shape_are_refused() -> None:
    weights = initial_weights(RESIDUAL, 1)
    with pytest.raises(CompileError, match="its samples have the shape"):
        activations(RESIDUAL, weights, np.zeros((2, 5)))
    with pytest.raises(CompileError, match="its weights have the shapes"):
        FloatEngine(RESIDUAL, weights[:-1])


def test_a_step_of_several_samples_leaves_a_frozen_layer() -> None:
    """Steps of several samples are sums of `step`: a frozen layer must not move with them."""
    network = Network("frozen", 4, (kinds.Dense(3, "relu", trainable=False), kinds.Dense(2)))
    engine = FloatEngine(network, initial_weights(network, 1))
    engine.train_step(np.ones(4), 1, 0.1)
    frozen, trained = engine.step
    assert not frozen[0].any()
    assert not frozen[1].any()
    assert trained[1].any()
