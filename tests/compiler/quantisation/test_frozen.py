"""Layers that do not learn (A10): constants of the image, less RAM, and a way back that ends where learning does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_networks import CNN
from random_cases import MLP, random_frozen

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import mismatches, run
from jaragua_compiler import CompileError, Dense, Network, Plan, ReferenceEngine, calibrate, emit, exponents, pack, plan
from jaragua_compiler.codegen.emitter import emitted_files
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.export import Choice
from jaragua_compiler.export.choice import planned
from jaragua_compiler.graph.initial_weights import Weights, initial_weights
from jaragua_compiler.quantisation.blob import unpack_integers
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_models import get


def frozen(network: Network, train: str, weights: Weights | None = None) -> Plan:
    samples = np.random.default_rng(1).uniform(-1, 1, (20, network.input_size))
    return freeze(planned(network, Choice(train=train)), weights or initial_weights(network, 1), samples)


def test_a10_1_a_frozen_row_fills_int8() -> None:
    weights = initial_weights(MLP, 1)
    compiled = frozen(MLP, "last", weights)
    constants = compiled.frozen[0]
    assert constants is not None
    for row, exponent in zip(weights[0][0], constants.channels, strict=True):
        largest = float(np.abs(row).max()) * 2.0**exponent
        assert largest <= 127.5 < 2 * largest or exponent == 15


def test_a10_1_a_large_bias_has_room_beside_tiny_weights() -> None:
    weights = [(1e-4 * weights, bias + 1000.0) for weights, bias in initial_weights(MLP, 1)]
    compiled = frozen(MLP, "last", weights)
    constants = compiled.frozen[0]
    assert constants is not None
    pairs = zip(constants.biases, constants.channels, strict=True)
    real = [bias * 2.0 ** -(fw + constants.input_exponent) for bias, fw in pairs]
    assert np.allclose(real, 1000.0)


def test_a10_5_the_weights_of_a_frozen_layer_are_not_in_the_blob() -> None:
    first, last = frozen(MLP, "last").layers
    assert (first.end_offset - first.weights_offset, last.end_offset - last.weights_offset) == (0, 10 * (2 * 32 + 4))
    assert frozen(MLP, "last").blob_bytes == 24 + 10 * (2 * 32 + 4)


@pytest.mark.parametrize("place", [0, 1])
def test_a10_5_a_blob_with_other_exponents_than_the_constants_is_refused(place: int, engine_cache: Path) -> None:
    compiled = frozen(MLP, "last")
    blob = bytearray(random_steps(compiled, 1, 1)[0].blob or b"")
    blob[compiled.exponents_offset + place] -= 1
    with pytest.raises(CompileError, match="blob: "):
        exponents(compiled, bytes(blob))
    assert NativeEngine(compiled, engine_cache).check(bytes(blob)) != 0


def test_a10_6_the_architecture_covers_the_constants(engine_cache: Path) -> None:
    weights = initial_weights(MLP, 1)
    weights[0][0][3, 5] += 0.25
    one, other = frozen(MLP, "last"), frozen(MLP, "last", weights)
    assert one.architecture != other.architecture
    blob = random_steps(other, 1, 1)[0].blob or b""
    with pytest.raises(CompileError, match="made for architecture"):
        ReferenceEngine(one).load(blob)
    assert NativeEngine(one, engine_cache).check(blob) != 0


def test_a10_5_exponents_estimated_anew_keep_those_of_the_constants() -> None:
    compiled = frozen(MLP, "last")
    weights = initial_weights(MLP, 1)
    samples = np.random.default_rng(2).uniform(-0.1, 0.1, (20, 64))
    found = calibrate(compiled, weights, samples)
    constants = compiled.frozen[0]
    assert constants is not None
    assert found.inputs[0] == constants.input_exponent
    assert unpack_integers(compiled, pack(compiled, weights, found))[0][1].tolist() == list(constants.biases)


def test_without_its_constants_a_plan_has_sizes_but_no_bits() -> None:
    layout = planned(MLP, Choice(train="last"))
    assert layout.blob_bytes == frozen(MLP, "last").blob_bytes
    for use in (lambda: layout.architecture, lambda: emitted_files(layout)):
        with pytest.raises(CompileError, match="network 'mlp' has frozen layers, and their weights are not known here"):
            use()


def test_what_cannot_be_emitted_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="not known here"):
        emit(planned(MLP, Choice(train="last")), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_network_that_learns_nothing_is_refused() -> None:
    with pytest.raises(CompileError, match="no layer in it learns"):
        Network("net", 4, (Dense(2, trainable=False),))


@pytest.mark.parametrize("name", ["omniglot", "keywords"])
def test_a10_4_each_layer_that_is_frozen_saves_ram(name: str) -> None:
    network = get(name).network
    takes = [
        compiled.blob_bytes + compiled.arena_bytes
        for first in range(len(network.weighted))
        for compiled in [planned(network, Choice(train=",".join(map(str, network.weighted[first:]))))]
    ]
    assert all(more > less for more, less in itertools.pairwise(takes))


def test_a10_4_nothing_below_the_lowest_layer_that_trains_is_kept() -> None:
    compiled = planned(CNN, Choice(train="last"))
    buffers = {place.buffer.name: place.buffer for place in compiled.memory.places}
    assert not {name for name in buffers if name.startswith(("g", "e", "column"))}
    assert [buffers[name].last for name in ("x0", "x1")] == [1, 2]
    assert "jrg_model_step0_backward" not in emitted_files(frozen(CNN, "last"))["jrg_model.c"]


def test_a10_3_frozen_weights_stay_and_the_layers_around_them_move(engine_cache: Path) -> None:
    network = Network("net", 6, (Dense(8, "relu"), Dense(8, "relu", trainable=False), Dense(3)))
    compiled = freeze(plan(network), initial_weights(network, 1), np.eye(6))
    steps = random_steps(compiled, 1, 12)
    engine = ReferenceEngine(compiled)
    before = unpack_integers(compiled, steps[0].blob or b"")
    run(engine, steps)
    moved = [bool(np.any(layer.matrix != old)) for layer, (old, _) in zip(engine.layers, before, strict=True)]
    assert moved == [True, False, True]


def test_a10_7_channels_that_do_not_train_are_not_in_the_blob_and_save_ram() -> None:
    sizes = []
    for channels in (1, 8, 16, 31):
        compiled = frozen(MLP, f"1,0:{channels}")
        first = compiled.layers[0]
        assert first.end_offset - first.weights_offset == channels * (64 + 4) + -(-channels // 4) * 4
        sizes.append(compiled.blob_bytes + compiled.arena_bytes)
    assert all(less < more for less, more in itertools.pairwise([*sizes, plan(MLP).blob_bytes + plan(MLP).arena_bytes]))


def test_a10_7_channels_that_do_not_train_stay(engine_cache: Path) -> None:
    network = Network("net", 6, (Dense(8, "relu"), Dense(8, "relu", trained_channels=3), Dense(3)))
    compiled = freeze(plan(network), initial_weights(network, 1), np.eye(6))
    steps = random_steps(compiled, 1, 18)
    engine = ReferenceEngine(compiled)
    before = unpack_integers(compiled, steps[0].blob or b"")[1][0]
    run(engine, steps)
    moved = np.any(engine.layers[1].matrix != before, axis=1)
    assert moved.tolist()[3:] == [False] * 5
    assert moved[:3].any()


def test_a10_7_a_layer_is_asked_for_channels_it_has() -> None:
    with pytest.raises(CompileError, match="layer 0: 9 of its channels are to train, it has 4"):
        Network("net", 4, (Dense(4, trained_channels=9), Dense(2)))
    with pytest.raises(CompileError, match="layer 0: its trained_channels is 0"):
        Network("net", 4, (Dense(4, trained_channels=0), Dense(2)))


@pytest.mark.board
@pytest.mark.parametrize("core", toolchain.ARM_CORES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a10_frozen_layers_give_the_same_bits_on_the_board(seed: int, core: str) -> None:
    generator = np.random.default_rng(seed)
    layers = (*CNN.layers[:-1], Dense(21, "relu"), Dense(9, "tanh"), Dense(4))
    compiled = random_frozen(generator, replace(CNN, layers=layers))
    assert any(layer.frozen_rows and layer.has_backward for layer in compiled.layers)
    steps = random_steps(compiled, seed, 30)
    outcomes = [outcome for _, outcome in board.run(compiled, steps, core=core, counted=False)]
    found = mismatches(compiled, run(ReferenceEngine(compiled), steps), outcomes)
    assert not found, f"seed {seed}, network {compiled.network}: {found[0]}"
