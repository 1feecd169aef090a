"""A round's start that is made in C is the codec's, to the byte (A2.6, A6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_batched_dense import NETWORKS, model_of

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.clients import batched_packing
from jaragua.simulation.clients.batched_packing import BatchedPacking
from jaragua.simulation.settings import default_cache
from jaragua.strategies import Vector
from jaragua_compiler import Network
from jaragua_compiler.errors import CompileError


def codec_of(network: Network) -> ModelCodec:
    return ModelCodec(model_of(network))


def vectors(codec: ModelCodec, seed: int) -> list[Vector]:
    """Random starts, and what may have become of them: shut, cancelled out, at the ends of formats, and beyond."""
    draw = np.random.default_rng(seed)
    first = codec.initial(seed)
    scaled = [first * scale for scale in (1e-12, 0.01, 0.3, 1.0, 7.3, 60.0, 1e5)]
    moved = [first + draw.normal(0, spread, len(first)) for spread in (0.001, 0.1, 2.0)]
    halves = np.floor(first * 2**12 + 0.5) / 2**12 + 0.5 / 2**12
    return [*scaled, *moved, np.zeros_like(first), np.full_like(first, -1.0), np.sign(first), halves]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a26_the_same_blob_as_the_codec(name: str, seed: int) -> None:
    codec = codec_of(NETWORKS[name])
    quick = BatchedPacking(codec, default_cache())
    for vector in vectors(codec, seed):
        assert quick.pack(vector) == codec.pack(vector)
    apart = np.repeat(codec.initial(seed), 2)[::2]  # numbers that do not stand side by side
    assert quick.pack(apart) == codec.pack(apart)


def test_what_is_in_doubt_is_left_to_the_codec(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = codec_of(NETWORKS["sine"])
    quick, asked = BatchedPacking(codec, default_cache()), []
    monkeypatch.setattr(codec, "pack", lambda vector: asked.append(vector) or b"the codec's")
    vector = codec.initial(seed)
    assert quick.pack(vector) != b"the codec's"
    assert quick.pack(np.zeros_like(vector)) == b"the codec's"
    assert len(asked) == 1


@pytest.mark.parametrize("magnitude", [0.0, 1e-10, 0.5, 1.0, 1 + 1e-12, 1 - 1e-12, 4096.0, np.inf, np.nan])
def test_doubtful_magnitudes(magnitude: float) -> None:
    assert batched_packing._is_doubtful(magnitude)


@pytest.mark.parametrize("magnitude", [1e-8, 0.75, 1.001, 1.999, 3000.0])
def test_magnitudes_without_doubt(magnitude: float) -> None:
    assert not batched_packing._is_doubtful(magnitude)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(bad: float, seed: int) -> None:
    codec = codec_of(replace(NETWORKS["numbers"], output_range=2.0))
    vector = codec.initial(seed)
    vector[7] = bad
    with pytest.raises((CompileError, ValueError, OverflowError)) as expected:
        codec.pack(vector)
    with pytest.raises(expected.type):
        BatchedPacking(codec, default_cache()).pack(vector)
