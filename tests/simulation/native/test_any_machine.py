"""The C of simulations gives the same bits for every processor and compiler, and NumPy the same without any."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation import Simulation, simulate
from jaragua.simulation.clients import numpy_clients
from jaragua.simulation.clients.batched_dense import BatchedUpdates
from jaragua.simulation.clients.batched_packing import BatchedPacking
from jaragua.simulation.clients.engine import Evaluation, VirtualFleet
from jaragua.simulation.clients.float_clients import FloatFleet
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.clients.samples import Batch, joined
from jaragua.simulation.scheduling.batched_random import BatchedRandom, ScalarRandom, batched_random
from jaragua.simulation.settings import default_cache
from jaragua.strategies import WHOLE_SET, ClientWork
from jaragua_compiler import Network
from jaragua_compiler.engines.host_build import MARCH_VARIABLE
from jaragua_compiler.graph import layers
from jaragua_models import Model
from jaragua_models.random_rows import Named

SINE = jaragua_models.get("sine")
DIGITS = jaragua_models.get("digits")
#: Rows, channels and positions that fill vectors, and that leave some over.
IMAGES = Network(
    "images",
    (8, 8, 1),
    (layers.Conv2D(16, (2, 2)), layers.Conv2D(5, (3, 3), activation="relu"), layers.Flatten(), layers.Dense(10)),
)
#: Every kernel in float32.
KINDS = Network(
    "kinds",
    (8, 8, 1),
    (
        layers.Conv2D(16, (3, 3), activation="relu"),
        layers.DepthwiseConv2D((2, 2)),
        layers.MaxPool2D((2, 2)),
        layers.Conv2D(5, (2, 2), activation="tanh"),
        layers.Flatten(),
        layers.Dense(10),
    ),
)
INTEGER_MODELS = {
    "sine": SINE,
    "images": replace(DIGITS, network=IMAGES),
    "images-w8": replace(DIGITS, network=replace(IMAGES, weights="w8")),
}
FLOAT_MODELS = {"sine": SINE, "kinds": replace(DIGITS, network=KINDS)}
ONE_BY_ONE = ClientWork(0.02, passes=2)
IN_BATCHES = ClientWork(0.02, passes=2, batch=3, proximal=0.5)


def variants() -> Iterator[Any]:
    """Compiler, and the processor to build for, beside GCC's `native`, which all are compared with."""
    if platform.machine() == "x86_64":
        yield "gcc", "x86-64"
        yield pytest.param("clang", "x86-64", marks=pytest.mark.long)
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if " avx2 " in flags and " fma " in flags:
            yield "gcc", "x86-64-v3"
    yield "clang", "native"


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes]:
    """What GCC gives for this machine's processor; other tests may have built it (the cache knows the compiler)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CC", "gcc")
        patch.setenv(MARCH_VARIABLE, "native")
        return computed(default_cache())


@pytest.mark.parametrize(("compiler", "march"), list(variants()))
def test_h2_c_gives_the_same_bits_for_every_processor_and_compiler(
    compiler: str, march: str, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} IS NOT INSTALLED")
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setenv(MARCH_VARIABLE, march)
    found = computed(tmp_path)
    assert len(list(tmp_path.glob("*.so"))) >= 8, "built anew"
    assert [name for name in expected if found[name] != expected[name]] == []


def computed(cache: Path) -> dict[str, bytes]:
    """The results of all C of a simulation, by what made them."""
    found = {"rows": rows_of(BatchedRandom(cache))}
    sine = ModelCodec(SINE)
    found["start"] = BatchedPacking(sine, cache).pack(sine.initial(5))
    for name, model in INTEGER_MODELS.items():
        codec = ModelCodec(model)
        works = (ONE_BY_ONE, IN_BATCHES) if name == "sine" else (ONE_BY_ONE,)  # each takes C of its own
        with IntegerFleet(model, codec, 1, cache) as integers:
            found[f"{name} integers"] = trained(integers, codec, works)
    for name, model in FLOAT_MODELS.items():
        with FloatFleet(model, 1, cache) as floats:
            found[f"{name} float32"] = trained(floats, ModelCodec(model), (ONE_BY_ONE, IN_BATCHES))
    return found


def batch_of(model: Model, devices: int = 9) -> Batch:
    source, ways = model.tasks, model.defaults.ways
    return joined([source.train_task(f"device-{n}", n, ways, 3).support for n in range(devices)], range(devices))


def trained(fleet: VirtualFleet, codec: ModelCodec, works: Sequence[ClientWork]) -> bytes:
    """What devices learn and how they are evaluated, as bytes."""
    start, batch = fleet.start(codec.initial(5)), batch_of(codec.model)
    done = [fleet.train(start, work, batch) for work in works]
    found: list[NDArray[Any]] = [one.learned for one in done]
    found += [one.rows.squares() for one in done if isinstance(one.rows, BatchedUpdates)]
    evaluated: Evaluation = fleet.adapt(start, works[0], batch, batch)
    return b"".join(array.tobytes() for array in (*found, evaluated.before, evaluated.after))


def rows_of(rows: BatchedRandom | ScalarRandom) -> bytes:
    names = [f"device-{n}" for n in range(37)]
    seeds = rows.train_seeds(3, 9, names)
    return seeds.tobytes() + rows.unit_rows(Named(("task", 4), names, seeds, ("phase",)), 2, 5).tobytes()


# ---- without a C compiler ----


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A call that takes the compiler away."""

    def take_away() -> None:
        monkeypatch.setenv("CC", "no-such-compiler")
        batched_random.cache_clear()

    yield take_away
    batched_random.cache_clear()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strategy": "fedprox", "passes": 2},
        {"strategy": "reptile", "batch": 3, "passes": 2},
        {
            "task": "digits",
            "engine": "w8",
            "ways": 3,
            "shots": 2,
            "loss_threshold": 0.5,
            "passes": 2,
            "replay_buffer_size": 3,
        },
        {"strategy": "tinymetafed", "clients": 2},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())) or "plain",
)
def test_without_a_compiler_numpy_learns_the_same_integers(
    changes: dict[str, Any], make: Callable[..., Simulation], no_compiler: Callable[[], None], tmp_path: Path
) -> None:
    wanted = make(rounds=2, eval_tasks=2, **changes)
    in_c = simulate(wanted, workers=1)
    no_compiler()
    in_numpy = simulate(wanted, workers=1, cache=tmp_path)
    assert in_numpy.final_hash == in_c.final_hash
    assert (in_numpy.scores, in_numpy.before) == (in_c.scores, in_c.before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{}, {"strategy": "fedprox", "batch": 3, "passes": 2}])
