"""Tensors stored in an ONNX file: every type and field they may lie in, against onnx's own reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua_compiler import CompileError
from jaragua_compiler.frontends import from_onnx
from jaragua_compiler.frontends.onnx_constants import stored_tensor

onnx = pytest.importorskip("onnx", reason="reading .onnx files needs onnx")

NUMBERS: dict[str, list[float]] = {
    "FLOAT": [0.5, -1.25, 3e38, 0.0],
    "DOUBLE": [0.1, -1e300, 0.0, 2.5],
    "FLOAT16": [0.5, -1.25, 65504.0, 6e-8],
    "BFLOAT16": [0.5, -1.25, 1e38, -0.0],
    "INT8": [-128, 127, 0, 1],
    "UINT8": [255, 0, 1, 2],
    "INT16": [-32768, 32767, 0, 1],
    "UINT16": [65535, 0, 1, 2],
    "INT32": [-(2**31), 2**31 - 1, 0, 1],
    "UINT32": [2**32 - 1, 0, 1, 2],
    "INT64": [-(2**63), 2**63 - 1, 0, 1],
    "UINT64": [2**64 - 1, 0, 1, 2],
    "BOOL": [True, False, False, True],
}
FIELDS = {"float_data", "int32_data", "int64_data", "uint64_data", "double_data"}


def tensor_of(name: str, *, raw: bool) -> Any:
    kind = onnx.TensorProto.DataType.Value(name)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    array = np.array(NUMBERS[name], dtype=dtype).reshape(2, 2)
    stored = onnx.numpy_helper.from_array(array, "w")
    return stored if raw else onnx.helper.make_tensor("w", kind, (2, 2), array.reshape(-1).tolist())


@pytest.mark.parametrize("raw", [True, False], ids=["raw_data", "typed field"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_tensor_of_every_type_is_read_from_either_place(name: str, raw: bool) -> None:
    tensor = tensor_of(name, raw=raw)
    assert bool(tensor.raw_data) == raw
    assert any(len(getattr(tensor, field)) for field in FIELDS) != raw
    found, expected = stored_tensor("w", tensor), onnx.numpy_helper.to_array(tensor)
    assert found.shape == (2, 2)
    assert np.array_equal(found.astype(np.float64), expected.astype(np.float64))


@pytest.mark.parametrize("name", ["FLOAT8E4M3FN", "INT4", "STRING", "COMPLEX64"])
def test_another_type_is_refused_with_its_name(name: str) -> None:
    tensor = onnx.TensorProto(dims=[2], data_type=onnx.TensorProto.DataType.Value(name), raw_data=b"\0\0")
    with pytest.raises(CompileError, match=rf"is of a type unknown here \({name}\)"):
        stored_tensor("w", tensor)


def test_a_number_that_its_type_cannot_hold_is_refused() -> None:
    tensor = onnx.TensorProto(dims=[1], data_type=onnx.TensorProto.INT8, int32_data=[300])
    with pytest.raises(CompileError, match=r"numbers in int32_data that are no INT8"):
        stored_tensor("w", tensor)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_or_too_many_numbers_are_refused(count: int) -> None:
    tensor = onnx.TensorProto(dims=[2, 2], data_type=onnx.TensorProto.FLOAT16, int32_data=[0x3C00] * count)
    with pytest.raises(CompileError, match=rf"has the shape \(2, 2\), but {count} numbers"):
        stored_tensor("w", tensor)


def cast_model(weights: Any) -> Any:
    """A dense layer whose weights are stored in another format and cast to float32."""
    nodes = [onnx.helper.make_node("Cast", ["w"], ["f"], to=onnx.TensorProto.FLOAT)]
    nodes.append(onnx.helper.make_node("Gemm", ["x", "f"], ["y"], transB=1))
    outputs, inputs = weights.dims
    sizes = (("x", inputs), ("y", outputs))
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1, size]) for name, size in sizes]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "graph", ends[:1], ends[1:], [weights]))


@pytest.mark.parametrize("shape", [(4, 6), (40, 200)], ids=["small", "above the limit of folded shapes"])
@pytest.mark.parametrize("name", ["FLOAT16", "BFLOAT16", "DOUBLE"])
def test_weights_in_another_format_are_taken(name: str, shape: tuple[int, int], tmp_path: Path) -> None:
    numbers = np.random.default_rng(3).normal(size=shape)
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.DataType.Value(name), shape, numbers.reshape(-1).tolist())
    path = tmp_path / "cast.onnx"
    path.write_bytes(cast_model(tensor).SerializeToString())
    _, ((weights, _),) = from_onnx(path, "mean_squared_error")
    assert np.array_equal(weights, onnx.numpy_helper.to_array(tensor).astype(np.float32))
    assert np.allclose(weights, numbers, rtol=2**-8)
