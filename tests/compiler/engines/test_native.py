"""The native engine: built once, each instance on its own, clear about what is missing."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from image_networks import CNN, DEPTHWISE
from random_cases import MLP, SINE, random_blob, random_sample

from jaragua_compiler import (
    CompileError,
    Dense,
    Exponents,
    LearningRate,
    NativeEngine,
    Network,
    Plan,
    ReferenceEngine,
    plan,
)
from jaragua_compiler.engines.host_build import default_cache
from jaragua_compiler.engines.native import build_library
from jaragua_compiler.quantisation.blob import pack_integers

RATE = LearningRate.from_float(0.1)


def _trained(engine: NativeEngine | ReferenceEngine, compiled: Plan, seed: int, steps: int) -> bytes:
    generator = np.random.default_rng(seed)
    engine.load(random_blob(generator, compiled))
    for _ in range(steps):
        engine.train_step(*random_sample(generator, compiled))
    return engine.blob()


def test_instances_share_no_state(engine_cache: Path) -> None:
    compiled = plan(MLP)
    generator = np.random.default_rng(4)
    engines = [NativeEngine(compiled, engine_cache) for _ in range(3)]
    references = [ReferenceEngine(compiled) for _ in range(3)]
    for pair in zip(engines, references, strict=True):
        blob = random_blob(generator, compiled)
        for engine in pair:
            engine.load(blob)
    for step in range(60):
        sample = random_sample(generator, compiled)
        for engine in (engines[step % 3], references[step % 3]):
            engine.train_step(*sample)
    assert [engine.blob() for engine in engines] == [engine.blob() for engine in references]


def test_instances_work_in_threads_of_their_own(engine_cache: Path) -> None:
    compiled = plan(SINE)
    found: dict[int, bytes] = {}

    def work(seed: int) -> None:
        found[seed] = _trained(NativeEngine(compiled, engine_cache), compiled, seed, steps=200)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {seed: _trained(ReferenceEngine(compiled), compiled, seed, steps=200) for seed in range(4)}


def test_a4_2_a_label_at_the_top_of_the_format_moves_no_weight(engine_cache: Path) -> None:
    compiled = plan(Network("two", 1, (Dense(3),)))
    exponents = Exponents((8,), (11,), 11)
    weights = np.zeros((3, 1), dtype=np.int64), np.array([2**30 - 1, 2**30 - 1, 0])
    blob = pack_integers(compiled, [weights], exponents)
    for engine in (NativeEngine(compiled, engine_cache), ReferenceEngine(compiled)):
        engine.load(blob)
        x = np.array([2000], dtype=np.int16)
        assert list(engine.forward(x)) == [32767, 32767, 0]
        result = engine.train_step(x, np.array([1], dtype=np.int16), RATE)
        assert (engine.blob(), result.correct) == (blob, False)
        engine.train_step(x, np.array([2], dtype=np.int16), RATE)
        assert engine.blob() != blob


@pytest.mark.parametrize("network", [MLP, SINE, CNN, DEPTHWISE], ids=lambda network: network.name)
def test_a_sample_may_stand_in_the_engines_own_buffer(network: Network, engine_cache: Path) -> None:
    compiled = plan(network)
    random = np.random.default_rng(5)
    blob = random_blob(random, compiled)
    engines = [NativeEngine(compiled, engine_cache) for _ in range(2)]
    own = ctypes.cast(_input_of(engines[1]), ctypes.POINTER(ctypes.c_int16))
    for engine in engines:
        engine.load(blob)
    for _ in range(20):
        x, target, rate = random_sample(random, compiled)
        expected = engines[0].train_step(x, target, rate)
        ctypes.memmove(own, x.ctypes.data, x.nbytes)
        in_place = np.ctypeslib.as_array(own, x.shape)
        assert engines[1].train_step(in_place, target, rate) == expected
        assert engines[1].blob() == engines[0].blob()


def _input_of(engine: NativeEngine) -> int:
    call = engine._library.jrg_model_input
    call.restype = ctypes.c_void_p
    return int(call())


def test_a_library_is_built_once_and_kept(tmp_path: Path) -> None:
    first = build_library(plan(SINE), tmp_path)
    built_at = first.stat().st_mtime_ns
    assert build_library(plan(SINE), tmp_path) == first
    assert first.stat().st_mtime_ns == built_at
    assert build_library(plan(MLP), tmp_path) != first
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".so", ".so"]


def test_two_processes_may_build_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from jaragua_compiler import Dense, NativeEngine, Network, plan\n"
        "NativeEngine(plan(Network('both', 3, (Dense(2),))), Path(sys.argv[1]))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".so"]


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "jaragua" / "engines"


def test_a_missing_compiler_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(CompileError, match="'no-such-compiler' is not on the PATH") as caught:
        NativeEngine(plan(SINE), tmp_path)
    assert "install" in caught.value.hint.lower()


@pytest.mark.parametrize("native", [True, False])
def test_an_engine_without_weights_says_so(native: bool, engine_cache: Path) -> None:
    engine = NativeEngine(plan(SINE), engine_cache) if native else ReferenceEngine(plan(SINE))
    x, target = np.zeros(1, np.int16), np.zeros(1, np.int16)
    for call in (engine.blob, lambda: engine.forward(x), lambda: engine.train_step(x, target, RATE)):
        with pytest.raises(CompileError, match="no weights yet"):
            call()


@pytest.mark.parametrize("native", [True, False])
def test_samples_of_another_size_or_type_are_refused(native: bool, engine_cache: Path) -> None:
    compiled = plan(MLP)
    engine = NativeEngine(compiled, engine_cache) if native else ReferenceEngine(compiled)
    engine.load(random_blob(np.random.default_rng(1), compiled))
    x, target = np.zeros(64, np.int16), np.zeros(1, np.int16)
    with pytest.raises(CompileError, match="64 inputs as int16"):
        engine.forward(np.zeros(63, np.int16))
    with pytest.raises(CompileError, match="64 inputs as int16"):
        engine.forward(np.zeros(64))
    with pytest.raises(CompileError, match="1 target numbers"):
        engine.train_step(x, np.zeros(10, np.int16), RATE)
    with pytest.raises(CompileError, match="not a learning rate"):
        engine.train_step(x, target, LearningRate(1, 1))


def test_a4_2_a_label_that_is_no_class_changes_no_weight(engine_cache: Path) -> None:
    compiled = plan(MLP)
    blob = random_blob(np.random.default_rng(1), compiled)
    for engine in (NativeEngine(compiled, engine_cache), ReferenceEngine(compiled)):
        engine.load(blob)
        for label in (-1, 10, 32767):
            assert engine.train_step(np.ones(64, np.int16), np.array([label], np.int16), RATE) == (False, 2**31 - 1)
        assert engine.blob() == blob
