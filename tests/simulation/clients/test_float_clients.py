"""The float32 devices compute what jaragua_compiler's float engine computes, on every kind of layer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import jaragua_models
from jaragua.errors import ModelError
from jaragua.simulation.clients.float_clients import FloatFleet
from jaragua.simulation.clients.samples import Batch, joined
from jaragua.simulation.settings import default_cache
from jaragua.strategies import WHOLE_SET, ClientWork, Vector
from jaragua_compiler import Network, initial_weights
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_models import Model, Samples

RATE = 0.05
IMAGE = (7, 6, 2)
HEAD = (layers.Flatten(), layers.Dense(3))
BODIES: dict[str, tuple[layers.Layer, ...]] = {
    "dense": (layers.Flatten(), layers.Dense(5, "tanh"), layers.Dense(4, "relu"), layers.Dense(3)),
    "sigmoid": (layers.Conv2D(3, activation="sigmoid"), layers.Flatten(), layers.Dense(5, "sigmoid"), layers.Dense(3)),
    "same": (layers.Conv2D(4, (3, 2), (2, 1), "same", "relu"), layers.Conv2D(3, (2, 2), activation="relu6"), *HEAD),
    "padded": (layers.Conv2D(3, (3, 3), (2, 2), ((0, 2), (1, 0)), "leaky_relu", slope=0.2), *HEAD),
    "long rows, channels left over": (layers.Conv2D(6, (3, 3), (2, 1), "same", "relu"), *HEAD),
    "short rows, several blocks": (layers.Conv2D(18, (2, 2), (1, 2), "same", "tanh"), layers.Conv2D(3, (2, 2)), *HEAD),
    "depthwise": (layers.Conv2D(3), layers.DepthwiseConv2D((3, 2), (2, 1), "same", "relu6"), *HEAD),
    "max pool": (layers.Conv2D(3), layers.MaxPool2D((3, 2), (2, 2), "same"), *HEAD),
    "average pool": (layers.Conv2D(3), layers.AveragePool2D((2, 3), (1, 2), "same"), *HEAD),
    "global average pool": (layers.Conv2D(4, activation="tanh"), layers.GlobalAveragePool2D(), layers.Dense(3)),
    "residual": (
        layers.Conv2D(2, padding="same"),
        layers.Conv2D(2, padding="same", activation="tanh"),
        layers.Add(0, "relu"),
        *HEAD,
    ),
    "branches": (
        layers.Conv2D(2, padding="same"),
        layers.Conv2D(2, (1, 1), source=-1),
        layers.Add(0),
        layers.Activation("leaky_relu"),
        *HEAD,
    ),
    "frozen in the middle": (layers.Conv2D(2), layers.Conv2D(3, trainable=False, activation="tanh"), *HEAD),
}
CASES = list(itertools.product(BODIES, ("softmax_cross_entropy", "mean_squared_error")))


def model_of(network: Network) -> Model:
    metric = "accuracy" if network.classifier else "mse"
    return replace(jaragua_models.get("digits"), network=network, metric=metric)  # type: ignore[arg-type]


def batch_of(network: Network, counts: list[int], seed: int) -> Batch:
    draw = np.random.default_rng(seed)
    tasks = []
    for count in counts:
        x = draw.normal(size=(count, network.input_size)).astype(np.float32)
        labels, numbers = draw.integers(0, 3, count), draw.normal(size=(count, 3)).astype(np.float32)
        tasks.append(Samples(x, labels if network.classifier else numbers))
    return joined(tasks, range(len(counts)))


def flat(weights: Weights) -> Vector:
    return np.concatenate([part.ravel() for pair in weights for part in pair])


def in_layers(vector: Vector, like: Weights) -> Weights:
    parts = iter(np.split(vector, np.cumsum([part.size for pair in like for part in pair])[:-1]))
    return [(next(parts).reshape(matrix.shape), next(parts).reshape(bias.shape)) for matrix, bias in like]


def stepped(
    network: Network, weights: Weights, batch: Batch, order: Iterable[int], loss_threshold: float = 0.0
) -> NDArray[np.float64]:
    engine = FloatEngine(network, weights)
    for sample in order:
        engine.train_step(batch.x[sample], batch.y[sample], RATE, loss_threshold)
    return flat(engine.weights)


def losses(network: Network, weights: Weights, batch: Batch) -> NDArray[np.float64]:
    """Of each sample, before anything is learned."""
    engine = FloatEngine(network, weights)
    return np.array([engine.train_step(x, y, 0.0).loss for x, y in zip(batch.x, batch.y, strict=True)])


def averaged(
    network: Network, weights: Weights, batch: Batch, size: int, loss_threshold: float = 0.0
) -> NDArray[np.float64]:
    """Mini-batches, from the gradients of single samples at the same weights."""
    for first in range(0, len(batch.x), size):
        gradients = []
        for x, y in zip(batch.x[first : first + size], batch.y[first : first + size], strict=True):
            engine = FloatEngine(network, weights)
            learns = engine.train_step(x, y, 0.0).loss >= loss_threshold
            gradients.append(flat(engine.gradients) * learns)
        moved = flat(weights) - RATE * np.mean(gradients, axis=0)
        weights = in_layers(moved, weights)
    return flat(weights)


@pytest.mark.parametrize(("body", "loss"), CASES)
def test_steps_on_single_samples(body: str, loss: str) -> None:
    network = Network("net", IMAGE, BODIES[body], loss)  # type: ignore[arg-type]
    weights, batch = initial_weights(network, 3), batch_of(network, [4, 2], 5)
    start = flat(weights)
    with FloatFleet(model_of(network), 2, default_cache()) as fleet:
        found = fleet.train(fleet.start(start), ClientWork(RATE, passes=2), batch)
    for device, learned in enumerate(found.learned):
        share = batch.part(device, device + 1)
        wanted = stepped(network, weights, share, list(range(len(share.x))) * 2)
        np.testing.assert_allclose(learned, wanted - start.astype(np.float32), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("size", [2, 3, WHOLE_SET])
@pytest.mark.parametrize("body", ["dense", "same", "padded", "depthwise"])
def test_mini_batches(body: str, size: int) -> None:
    network = Network("net", IMAGE, BODIES[body])
    weights, batch = initial_weights(network, 3), batch_of(network, [5], 5)
    start = flat(weights)
    with FloatFleet(model_of(network), 1, default_cache()) as fleet:
        found = fleet.train(fleet.start(start), ClientWork(RATE, batch=size), batch)
    wanted = averaged(network, weights, batch, size or len(batch.x))
    np.testing.assert_allclose(found.learned[0], wanted - start.astype(np.float32), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
@pytest.mark.parametrize("body", ["dense", "same", "depthwise"])
def test_a11_8_samples_of_small_loss_teach_nothing(body: str, loss: str) -> None:
    network = Network("net", IMAGE, BODIES[body], loss)  # type: ignore[arg-type]
    weights, batch = initial_weights(network, 3), batch_of(network, [7], 5)
    start, found = flat(weights), losses(network, weights, batch)
    least = float(np.sort(found)[3:5].mean())  # nearest to none of them
    with FloatFleet(model_of(network), 1, default_cache()) as fleet:
        for size in (1, 3, WHOLE_SET):
            learned = fleet.train(
                fleet.start(start), ClientWork(RATE, batch=size, loss_threshold=least), batch
            ).learned[0]
            plain = fleet.train(fleet.start(start), ClientWork(RATE, batch=size), batch).learned[0]
            wanted = averaged(network, weights, batch, size or 7, least)
            np.testing.assert_allclose(learned, wanted - start.astype(np.float32), rtol=2e-3, atol=2e-5)
            assert np.abs(learned - plain).max() > 1e-3
        known = fleet.train(fleet.start(start), ClientWork(RATE, passes=2, loss_threshold=1e6), batch)
    assert not known.learned.any()
    np.testing.assert_allclose(known.loss, found.mean(), rtol=1e-4)


def test_samples_are_learned_in_replay_order() -> None:
    """Each device has its own number of samples, and so its own order."""
    network = Network("net", IMAGE, BODIES["dense"])
    weights, batch = initial_weights(network, 3), batch_of(network, [5, 2, 7], 5)
    start, work = flat(weights), ClientWork(RATE, passes=3, loss_threshold=0.3, replay_buffer_size=3)
    with FloatFleet(model_of(network), 2, default_cache()) as fleet:
        found = fleet.train(fleet.start(start), work, batch)
    for device, learned in enumerate(found.learned):
        share = batch.part(device, device + 1)
        wanted = stepped(network, weights, share, replay_order(len(share.x), 3, 3), 0.3)
        np.testing.assert_allclose(learned, wanted - start.astype(np.float32), rtol=2e-3, atol=2e-5)


def test_proximal_decay_keeps_a_fraction_of_the_way() -> None:
    network = Network("net", IMAGE, BODIES["same"])
    batch, start = batch_of(network, [3], 5), flat(initial_weights(network, 3))
    with FloatFleet(model_of(network), 1, default_cache()) as fleet:
        free, held = (
            fleet.train(fleet.start(start), ClientWork(RATE, proximal=proximal), batch).learned
            for proximal in (0.0, 2.0)
        )
    np.testing.assert_allclose(held, free * (1 - RATE * 2.0) ** 3, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    """C counts it as a place in memory."""
    network = Network("net", IMAGE, BODIES["dense"])
    batch, start = batch_of(network, [3], 5), flat(initial_weights(network, 3))
    wrong = replace(batch, y=np.array([0, label, 1]))
    with FloatFleet(model_of(network), 1, default_cache()) as fleet:
        for asked in (
            lambda: fleet.train(fleet.start(start), ClientWork(RATE), wrong),
            lambda: fleet.adapt(fleet.start(start), ClientWork(RATE), batch, wrong),
        ):
            with pytest.raises(ModelError, match="they go from 0 to 2"):
                asked()


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
def test_before_and_after_adaptation(loss: str) -> None:
    network = Network("net", IMAGE, BODIES["same"], loss)  # type: ignore[arg-type]
    weights = initial_weights(network, 3)
    support, query = batch_of(network, [4, 3], 5), batch_of(network, [6, 5], 6)
    with FloatFleet(model_of(network), 2, default_cache()) as fleet:
        evaluated = fleet.adapt(fleet.start(flat(weights)), ClientWork(RATE), support, query)
    for device in range(2):
        learnt, asked = support.part(device, device + 1), query.part(device, device + 1)
        trained = in_layers(stepped(network, weights, learnt, range(len(learnt.x))), weights)
        for found, start in ((evaluated.before, weights), (evaluated.after, trained)):
            outputs = FloatEngine(network, start).forward(asked.x)
            right = np.mean(outputs.argmax(axis=1) == asked.y) if network.classifier else None
            wanted = right if network.classifier else np.mean((outputs - asked.y) ** 2)
            np.testing.assert_allclose(found[device], wanted, rtol=1e-3)
