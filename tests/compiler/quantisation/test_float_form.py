"""M9: the float32 form of weights, there and back."""

from __future__ import annotations

import numpy as np
import pytest

import jaragua_models
from jaragua_compiler import CompileError, initial_weights, plan
from jaragua_compiler.floating.form import float_bytes, pack_floats, unpack_floats

NAMES = ("digits", "sine", "omniglot-cnn")


@pytest.mark.parametrize("name", NAMES)
def test_m9_every_weight_comes_back_rounded_to_float32(name: str) -> None:
    network = jaragua_models.get(name).network
    layout, weights = plan(network), initial_weights(network, 5)
    packed = pack_floats(layout, weights)
    assert len(packed) == float_bytes(layout) == 4 * sum(w.size + b.size for w, b in weights)
    for before, after in zip(weights, unpack_floats(layout, packed), strict=True):
        for one, other in zip(before, after, strict=True):
            assert one.shape == other.shape
            assert np.array_equal(one.astype(np.float32), other)


def test_m9_layers_follow_each_other_weights_first_little_endian() -> None:
    network = jaragua_models.get("digits").network
    layout, weights = plan(network), initial_weights(network, 5)
    flat = np.concatenate([part.ravel() for pair in weights for part in pair])
    assert np.array_equal(np.frombuffer(pack_floats(layout, weights), "<f4"), flat.astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39])
def test_m9_what_is_not_finite_in_float32_is_refused(bad: float) -> None:
    network = jaragua_models.get("sine").network
    layout, weights = plan(network), initial_weights(network, 5)
    weights[0][1][0] = bad
    with pytest.raises(CompileError, match="finite"):
        pack_floats(layout, weights)


def test_m9_a_wrong_length_and_wrong_shapes_are_refused() -> None:
    network = jaragua_models.get("sine").network
    layout, weights = plan(network), initial_weights(network, 5)
    with pytest.raises(CompileError, match="bytes"):
        unpack_floats(layout, pack_floats(layout, weights)[:-4])
    with pytest.raises(CompileError, match="shapes"):
        pack_floats(layout, weights[:-1])
