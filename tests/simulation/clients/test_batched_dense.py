"""Devices that go in step learn the same bits as devices one by one (A3 to A5), with AVX-512 and without."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation import Simulation, device_names, simulate
from jaragua.simulation.clients import integer_clients
from jaragua.simulation.clients.batched_dense import (
    WORTH_LANES,
    BatchedDense,
    BatchedRows,
    BatchedUpdates,
    lanes_can,
    lanes_fit,
)
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.clients.samples import Batch, joined
from jaragua.simulation.settings import default_cache
from jaragua.strategies import ClientWork, Vector
from jaragua.strategies.aggregation import UpdateRows, row_lengths
from jaragua.strategies.vectors import flat
from jaragua_compiler import Conv2D, Dense, Flatten, Network, initial_weights, plan
from jaragua_compiler.errors import CompileError
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs, quantise_targets
from jaragua_compiler.reference.engine import ReferenceEngine
from jaragua_models import Model, Samples
from long_form import paired

DIGITS = jaragua_models.get("digits")
NETWORKS = {
    "sine": jaragua_models.get("sine").network,
    "digits": DIGITS.network,
    "odd": Network("odd", 5, (Dense(7, "relu"), Dense(3, "linear"), Dense(9, "relu"), Dense(3))),
    "numbers": Network("numbers", 3, (Dense(11, "relu"), Dense(5, "linear")), "mean_squared_error", output_range=4.0),
    "one layer": Network("one", 6, (Dense(4),)),
    "wide": Network("wide", 256, (Dense(256, "relu"), Dense(64, "relu"), Dense(2))),
}

#: What the processor can do, and less of it.
FLAGS = ["", "-DJRG_LANES_PORTABLE"]
if platform.machine() == "x86_64":
    FLAGS += ["-mno-avx512vnni", "-mno-avx512bw", "-mno-avx512f", "-mno-avx"]


class Inputs:
    """A task source that only calibrates."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs

    def calibration(self) -> Any:
        return np.random.default_rng(1).uniform(-1, 1, (50, self._inputs)).astype(np.float32)


def drawn(codec: ModelCodec, seed: int) -> Vector:
    """Weights of which none is 0: a classifier without hidden layers would begin there (A2.7)."""
    return flat(initial_weights(codec.model.network, seed))


def model_of(network: Network) -> Model:
    metric: Any = "accuracy" if network.classifier else "mse"
    return replace(DIGITS, network=network, tasks=Inputs(network.input_size), metric=metric)  # type: ignore[arg-type]


def batch_of(network: Network, devices: int, samples: int, seed: int) -> Batch:
    draw = np.random.default_rng(seed)
    tasks = []
    for _ in range(devices):
        x = draw.uniform(-1.5, 1.5, (samples, network.input_size)).astype(np.float32)
        labels = draw.integers(0, network.outputs, samples)
        numbers = draw.uniform(-4, 4, (samples, network.outputs)).astype(np.float32)
        tasks.append(Samples(x, labels if network.classifier else numbers))
    return joined(tasks, range(devices))