def test_without_a_compiler_float32_comes_within_its_rounding(
    changes: dict[str, Any], make: Callable[..., Simulation], no_compiler: Callable[[], None]
) -> None:
    wanted = make(rounds=2, eval_tasks=2, engine="float32", **changes)
    in_c = simulate(wanted, workers=1)
    no_compiler()
    in_numpy = simulate(wanted, workers=1)
    np.testing.assert_allclose(in_numpy.learned, in_c.learned, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(in_numpy.scores, in_c.scores, rtol=1e-3)


def test_scalar_rows_are_the_batched_ones(tmp_path: Path) -> None:
    assert rows_of(ScalarRandom()) == rows_of(BatchedRandom(tmp_path))


def test_a_label_that_is_no_class_is_refused_in_numpy_too() -> None:
    fleet, codec, batch = numpy_clients.NumpyFloatFleet(DIGITS), ModelCodec(DIGITS), batch_of(DIGITS)
    wrong = replace(batch, y=np.where(batch.y == 1, 10, batch.y))
    with pytest.raises(Exception, match="not a class of 'digits'"):
        fleet.train(fleet.start(codec.initial(1)), ONE_BY_ONE, wrong)


def test_the_whole_set_is_one_step(make: Callable[..., Simulation]) -> None:
    assert numpy_clients._step_size(ClientWork(0.1, batch=WHOLE_SET), 7) == 7
    assert numpy_clients._step_size(ClientWork(0.1, batch=9), 7) == 7
