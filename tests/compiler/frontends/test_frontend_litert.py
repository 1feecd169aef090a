"""The LiteRT front end: quantised weights, and what it says of files it cannot take (fixtures/, changed in places)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaragua_compiler import CompileError
from jaragua_compiler.frontends import from_keras, from_litert
from jaragua_compiler.frontends.flatbuffer import FlatbufferError, Table, root
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.frontends.litert_file import Tensor, read_graph

FIXTURES = Path(__file__).parents[1] / "fixtures"
TRIO = FIXTURES / "trio.tflite"


def _place(table: Table, field: int) -> int:
    """Where a field of a table is stored."""
    vtable = table.position - struct.unpack_from("<i", table.data, table.position)[0]
    offset: int = struct.unpack_from("<H", table.data, vtable + 4 + 2 * field)[0]
    assert offset, "the file leaves this field at its default"
    return table.position + offset


def _options(model: Table, operator: int) -> Table:
    options = model.tables(2)[0].tables(3)[operator].table(4)
    assert options is not None
    return options


def _other_kind(model: Table) -> dict[int, bytes]:
    """The first operator becomes a FLOOR (8), in both fields that number it."""
    code = model.tables(1)[0]
    return {_place(code, 0): b"\x08", _place(code, 3): struct.pack("<i", 8)}


def _no_input(model: Table) -> dict[int, bytes]:
    graph = model.tables(2)[0]
    vector = _place(graph, 1)
    vector += struct.unpack_from("<I", graph.data, vector)[0]
    return {vector: struct.pack("<I", 0)}


def _other_shape(model: Table) -> dict[int, bytes]:
    """The image's width becomes 7, so that the flattened vector is too short for the dense layer."""
    graph = model.tables(2)[0]
    tensor = graph.tables(0)[graph.integers(1)[0]]
    vector = _place(tensor, 0)
    vector += struct.unpack_from("<I", tensor.data, vector)[0]
    return {vector + 4 + 4 * 2: struct.pack("<i", 5)}


REFUSED: dict[str, tuple[Callable[[Table], dict[int, bytes]], str]] = {
    "unknown operator": (_other_kind, r"LiteRT operator 0 \(FLOOR\): there is no kernel for it"),
    "activation": (
        lambda m: {_place(_options(m, 0), 3): b"\x05"},
        r"operator 0 \(CONV_2D\): its activation is number 5",
    ),
    "no input": (_no_input, "has 0 inputs"),
    "another shape": (_other_shape, r"\(RESHAPE\): it makes \(24,\) of \(2, 2, 4\)"),
    "not the format": (lambda m: {4: b"TFL2"}, "is not a LiteRT file"),
    "root behind the end": (lambda m: {0: b"\xff\xff\xff\x7f"}, "is not a whole LiteRT file: byte 2147483647"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_refused_by_name(case: str, tmp_path: Path) -> None:
    change, message = REFUSED[case]
    content = bytearray(TRIO.read_bytes())
    for place, patch in change(root(bytes(content))).items():
        content[place : place + len(patch)] = patch
    path = tmp_path / "changed.tflite"
    path.write_bytes(content)
    with pytest.raises(CompileError, match=message) as caught:
        from_litert(path)
    assert caught.value.hint


def test_int8_weights_are_within_half_a_step_of_the_float_ones() -> None:
    _, exact = from_keras(FIXTURES / "trio.keras")
    _, rounded = from_litert(FIXTURES / "trio-int8.tflite")
    for (matrix, _), (found, _) in zip(exact, rounded, strict=True):
        rows, found_rows = matrix.reshape(len(matrix), -1), found.reshape(len(found), -1)
        steps = np.abs(rows).max(axis=1) / 127
        assert (np.abs(rows - found_rows).max(axis=1) <= steps * 0.501).all()


def _tensor(scales: list[float], zero_points: list[int], axis: int = 1, shape: tuple[int, ...] = (2, 2)) -> Tensor:
    return Tensor("w", shape, 9, bytes([1, 2, 3, 254]), np.array(scales), np.array(zero_points, float), axis)


def test_a_quantised_tensor_is_scaled_along_its_axis() -> None:
    assert _tensor([0.5, 2.0], [0, 1]).values().tolist() == [[0.5, 2.0], [1.5, -6.0]]
    assert _tensor([0.5], [1]).values().tolist() == [[0.0, 0.5], [1.0, -1.5]]
    assert _tensor([], []).values().tolist() == [[1.0, 2.0], [3.0, -2.0]]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (_tensor([1.0, 1.0, 1.0], [0]), "3 scales"),
        (_tensor([1.0, 1.0], [0], axis=2), "2 scales"),
        (_tensor([1.0, 1.0], [0, 0, 0]), "2 scales and 3 zero points"),
        (_tensor([1.0], [0], shape=(2, 3)), "4 bytes"),
    ],
)
def test_a_tensor_that_is_not_whole_is_refused(tensor: Tensor, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        tensor.values()


def test_a_logistic_operator_is_a_sigmoid(tmp_path: Path) -> None:
    """The TANH (28) of a file becomes a LOGISTIC (14), in both fields that number it."""
    content = bytearray(TRIO.read_bytes())
    codes = root(bytes(content)).tables(1)
    (code,) = [code for code in codes if content[_place(code, 0)] == 28]
    content[_place(code, 0)] = 14
    content[_place(code, 3) : _place(code, 3) + 4] = struct.pack("<i", 14)
    (tmp_path / "logistic.tflite").write_bytes(content)
    layers, others = (read_litert(path).network.layers for path in (tmp_path / "logistic.tflite", TRIO))
    kinds = [getattr(layer, "activation", None) for layer in others]
    assert [getattr(layer, "activation", None) for layer in layers] == [
        "sigmoid" if kind == "tanh" else kind for kind in kinds
    ]
    assert "tanh" in kinds


def test_operators_have_their_schemas_names() -> None:
    names = [operator.name for operator in read_graph(TRIO).operators]
    assert names[:3] == ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"]
    assert names[-3:] == ["TANH", "FULLY_CONNECTED", "SOFTMAX"]


@pytest.mark.parametrize("length", [0, 3, 7, 20])
def test_a_buffer_cut_short_says_where(length: int) -> None:
    with pytest.raises(FlatbufferError, match="is referred to"):
        root(TRIO.read_bytes()[:length]).tables(2)