@pytest.mark.parametrize(("name", "flags"), paired(NETWORKS, FLAGS, 0))
def test_the_same_bits_as_one_by_one(name: str, flags: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS[name]
    model = model_of(network)
    with IntegerFleet(model, ModelCodec(model), 1, default_cache()) as fleet:
        fleet._lanes = BatchedDense(plan(network), default_cache(), tuple(flags.split()))
        start = fleet.start(drawn(ModelCodec(model), seed))
        for devices, rate, passes in ((WORTH_LANES, 0.02, 2), (33, 0.9, 1), (40, 1e-4, 1)):
            batch, work = batch_of(network, devices, 6, seed), ClientWork(rate, passes=passes)
            quick = fleet.train(start, work, batch)
            with monkeypatch.context() as patched:
                patched.setattr(integer_clients, "lanes_can", lambda *_: False)
                slow = fleet.train(start, work, batch)
            np.testing.assert_array_equal(quick.learned, slow.learned)
            assert quick.learned.any() or rate < 0.01  # so small a rate may round to no step at all
            assert quick.loss == slow.loss


@pytest.mark.parametrize(("name", "flags"), paired(NETWORKS, FLAGS, 1))
def test_a11_8_a_lane_passes_a_sample_over_beside_others_that_learn(
    name: str, flags: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, devices = NETWORKS[name], 33
    model = model_of(network)
    with IntegerFleet(model, ModelCodec(model), 1, default_cache()) as fleet:
        fleet._lanes = BatchedDense(plan(network), default_cache(), tuple(flags.split()))
        start = fleet.start(drawn(ModelCodec(model), seed))
        first = batch_of(network, devices, 1, seed)
        losses = np.array([fleet.train(start, ClientWork(0.02), first.part(n, n + 1)).loss for n in range(devices)])
        least = float(np.median(losses))
        once = fleet.train(start, ClientWork(0.02, loss_threshold=least), first)
        assert 0 < np.count_nonzero(losses < least) < devices
        np.testing.assert_array_equal(once.learned.any(axis=1), losses >= least)
        np.testing.assert_allclose(once.loss, losses.mean())
        np.testing.assert_array_equal(fleet.train(start, ClientWork(0.02, loss_threshold=1e6), first).learned, 0)
        batch, work = (
            batch_of(network, devices, 6, seed),
            ClientWork(0.02, passes=3, loss_threshold=least, replay_buffer_size=2),
        )
        quick = fleet.train(start, work, batch)
        assert isinstance(quick.rows, BatchedUpdates)
        monkeypatch.setattr(integer_clients, "lanes_can", lambda *_: False)
        slow = fleet.train(start, work, batch)
        np.testing.assert_array_equal(quick.learned, slow.learned)
        assert quick.loss == slow.loss


@pytest.mark.parametrize(("name", "flags"), paired(NETWORKS, FLAGS, 2))
def test_r5_the_mean_in_c_is_that_of_the_matrix(name: str, flags: str, seed: int) -> None:
    """To the bit, of full groups of lanes and others: each row is rounded, and rows are added in their order."""
    network = NETWORKS[name]
    model = model_of(network)
    codec = ModelCodec(model)
    with IntegerFleet(model, codec, 1, default_cache()) as fleet:
        fleet._lanes = BatchedDense(plan(network), default_cache(), tuple(flags.split()))
        start = fleet.start(drawn(codec, seed))
        for devices in (WORTH_LANES, 33, 64):
            trained = fleet.train(start, ClientWork(0.02), batch_of(network, devices, 3, seed))
            assert isinstance(trained.rows, BatchedUpdates)
            for vector in (drawn(codec, seed), np.random.default_rng(seed).normal(0, 1e3, len(drawn(codec, seed)))):
                moved = trained.rows.onto(vector)
                np.testing.assert_array_equal(moved.matrix, trained.learned + vector)
                np.testing.assert_array_equal(moved.mean, np.mean(trained.learned + vector, axis=0))


@pytest.mark.parametrize(("name", "flags"), paired(NETWORKS, FLAGS, 3))
def test_r17_the_lengths_in_c_bound_those_of_the_matrix(name: str, flags: str, seed: int) -> None:
    """Closely, and so that who is left out does not depend on whether there is a matrix."""
    network = NETWORKS[name]
    model = model_of(network)
    codec = ModelCodec(model)
    with IntegerFleet(model, codec, 1, default_cache()) as fleet:
        fleet._lanes = BatchedDense(plan(network), default_cache(), tuple(flags.split()))
        vector = drawn(codec, seed)
        start = fleet.start(vector)
        for devices in (WORTH_LANES, 33, 64):
            rows = fleet.train(start, ClientWork(0.02), batch_of(network, devices, 3, seed)).rows
            assert isinstance(rows, BatchedUpdates)
            np.testing.assert_allclose(rows.squares(), (rows.matrix() ** 2).sum(axis=1), rtol=1e-12)
            for onto in (vector, 1e9 * vector):
                moved, names = rows.onto(onto), [f"d{number}" for number in range(devices)]
                lengths, bounds = row_lengths(moved.matrix, onto), moved.lengths_at_most(onto.copy())
                assert (lengths <= bounds).all()
                np.testing.assert_allclose(bounds, lengths, rtol=1e-9, atol=1e-9 * float(np.linalg.norm(onto)))
                updates, longest = UpdateRows(names, moved, [1] * devices), lengths.max()
                assert not updates.surely_within(onto, np.nextafter(longest, 0))
                assert updates.surely_within(onto, 2 * bounds.max())


def test_r17_no_bound_is_known_of_another_start_or_one_that_is_not_finite(seed: int) -> None:
    model = model_of(NETWORKS["sine"])
    codec = ModelCodec(model)
    vector = drawn(codec, seed)
    with IntegerFleet(model, codec, 1, default_cache()) as fleet:
        batch = batch_of(NETWORKS["sine"], WORTH_LANES, 3, seed)
        rows = fleet.train(fleet.start(vector), ClientWork(0.02), batch).rows
        assert isinstance(rows, BatchedUpdates)
        endless, broken = np.full(len(vector), np.inf), np.full(len(vector), np.nan)
        for origin, onto in ((vector, vector + 1), (endless, endless), (broken, broken)):
            moved = UpdateRows(["d"] * WORTH_LANES, rows.onto(onto), [1] * WORTH_LANES)
            assert not moved.surely_within(origin, float(np.finfo(np.float64).max))


def test_r17_a_round_of_believed_updates_makes_no_matrix(
    make: Callable[..., Simulation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulated round of TinyReptile wants a mean, and checks all lengths."""
    made = list[int]()
    matrix = BatchedDense.matrix

    def counted(lanes: BatchedDense, learned: BatchedUpdates) -> Vector:
        made.append(learned.devices)
        return matrix(lanes, learned)

    wanted = make(clients=20, devices=device_names(20), rounds=2, eval_tasks=2)
    with monkeypatch.context() as patched:
        patched.setattr(BatchedDense, "matrix", counted)
        without = simulate(wanted, workers=1)
        assert made == []
        patched.setattr(BatchedRows, "lengths_at_most", lambda moved, origin: np.full(20, np.inf))
        with_matrix = simulate(wanted, workers=1)
        assert made == [20, 20]
    assert without.final_hash == with_matrix.final_hash
    assert without.excluded == with_matrix.excluded == 0


def test_what_was_learned_stays_while_others_learn(seed: int) -> None:
    """Memory is used again when nobody can ask what is in it, and not before."""
    model = model_of(NETWORKS["sine"])
    codec = ModelCodec(model)
    with IntegerFleet(model, codec, 1, default_cache()) as fleet:
        start = fleet.start(drawn(codec, seed))
        batches = [batch_of(NETWORKS["sine"], devices, 4, seed + devices) for devices in (40, 20, 20)]
        kept = [fleet.train(start, ClientWork(0.02), batch).rows for batch in batches]
        rows = [found.matrix() for found in kept if isinstance(found, BatchedUpdates)]
        place = kept.pop().room.structure.weights  # type: ignore[union-attr]
        again = fleet.train(start, ClientWork(0.02), batches[2]).rows
        assert isinstance(again, BatchedUpdates)
        assert again.room.structure.weights == place
        for found, wanted in zip([*kept, again], rows, strict=True):
            assert isinstance(found, BatchedUpdates)
            np.testing.assert_array_equal(found.matrix(), wanted)


@pytest.mark.parametrize("flags", FLAGS)
def test_a51_the_smallest_errors(flags: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of -1 has no magnitude bits, and nothing is learned from it."""
    model = model_of(replace(NETWORKS["sine"], weights="w16"))
    codec = ModelCodec(model)
    with IntegerFleet(model, codec, 1, default_cache()) as fleet:
        fleet._lanes = BatchedDense(codec.plan, default_cache(), tuple(flags.split()))
        start = fleet.start(drawn(codec, seed))
        scale = exponents(codec.plan, start)
        engine = ReferenceEngine(codec.plan)
        engine.load(start)
        x = np.full((9, 1), 0.25, np.float32)
        output = int(engine.forward(quantise_inputs(codec.plan, scale, x[:1])[0])[0])
        y = ((output - np.arange(-4, 5)) * 2.0**-scale.output).astype(np.float32).reshape(-1, 1)
        batch = joined([Samples(x[n : n + 1], y[n : n + 1]) for n in range(9)], range(9))
        quick = fleet.train(start, ClientWork(0.9), batch)
        monkeypatch.setattr(integer_clients, "lanes_can", lambda *_: False)
        np.testing.assert_array_equal(quick.learned, fleet.train(start, ClientWork(0.9), batch).learned)
        assert [bool(row.any()) for row in quick.learned] == [True] * 3 + [False] * 2 + [True] * 4


@pytest.mark.parametrize("flags", FLAGS)
def test_a22_samples_are_quantised_as_the_compiler_does(flags: str, seed: int) -> None:
    """Halves, ends of the format and what lies beyond among them."""
    model = model_of(NETWORKS["numbers"])
    codec = ModelCodec(model)
    with IntegerFleet(model, codec, 1, default_cache()) as fleet:
        lanes = BatchedDense(codec.plan, default_cache(), tuple(flags.split()))
        found = exponents(codec.plan, fleet.start(drawn(codec, seed)))
        most = 2.0 ** (15 - found.output)
        batch = batch_of(NETWORKS["numbers"], 9, 7, seed)
        batch.x[:8, 0] = (1e30, -1e30, 0.0, -0.0, 0.5**10, -(0.5**15), 1.0, -1.0)
        batch.y[:6, 0] = (most, -most, 0.5**13, -(0.5**13), 0.0, -0.0)
        inputs, targets = fleet._quantised_in_c(lanes, found, batch)
        np.testing.assert_array_equal(inputs, quantise_inputs(codec.plan, found, batch.x))
        np.testing.assert_array_equal(targets, quantise_targets(codec.plan, found, batch.y))
        assert lanes.quantised(batch.x.astype(np.float64), 10, 14, 1e9) is None
        for x, y in ((np.nan, 0.0), (np.inf, 0.0), (0.0, np.nan), (0.0, 1.001 * most)):
            bad = batch_of(NETWORKS["numbers"], 9, 7, seed)
            bad.x[3, 1], bad.y[4, 1] = x, y
            with pytest.raises(CompileError):
                fleet._quantised_in_c(lanes, found, bad)


def test_several_threads_learn_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are groups of devices, fewer, and more than there can be."""
    model, batch = model_of(NETWORKS["sine"]), batch_of(NETWORKS["sine"], 50, 8, seed)
    codec = ModelCodec(model)
    found = []
    for worth, threads in ((10**9, 2), (1, 2), (1, 4), (1, 1000)):
        monkeypatch.setattr(integer_clients, "_WORTH_A_THREAD_IN_STEP", worth)
        with IntegerFleet(model, codec, 1, default_cache()) as fleet:
            fleet._count = threads
            assert fleet._threads_for(batch, 1, worth) == (threads if worth == 1 else 1)
            for _ in range(2):  # the second time in memory that was used
                found.append(fleet.train(fleet.start(drawn(codec, seed)), ClientWork(0.02), batch))
    for other in found[1:]:
        np.testing.assert_array_equal(other.learned, found[0].learned)
        assert other.loss == found[0].loss


def test_what_does_not_go_in_step() -> None:
    even = np.full(20, 8)
    assert lanes_can(ClientWork(0.1), even)
    assert not lanes_can(ClientWork(0.1), even[: WORTH_LANES - 1])
    assert not lanes_can(ClientWork(0.1), np.arange(1, 21))
    assert not lanes_can(ClientWork(0.1, batch=4), even)
    assert not lanes_can(ClientWork(0.1, proximal=1.0), even)


def test_what_networks_do_not_go_in_step() -> None:
    assert lanes_fit(plan(NETWORKS["sine"]))
    assert not lanes_fit(plan(replace(NETWORKS["sine"], weights="w8")))
    assert not lanes_fit(plan(Network("c", (8, 8, 1), (Conv2D(2), Flatten(), Dense(2)))))
    assert not lanes_fit(plan(Network("w", 300, (Dense(2),))))
    assert not lanes_fit(plan(Network("s", 65, (Dense(2),))))  # sums of 64 bits (A2.4)


def test_the_c_is_built_once_for_all_networks(tmp_path: Path) -> None:
    for name in ("sine", "digits"):
        BatchedDense(plan(NETWORKS[name]), tmp_path)
    assert len(list(tmp_path.glob("*.so"))) == 1
