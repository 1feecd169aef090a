"""Layers tied together in a model file are refused: a device would train them apart. Equal zeros are no tie."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import Graph

from jaragua_compiler import CompileError, Network
from jaragua_compiler.frontends import from_keras, from_litert, from_onnx
from jaragua_compiler.graph.initial_weights import Weights

pytest.importorskip("onnx", reason="reading .onnx files needs onnx")

SMALL = Path(__file__).parents[1] / "data" / "small.keras"
LOSS = "mean_squared_error"
Maker = Callable[[Graph], str]


def chain(graph: Graph, first: str, second: str, *biases: str) -> str:
    """Two dense layers of 5 units, a ReLU between them."""
    one, other = (biases * 2)[:2] if biases else ("", "")
    hidden = graph.node("Relu", graph.node("Gemm", "x", first, one, transB=1))
    return graph.node("Gemm", hidden, second, other, transB=1)


def onnx_weights(folder: Path, make: Maker, shape: tuple[int, ...] = (1, 5)) -> tuple[Network, Weights]:
    graph = Graph()
    path = folder / "tied.onnx"
    path.write_bytes(graph.model(make(graph), shape).SerializeToString())
    return from_onnx(path, LOSS)


def tied_gemm(graph: Graph) -> str:
    weights = graph.weights(5, 5)
    return chain(graph, weights, weights)


def tied_through_a_transpose(graph: Graph) -> str:
    """As an autoencoder has its second layer."""
    weights = graph.weights(5, 5)
    return chain(graph, weights, graph.node("Transpose", weights, perm=[1, 0]))


def tied_through_a_constant(graph: Graph) -> str:
    numbers = np.random.default_rng(2).normal(size=(5, 5)).astype(np.float32)
    from onnx import numpy_helper

    weights = graph.node("Constant", value=numpy_helper.from_array(numbers))
    return chain(graph, graph.node("Identity", weights), weights)


def tied_bias(graph: Graph) -> str:
    bias = graph.weights(5)
    return chain(graph, graph.weights(5, 5), graph.weights(5, 5), bias)


def tied_zero_kernels(graph: Graph) -> str:
    weights = graph.constant(*[0.0] * 25, shape=(5, 5))
    return chain(graph, weights, weights)


def tied_matrix_products(graph: Graph) -> str:
    weights = graph.weights(5, 5)
    return graph.node("MatMul", graph.node("Relu", graph.node("MatMul", "x", weights)), weights)


def tied_convolutions(graph: Graph) -> str:
    weights = graph.weights(2, 2, 3, 3)
    image = graph.node("Conv", graph.node("Conv", "x", weights, pads=[1, 1, 1, 1]), weights, pads=[1, 1, 1, 1])
    return graph.dense(graph.node("Flatten", image), 40)


def tied_depthwise(graph: Graph) -> str:
    weights = graph.weights(2, 1, 3, 3)
    settings: dict[str, Any] = {"group": 2, "pads": [1, 1, 1, 1]}
    image = graph.node("Conv", graph.node("Conv", "x", weights, **settings), weights, **settings)
    return graph.dense(graph.node("Flatten", image), 40)


def tied_normalisation(graph: Graph) -> str:
    factors = [graph.constant(1.5, 0.5) for _ in range(4)]
    image = graph.node("BatchNormalization", graph.conv("x", 2, 2, pads=[1, 1, 1, 1]), *factors)
    image = graph.node("BatchNormalization", graph.conv(image, 2, 2, pads=[1, 1, 1, 1]), *factors)
    return graph.dense(graph.node("Flatten", image), 40)


FLAT, IMAGE = (1, 5), (1, 2, 5, 4)
TIED: dict[str, tuple[Maker, tuple[int, ...], str]] = {
    "Gemm": (tied_gemm, FLAT, r"'v2' \(Gemm\): it shares the tensor 'c0' with ONNX node 'v0' \(Gemm\)"),
    "transposed": (tied_through_a_transpose, FLAT, r"\(Gemm\): it shares the tensor 'c0' with ONNX node 'v1' \(Gemm\)"),
    "a Constant": (tied_through_a_constant, FLAT, r"\(Gemm\): it shares the tensor 'v0' with ONNX node 'v2' \(Gemm\)"),
    "a bias": (tied_bias, FLAT, r"\(Gemm\): it shares the tensor 'c0' with ONNX node 'v0' \(Gemm\)"),
    "kernels of zeros": (tied_zero_kernels, FLAT, r"it shares the tensor 'c0' with ONNX node 'v0' \(Gemm\)"),
    "MatMul": (tied_matrix_products, FLAT, r"\(MatMul\): it shares the tensor 'c0' with ONNX node 'v0' \(MatMul\)"),
    "Conv": (tied_convolutions, IMAGE, r"\(Conv\): it shares the tensor 'c0' with ONNX node 'v0' \(Conv\)"),
    "depthwise": (tied_depthwise, IMAGE, r"\(Conv\): it shares the tensor 'c0' with ONNX node 'v0' \(Conv\)"),
    "normalisation": (tied_normalisation, IMAGE, r"\(BatchNormalization\): it shares the tensor 'c0' with ONNX node"),
}


@pytest.mark.parametrize("case", TIED)
def test_two_onnx_nodes_with_one_tensor_are_refused_with_both_names(case: str, tmp_path: Path) -> None:
    make, shape, message = TIED[case]
    with pytest.raises(CompileError, match=message) as caught:
        onnx_weights(tmp_path, make, shape)
    assert "weights of its own for each layer" in caught.value.hint


def one_bias_of_zeros(graph: Graph) -> str:
    return chain(graph, graph.weights(5, 5), graph.weights(5, 5), graph.constant(*[0.0] * 5))


def one_factor_for_all(graph: Graph) -> str:
    half = graph.constant(0.5)
    first = graph.node("Mul", graph.dense("x", 5, 5), half)
    return graph.node("Mul", graph.dense(first, 5, 5), half)


def fresh_normalisation(graph: Graph) -> str:
    ones, zeros = graph.constant(1.0, 1.0), graph.constant(0.0, 0.0)
    image = "x"
    for _ in range(2):
        image = graph.conv(image, 2, 2, pads=[1, 1, 1, 1])
        image = graph.node("BatchNormalization", image, ones, zeros, zeros, ones)
    return graph.dense(graph.node("Flatten", image), 40)


def one_shape_for_two_weights(graph: Graph) -> str:
    shape = graph.shape(5, 5)
    return chain(graph, *(graph.node("Reshape", graph.weights(25), shape) for _ in range(2)))


def two_parts_of_one_tensor(graph: Graph) -> str:
    both = graph.weights(10, 5)
    parts = [graph.node("Slice", both, graph.shape(start), graph.shape(start + 5), graph.shape(0)) for start in (0, 5)]
    return chain(graph, *parts)


def a_node_that_nothing_reads(graph: Graph) -> str:
    weights = graph.weights(5, 5)
    graph.node("Gemm", "x", weights)
    return graph.node("Gemm", "x", weights)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (one_bias_of_zeros, FLAT),
        (one_factor_for_all, FLAT),
        (fresh_normalisation, IMAGE),
        (one_shape_for_two_weights, FLAT),
        (two_parts_of_one_tensor, FLAT),
        (a_node_that_nothing_reads, FLAT),
    ],
)
def test_what_an_exporter_stores_once_without_a_tie_is_taken(
    make: Maker, shape: tuple[int, ...], tmp_path: Path
) -> None:
    assert onnx_weights(tmp_path, make, shape)[1]


def test_parts_of_one_tensor_are_the_layers_own_weights(tmp_path: Path) -> None:
    _, ((first, _), (second, _)) = onnx_weights(tmp_path, two_parts_of_one_tensor)
    assert not np.array_equal(first, second)


def litert_chain(folder: Path, *, tied: str) -> tuple[Network, Weights]:
    """Two dense layers of a LiteRT file that have the same tensor, or two tensors of one buffer."""
    litert = pytest.importorskip("litert_models", reason="writing .tflite files needs ai-edge-litert")
    file = litert.File((1, 5))
    numbers = np.random.default_rng(2).normal(size=(5, 5)).astype(np.float32)
    buffer = file.buffer(numbers)
    first = file.tensor((5, 5), buffer=buffer)
    second = {
        "tensor": first,
        "buffer": file.tensor((5, 5), buffer=buffer),
        "nothing": file.tensor((5, 5), buffer=file.buffer(numbers)),
    }[tied]
    zeros = file.constant(np.zeros(5, np.float32))
    output = file.dense(file.dense(file.input, 5, first, zeros), 5, second, zeros)
    (folder / "tied.tflite").write_bytes(file.content(output))
    return from_litert(folder / "tied.tflite", LOSS)


@pytest.mark.parametrize("tied", ["tensor", "buffer"])
def test_two_litert_operators_with_one_buffer_are_refused_with_both_names(tied: str, tmp_path: Path) -> None:
    message = r"operator 1 \(FULLY_CONNECTED\): it shares the tensor 't\d' with LiteRT operator 0 \(FULLY_CONNECTED\)"
    with pytest.raises(CompileError, match=message):
        litert_chain(tmp_path, tied=tied)


def test_litert_layers_share_a_bias_of_zeros_without_a_tie(tmp_path: Path) -> None:
    assert len(litert_chain(tmp_path, tied="nothing")[1]) == 2


def changed_keras(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    path = folder / "tied.keras"
    with zipfile.ZipFile(SMALL) as source, zipfile.ZipFile(path, "w") as target:
        config = json.loads(source.read("config.json"))
        change(config["config"]["layers"])
        target.writestr("config.json", json.dumps(config))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    return path


def test_a_keras_layer_that_is_used_twice_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")

    def twice(layers: list[dict[str, Any]]) -> None:
        layers[4]["config"]["name"] = layers[2]["config"]["name"]

    with pytest.raises(CompileError, match=r"Keras layer 'dense' \(Dense\): it stands in the model twice"):
        from_keras(changed_keras(tmp_path, twice))

    def called_twice(layers: list[dict[str, Any]]) -> None:
        layers[2]["inbound_nodes"] = [{"args": []}, {"args": []}]

    with pytest.raises(CompileError, match=r"Keras layer 'dense' \(Dense\): it is used 2 times"):
        from_keras(changed_keras(tmp_path, called_twice))
