"""Between vectors and blobs (A6), and what rounding does to learning (R5)."""

from __future__ import annotations

import numpy as np
import pytest

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.models import model_named
from jaragua_compiler import exponents
from jaragua_compiler.errors import CompileError


@pytest.fixture(scope="module")
def codec() -> ModelCodec:
    return ModelCodec(jaragua_models.get("digits"))


def test_a_blob_has_the_length_of_the_plan(codec: ModelCodec) -> None:
    assert len(codec.pack(codec.initial(1))) == codec.blob_bytes


def test_the_start_of_a_run_is_drawn_from_its_seed(codec: ModelCodec) -> None:
    np.testing.assert_array_equal(codec.initial(1), codec.initial(1))
    assert (codec.initial(1) != codec.initial(2)).any()


def test_a_device_that_learned_nothing_moves_nothing(codec: ModelCodec) -> None:
    """R5: though its weights are not the float64 ones it was sent."""
    start = codec.initial(1)
    base = codec.pack(start)
    np.testing.assert_array_equal(codec.trained(start, base, base), start)


def test_steps_smaller_than_the_devices_format_add_up(codec: ModelCodec) -> None:
    """R5: two hundred outer steps of a hundredth of a unit move a weight by two units."""
    vector = codec.initial(1)
    start = vector.copy()
    unit = 2.0 ** -exponents(codec._plan, codec.pack(vector)).weights[0]
    for _ in range(200):
        base = codec.pack(vector)
        vector = vector + 0.01 * (codec.trained(vector, base, _one_unit_up(codec, base)) - vector)
    assert vector[0] - start[0] == pytest.approx(2 * unit)
    np.testing.assert_array_equal(vector[1:], start[1:])


def _one_unit_up(codec: ModelCodec, blob: bytes) -> bytes:
    """What a device returns that learned one unit of its first weight."""
    offset = codec._plan.layers[0].weights_offset
    weight = int.from_bytes(blob[offset : offset + 2], "little", signed=True) + 1
    return blob[:offset] + weight.to_bytes(2, "little", signed=True) + blob[offset + 2 :]


def test_arrays_have_names_and_shapes(codec: ModelCodec) -> None:
    arrays = codec.arrays(codec.initial(1))
    assert {name: array.shape for name, array in arrays.items()} == {
        "layers.0.weight": (32, 64),
        "layers.0.bias": (32,),
        "layers.1.weight": (10, 32),
        "layers.1.bias": (10,),
    }


def test_bytes_that_are_no_weights_have_a_reason(codec: ModelCodec) -> None:
    blob = codec.pack(codec.initial(1))
    assert codec.check("blob", blob) == ""
    assert "JRGW" in codec.check("blob", b"XXXX" + blob[4:])
    assert codec.check("blob", blob[:-1])
    other = ModelCodec(jaragua_models.get("sine"))
    assert codec.check("blob", other.pack(other.initial(1)))


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan, 1e39, 1e300])
@pytest.mark.parametrize("name", ["sine", "digits@w8"])
def test_weights_that_no_format_holds_are_named_and_not_packed(name: str, number: float) -> None:
    codec = ModelCodec(model_named(name))
    vector = codec.initial(1)
    vector[3] = number
    with pytest.raises(CompileError, match=f"1 of {len(vector)} weights are no finite numbers"):
        codec.pack(vector)
