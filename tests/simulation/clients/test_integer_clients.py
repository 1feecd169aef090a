"""The C of a whole client task does what the engine does step by step (A5.8), mini-batches and FedProx included."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.clients.layout import regions, units
from jaragua.simulation.clients.samples import Batch, joined
from jaragua.simulation.settings import default_cache
from jaragua.strategies import WHOLE_SET, ClientWork
from jaragua_compiler import (
    Conv2D,
    Dense,
    Flatten,
    LearningRate,
    NativeEngine,
    Network,
    plan,
    quantise_error_clip,
    quantise_inputs,
    quantise_loss_threshold,
    quantise_targets,
    unpack,
)
from jaragua_compiler.engine_protocol import StepLimits
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.quantisation.blob import exponents, pack_integers, unpack_integers
from jaragua_models import Samples

RATE = 0.02
IntegerWeights = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


DIGITS = jaragua_models.get("digits")
IMAGES = Network("images", (8, 8, 1), (Conv2D(4, (3, 3), (2, 2), activation="relu"), Flatten(), Dense(10)))
#: Numbers of channels, positions and weights that fill the vectors of jrg_nn's *_avx2.h, and that do not.
CHANNELS = Network(
    "channels",
    (8, 8, 1),
    (Conv2D(16, (2, 2)), Conv2D(17, (3, 3), (2, 2), activation="relu"), Conv2D(3, (3, 3)), Flatten(), Dense(10)),
)
MODELS = {
    "sine": jaragua_models.get("sine"),
    "digits": DIGITS,
    "digits-w8": replace(DIGITS, network=replace(DIGITS.network, weights="w8")),
    "images": replace(DIGITS, network=IMAGES),
    "images-w8": replace(DIGITS, network=replace(IMAGES, weights="w8")),
    "channels": replace(DIGITS, network=CHANNELS),
    "channels-w8": replace(DIGITS, network=replace(CHANNELS, weights="w8")),
}


class Bench:
    """One model with its virtual devices and, beside them, the engine that a Pi client runs."""

    def __init__(self, name: str) -> None:
        self.model = MODELS[name]
        self.codec = ModelCodec(self.model)
        self.plan = self.codec.plan
        self.engine = NativeEngine(self.plan)
        self.blob = self.codec.pack(self.codec.initial(5))
        self.fleet = IntegerFleet(self.model, self.codec, 2, default_cache())

    def batch(self, devices: int, shots: int) -> Batch:
        source, ways = self.model.tasks, self.model.defaults.ways
        tasks = [source.train_task(f"device-{one}", one, ways, shots).support for one in range(devices)]
        return joined(tasks, range(devices))

    def stepped(self, blob: bytes, batch: Batch, order: Iterable[int], loss_threshold: float = 0.0) -> bytes:
        """The engine's blob after one step on each of these samples, in this order."""
        found = exponents(self.plan, blob)
        self.engine.set_limits(StepLimits(quantise_loss_threshold(self.plan, found, loss_threshold)))
        self.engine.load(blob)
        self.engine.set_seed(int(batch.seeds[0]))
        self.trained(batch, order)
        return self.engine.blob()

    def trained(self, batch: Batch, order: Iterable[int] | None = None) -> None:
        """The engine takes a step on each of these samples: in this order, or once each in theirs."""
        found, rate = exponents(self.plan, self.blob), LearningRate.from_float(RATE)
        x, y = quantise_inputs(self.plan, found, batch.x), quantise_targets(self.plan, found, batch.y)
        for sample in range(len(x)) if order is None else order:
            self.engine.train_step(x[sample], y[sample], rate)

    def losses(self, batch: Batch) -> NDArray[np.float64]:
        """Of each sample, before anything is learned."""
        alone = [Batch(batch.x[n : n + 1], batch.y[n : n + 1], np.array([1]), batch.seeds) for n in range(len(batch.x))]
        return np.array([self.fleet.train(self.blob, ClientWork(RATE), one).loss for one in alone])

    def learned(self, work: ClientWork, batch: Batch) -> NDArray[np.float64]:
        return self.fleet.train(self.blob, work, batch).learned

    def moved(self, blob: bytes) -> NDArray[np.float64]:
        """How far a blob is from the start, after `jaragua_compiler.unpack`."""
        pairs = zip(unpack(self.plan, blob), unpack(self.plan, self.blob), strict=True)
        return np.concatenate([(a - b).ravel() for new, old in pairs for a, b in zip(new, old, strict=True)])

    def integers(self, blob: bytes) -> IntegerWeights:
        return [(np.array(weights), np.array(biases)) for weights, biases in unpack_integers(self.plan, blob)]

    def packed(self, weights: IntegerWeights) -> bytes:
        return pack_integers(self.plan, weights, exponents(self.plan, self.blob))


