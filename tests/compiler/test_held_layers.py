"""R35.2: layers that lie in the blob and do not learn; reference and generated C agree."""

from __future__ import annotations

import numpy as np
import pytest

from jaragua_compiler import NativeEngine, ReferenceEngine, calibrate, initial_weights, pack, plan
from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.network import Conv2D, Dense, Flatten, Network
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs, unpack_integers
from jaragua_compiler.quantisation.rate import LearningRate

RATE = LearningRate.from_float(0.1)
IMAGES = Network("held", (6, 6, 1), (Conv2D(4, (3, 3)), Flatten(), Dense(8, "relu"), Dense(3)))
ROWS = Network("rows", 5, (Dense(7, "relu"), Dense(3)))


@pytest.mark.parametrize(
    ("whole", "weights", "batch"), [(ROWS, "w16", 1), (ROWS, "w8", 3), (IMAGES, "w16", 3), (IMAGES, "w8", 1)]
)
def test_r35_2_the_last_layer_alone_moves_and_every_engine_agrees(whole: Network, weights: str, batch: int) -> None:
    whole = Network(whole.name, whole.inputs, whole.layers, weights=weights)  # type: ignore[arg-type]
    random = np.random.default_rng(3)
    samples = random.normal(size=(9, whole.input_size))
    start = initial_weights(whole, 1)
    full, held = plan(whole, batch > 1), plan(whole.training_head(), batch > 1)
    blobs = [pack(one, start, calibrate(one, start, samples)) for one in (full, held)]
    assert blobs[0][:8] + blobs[0][16:] == blobs[1][:8] + blobs[1][16:]
    assert full.architecture != held.architecture
    assert held.arena_bytes < full.arena_bytes
    inputs = quantise_inputs(held, exponents(held, blobs[1]), samples)
    results = []
    for engine in (ReferenceEngine(held), NativeEngine(held)):
        engine.load(blobs[1])
        engine.set_seed(7)
        engine.set_accumulation(batch)
        steps = [engine.train_step(x, np.array([place % 3], np.int16), RATE) for place, x in enumerate(inputs)]
        engine.apply()
        results.append((steps, engine.blob()))
    assert results[0] == results[1]
    *before, last_before = unpack_integers(held, blobs[1])
    *after, last_after = unpack_integers(held, results[0][1])
    for was, now in zip(before, after, strict=True):
        assert all(map(np.array_equal, was, now))
    assert not np.array_equal(last_before[0], last_after[0])


def test_r35_1_a_network_with_one_layer_of_weights_has_none_to_hold() -> None:
    with pytest.raises(CompileError, match="one layer with weights"):
        Network("one", 5, (Dense(3),)).training_head()