def of_models() -> Iterator[Any]:
    """Small images are left to the long form: the channels have all that they have."""
    for name in MODELS:
        yield pytest.param(name, marks=pytest.mark.long if name.startswith("images") else ())


@pytest.fixture(scope="module", params=of_models())
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Tests set what an engine keeps: weights, seed, limits."""
    made = Bench(request.param)
    with made.fleet:
        yield made


def test_one_step_a_sample_is_what_the_engine_does(bench: Bench) -> None:
    batch = bench.batch(3, 4)
    learned = bench.learned(ClientWork(RATE, passes=2), batch)
    for device, row in enumerate(learned):
        share = batch.part(device, device + 1)
        order = list(range(len(share.x))) * 2
        np.testing.assert_array_equal(row, bench.moved(bench.stepped(bench.blob, share, order)))


@pytest.mark.parametrize("replay_buffer_size", [0, 1, 3])
def test_a11_8_devices_pass_over_and_visit_samples_as_the_engine_does(bench: Bench, replay_buffer_size: int) -> None:
    """Devices of several counts of samples; in a round and to adapt, the steps are the same."""
    tasks = [bench.batch(1, shots) for shots in (4, 2, 3)]
    batch = joined([Samples(one.x, one.y) for one in tasks], range(3))
    least = float(np.median(bench.losses(batch)))
    work = ClientWork(RATE, passes=3, loss_threshold=least, replay_buffer_size=replay_buffer_size)
    found = bench.learned(work, batch)
    assert (found != bench.learned(ClientWork(RATE, passes=3, replay_buffer_size=replay_buffer_size), batch)).any()
    blobs = []
    for device, row in enumerate(found):
        share = batch.part(device, device + 1)
        blobs.append(bench.stepped(bench.blob, share, replay_order(len(share.x), 3, replay_buffer_size), least))
        np.testing.assert_array_equal(row, bench.moved(blobs[-1]))
    adapted = bench.fleet.adapt(bench.blob, work, batch, batch)
    for device, blob in enumerate(blobs):
        share = batch.part(device, device + 1)
        again = bench.fleet.adapt(blob, ClientWork(RATE), share, share)
        assert adapted.after[device] == again.before[0]


@pytest.mark.parametrize("largest", [1e-9, 0.1, 1e9])
def test_a11_7_devices_cut_the_output_error_as_the_engine_does(bench: Bench, largest: float) -> None:
    """A clip that no error reaches changes nothing; a smaller one changes what is learned."""
    batch = bench.batch(1, 4)
    found = bench.learned(ClientWork(RATE, error_clip=largest), batch)
    bench.engine.set_limits(
        StepLimits(clip=quantise_error_clip(bench.plan, exponents(bench.plan, bench.blob), largest))
    )
    bench.engine.load(bench.blob)
    bench.engine.set_seed(int(batch.seeds[0]))
    bench.trained(batch)
    np.testing.assert_array_equal(found[0], bench.moved(bench.engine.blob()))
    assert (found == bench.learned(ClientWork(RATE), batch)).all() == (largest == 1e9)


def test_a_loss_threshold_beyond_all_losses_lets_nothing_be_learned(bench: Bench) -> None:
    assert not bench.learned(ClientWork(RATE, loss_threshold=1.7e308), bench.batch(2, 3)).any()


def test_a_memory_changes_no_single_pass(bench: Bench) -> None:
    batch = bench.batch(2, 3)
    held, plain = (
        bench.fleet.train(bench.blob, ClientWork(RATE, replay_buffer_size=replay_buffer_size), batch)
        for replay_buffer_size in (2, 0)
    )
    np.testing.assert_array_equal(held.learned, plain.learned)
    assert held.loss == plain.loss


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("picks", [False, True])
def test_a11_1_a_mini_batch_is_what_the_engine_makes_of_it(bench: Bench, size: int, picks: bool) -> None:
    """Passes that a step's size does not divide end with a step of the rest, and the dither begins anew (A8.5).

    picks: samples of small loss are passed over (A11.8), and count in the mean.
    """
    batch = bench.batch(1, 4)
    least = float(np.median(bench.losses(batch))) if picks else 0.0
    engine = NativeEngine(plan(bench.model.network, accumulate=True))
    found, rate = exponents(bench.plan, bench.blob), LearningRate.from_float(RATE)
    x, y = quantise_inputs(bench.plan, found, batch.x), quantise_targets(bench.plan, found, batch.y)
    engine.load(bench.blob)
    engine.set_accumulation(size)
    engine.set_limits(StepLimits(quantise_loss_threshold(bench.plan, found, least)))
    for number in range(2):
        if number == 0 or len(x) % size:
            engine.set_seed(int(batch.seeds[0]) + number)
        for sample, target in zip(x, y, strict=True):
            engine.train_step(sample, target, rate)
        engine.apply()
    learned = bench.learned(ClientWork(RATE, passes=2, batch=size, loss_threshold=least), batch)[0]
    np.testing.assert_array_equal(learned, bench.moved(engine.blob()))


def test_the_whole_set_as_one_batch(bench: Bench) -> None:
    batch = bench.batch(2, 3)
    whole = bench.learned(ClientWork(RATE, batch=WHOLE_SET), batch)
    np.testing.assert_array_equal(whole, bench.learned(ClientWork(RATE, batch=len(batch.x) // 2), batch))
    np.testing.assert_array_equal(whole, bench.learned(ClientWork(RATE, batch=10_000), batch))


def test_proximal_decay_keeps_a_fraction_of_the_way(bench: Bench) -> None:
    """FedProx: w ← start + (1 - η μ)^n (w - start), rounded half up, in Q15."""
    batch, work = bench.batch(1, 4), ClientWork(RATE, proximal=3.0)
    trained = bench.integers(bench.stepped(bench.blob, batch, list(range(len(batch.x)))))
    kept = work.proximal_decay(len(batch.x))
    assert kept == round(32768 * (1 - RATE * 3.0) ** len(batch.x))
    decayed = [
        tuple(old + (((new - old) * kept + (1 << 14)) >> 15) for new, old in zip(after, before, strict=True))
        for after, before in zip(trained, bench.integers(bench.blob), strict=True)
    ]
    blob = bench.packed([(weights, biases) for weights, biases in decayed])
    np.testing.assert_array_equal(bench.learned(work, batch)[0], bench.moved(blob))


def test_adaptation_is_evaluated_before_and_after(bench: Bench) -> None:
    defaults = bench.model.defaults
    task = bench.model.tasks.held_out_task(1, defaults.ways, 4, 20)
    support, query = joined([task.support], [1]), joined([task.query], [1])
    evaluated = bench.fleet.adapt(bench.blob, ClientWork(RATE), support, query)
    before = bench.fleet.adapt(bench.blob, ClientWork(2**-32), query, query)
    assert evaluated.before == before.before
    if bench.model.metric == "accuracy":
        trained = bench.stepped(bench.blob, support, list(range(len(support.x))))
        bench.engine.load(trained)
        found = exponents(bench.plan, trained)
        x, y = quantise_inputs(bench.plan, found, query.x), quantise_targets(bench.plan, found, query.y)
        right = [bench.engine.evaluate(a, b).correct for a, b in zip(x, y, strict=True)]
        assert evaluated.after == [np.mean(right)]


def test_a_vector_has_a_number_for_every_weight_and_bias(bench: Bench) -> None:
    rows = sum(region.rows * region.row_used for region in regions(bench.plan))
    assert rows == len(bench.codec.initial(1))
    found = exponents(bench.plan, bench.blob)
    assert len(units(bench.plan, found)) == sum(region.rows for region in regions(bench.plan))


@pytest.mark.parametrize("bench", ["digits"], indirect=True)
def test_the_c_is_built_once_for_equal_sources(bench: Bench, tmp_path: Path) -> None:
    """The library of the bench's fleet, in a cache that nobody else fills meanwhile, serves a second fleet."""
    for path in default_cache().glob("*.so"):
        shutil.copy2(path, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with IntegerFleet(bench.model, bench.codec, 1, tmp_path):
        assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.so")} == before
