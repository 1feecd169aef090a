"""The ONNX front end, operator by operator, against ONNX's own reference evaluator; and what it says of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import Graph

from jaragua_compiler import CompileError, Network
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.frontends import from_onnx
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.graph.network import Loss

onnx = pytest.importorskip("onnx", reason="reading .onnx files needs onnx")

Maker = Callable[[Graph], str]


def _model(make: Maker, shape: tuple[Any, ...] = (1, 2, 6, 5), outputs: tuple[Any, ...] = (1, 3)) -> Any:
    graph = Graph()
    return graph.model(make(graph), shape, outputs)


def _read(folder: Path, model: Any, loss: Loss | None = "mean_squared_error") -> tuple[Network, Weights]:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return from_onnx(path, loss)


def _agrees(folder: Path, make: Maker, shape: tuple[int, ...] = (1, 2, 6, 5), last: bool = False) -> Network:
    """The network computes what ONNX's reference computes. `last`: the file's images have their channels last."""
    from onnx.reference import ReferenceEvaluator

    model = _model(make, shape)
    network, weights = _read(folder, model)
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    rows = x.transpose(0, 2, 3, 1) if len(network.shapes[0]) == 3 and not last else x
    found = FloatEngine(network, weights, np.float64).forward(rows.reshape(1, -1))
    expected: Any = ReferenceEvaluator(model).run(None, {"x": x})
    assert np.allclose(found, expected[0], atol=1e-5)
    return network


def _head(graph: Graph, x: str, size: int) -> str:
    return graph.dense(graph.node("Flatten", x), size)


def _run_time_shape(graph: Graph) -> str:
    """(batch, -1), as PyTorch exports x.view(x.size(0), -1) for any number of samples."""
    batch = graph.node("Gather", graph.node("Shape", "x"), graph.constant(0, dtype=np.int64, shape=()))
    return graph.node("Concat", graph.node("Unsqueeze", batch, graph.shape(0)), graph.shape(-1), axis=0)


BODIES: dict[str, Maker] = {
    "padded convolution": lambda g: _head(g, g.conv("x", pads=[0, 1, 2, 0], strides=[2, 1]), 3 * 3 * 4),
    "SAME_UPPER": lambda g: _head(g, g.conv("x", auto_pad="SAME_UPPER", strides=[2, 2]), 3 * 3 * 3),
    "convolution without a bias": lambda g: _head(g, g.node("Conv", "x", g.weights(3, 2, 3, 3)), 3 * 4 * 3),
    "max pool": lambda g: _head(g, g.node("MaxPool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 2 * 6 * 5),
    "average pool": lambda g: _head(g, g.node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 2 * 6 * 5),
    "mean": lambda g: g.dense(g.node("ReduceMean", g.conv("x"), axes=[-1, -2], keepdims=0), 3),
    "squeezed mean": lambda g: g.dense(g.node("Squeeze", g.node("GlobalAveragePool", g.conv("x")), g.shape(2, 3)), 3),
    "Clip(0, 6)": lambda g: _head(
        g, g.node("Clip", g.node("Mul", g.conv("x"), g.constant(9)), g.constant(0), g.constant(6)), 3 * 4 * 3
    ),
    "Clip(0)": lambda g: _head(g, g.node("Clip", g.conv("x"), g.constant(0)), 3 * 4 * 3),
    "LeakyRelu": lambda g: _head(g, g.node("LeakyRelu", g.conv("x"), alpha=0.3), 3 * 4 * 3),
    "batch normalisation": lambda g: _head(
        g,
        g.node("BatchNormalization", g.conv("x"), *(g.constant(1, 2, 0.5) for _ in range(4)), epsilon=0.01),
        3 * 4 * 3,
    ),
    "bias for each channel": lambda g: _head(
        g, g.node("Sub", g.node("Add", g.weights(3, 1, 1), g.conv("x")), g.weights(1, 3, 1, 1)), 3 * 4 * 3
    ),
    "padding": lambda g: _head(
        g, g.conv(g.node("Pad", "x", g.shape(0, 0, 1, 0, 0, 0, 0, 2)), strides=[2, 2]), 3 * 3 * 3
    ),
    "residual": lambda g: _head(g, g.node("Add", "x", g.conv("x", outputs=2, pads=[1, 1, 1, 1])), 2 * 6 * 5),
    "matrix product and sum": lambda g: g.node(
        "Add", g.node("MatMul", g.node("Tanh", g.dense(g.node("Flatten", "x"), 60, 4)), g.weights(4, 3)), g.weights(3)
    ),
    "sigmoid": lambda g: g.dense(g.node("Sigmoid", g.dense(g.node("Flatten", "x"), 60, 4)), 4),
    "scaled Gemm": lambda g: g.node(
        "Gemm", g.node("Flatten", "x"), g.weights(60, 3), g.weights(1, 3), alpha=0.5, beta=2.0
    ),
    "Identity and Dropout": lambda g: _head(g, g.node("Dropout", g.node("Identity", g.conv("x"))), 3 * 4 * 3),
    "a shape computed at run time": lambda g: g.dense(g.node("Reshape", g.conv("x"), _run_time_shape(g)), 36),
    "a ReLU of the input": lambda g: _head(g, g.conv(g.node("Relu", "x")), 3 * 4 * 3),
    "a ReLU behind the flatten": lambda g: g.dense(g.node("Relu", g.node("Flatten", g.conv("x"))), 36),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_network_computes_what_the_reference_computes(body: str, tmp_path: Path) -> None:
    _agrees(tmp_path, BODIES[body])


def test_a_head_of_one_position_is_flattened_before_its_softmax(tmp_path: Path) -> None:
    def make(graph: Graph) -> str:
        pooled = graph.node("MaxPool", graph.conv("x"), kernel_shape=[4, 3])
        return graph.node("Softmax", graph.node("Flatten", graph.conv(pooled, 3, 3, (1, 1))))

    network, _ = _read(tmp_path, _model(make), None)
    assert (network.layers[-1], network.loss) == (layers.Flatten(), "softmax_cross_entropy")


def test_images_may_come_channels_last(tmp_path: Path) -> None:
    def make(graph: Graph) -> str:
        image = graph.conv(graph.node("Transpose", "x", perm=[0, 3, 1, 2]))
        return _head(graph, graph.node("Transpose", graph.node("Relu", image), perm=[0, 2, 3, 1]), 3 * 4 * 3)

    network = _agrees(tmp_path, make, (1, 6, 5, 2), last=True)
    assert network.layers[:2] == (layers.Conv2D(3, activation="relu"), layers.Flatten())


def test_a_flat_input_may_become_an_image_of_one_channel(tmp_path: Path) -> None:
    def make(graph: Graph) -> str:
        return _head(graph, graph.conv(graph.node("Reshape", "x", graph.shape(0, 1, 6, 5)), 1), 3 * 4 * 3)

    assert _agrees(tmp_path, make, (1, 30), last=True).inputs == (6, 5, 1)


def test_an_image_that_is_only_flattened_is_a_flat_input(tmp_path: Path) -> None:
    assert _agrees(tmp_path, lambda g: _head(g, "x", 60)).inputs == 60


def test_what_stands_apart_in_a_file_becomes_one_layer(tmp_path: Path) -> None:
    def make(graph: Graph) -> str:
        first = graph.node("Relu", graph.conv("x", outputs=4, pads=[1, 1, 1, 1]))
        second = graph.node("Conv", first, graph.weights(4, 1, 3, 3), group=4, pads=[1, 1, 1, 1])
        normed = graph.node("BatchNormalization", second, *(graph.constant(1, 2, 3, 4) for _ in range(4)))
        pooled = graph.node("AveragePool", graph.node("Add", first, normed), kernel_shape=[2, 2], strides=[2, 2])
        return graph.dense(graph.node("Flatten", graph.node("GlobalAveragePool", pooled)), 4)

    assert _agrees(tmp_path, make).layers == (
        layers.Conv2D(4, padding="same", activation="relu"),
        layers.DepthwiseConv2D(padding="same"),
        layers.Add(0),
        layers.AveragePool2D(),
        layers.GlobalAveragePool2D(),
        layers.Dense(3),
    )


PADS = (0, 0, 1, 1, 0, 0, 1, 1)
REFUSED: dict[str, tuple[Maker, str]] = {
    "unknown operator": (lambda g: g.node("Erf", "x"), r"ONNX node 'v0' \(Erf\): there is no kernel"),
    "another domain": (lambda g: g.node("Relu", "x", domain="com.example"), r"none of ONNX's own .*com.example"),
    "groups": (lambda g: g.node("Conv", "x", g.weights(4, 1, 3, 3), group=2), "it has 2 groups for 2 channels"),
    "dilation": (lambda g: g.conv("x", dilations=[2, 2]), r"dilations are \[2, 2\]"),
    "SAME_LOWER": (lambda g: g.conv("x", auto_pad="SAME_LOWER"), "padding is SAME_LOWER"),
    "one-dimensional window": (lambda g: g.node("MaxPool", "x", kernel_shape=[2]), r"kernel_shape is \[2\]"),
    "rounded up": (lambda g: g.node("MaxPool", "x", kernel_shape=[2, 2], ceil_mode=1), "number of its positions up"),
    "counted padding": (
        lambda g: g.node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        "its padding counts in the mean",
    ),
    "Clip": (lambda g: g.node("Clip", "x", g.constant(-1), g.constant(1)), r"clips to -1.0..1.0"),
    "mean of channels": (lambda g: g.node("ReduceMean", g.conv("x"), axes=[1]), r"mean over the axes \[1\]"),
    "transposed input": (lambda g: g.node("Gemm", "x", g.weights(3, 1), transA=1), "transposes its first input"),
    "dense on an image": (lambda g: g.node("MatMul", "x", g.weights(5, 3)), r"\(1, 2, 6, 5\) is no vector"),
    "weights that do not fit": (
        lambda g: g.dense(g.node("Flatten", "x"), 7),
        r"weights \(3, 7\) .* do not fit",
    ),
    "computed weights": (lambda g: g.node("MatMul", g.node("Flatten", "x"), "x"), "'x' is not a constant"),
    "adding another shape": (lambda g: g.node("Add", "x", g.conv("x", outputs=2)), "it adds"),
    "one number for each pixel": (lambda g: g.node("Mul", "x", g.weights(6, 5)), r"constant of the shape \(6, 5\)"),
    "normalisation of a pool": (
        lambda g: _head(g, g.node("BatchNormalization", "x", *(g.constant(1, 2) for _ in range(4))), 60),
        r"\(BatchNormalization\): no layer with weights stands right before it, into which it could be folded",
    ),
    "padding before a pool": (
        lambda g: _head(g, g.node("MaxPool", g.node("Pad", "x", g.shape(*PADS)), kernel_shape=[2, 2]), 2 * 7 * 6),
        r"'v0' \(Pad\): no convolution reads what it pads, but ONNX node 'v1'",
    ),
    "other padding": (lambda g: g.node("Pad", "x", g.shape(*PADS), mode="edge"), "mode 'edge'"),
    "softmax in the middle": (lambda g: g.dense(g.node("Softmax", g.dense("x", 60, 4)), 4), "is no vector"),
    "an image at the end": (lambda g: g.conv("x", outputs=1), "ends in an image"),
    "channels first at the end": (lambda g: g.node("Flatten", g.conv("x")), "image with its channels first"),
    "a batch of eight": (lambda g: g.node("Reshape", "x", g.shape(8, 60)), r"it makes \(8, 60\) of \(1, 2, 6, 5\)"),
    "a weight that is not a number": (
        lambda g: g.node("Conv", "x", g.constant(*[np.nan] * 18, shape=(1, 2, 3, 3))),
        "weights are not all finite",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_refused_by_name(case: str, tmp_path: Path) -> None:
    make, message = REFUSED[case]
    with pytest.raises(CompileError, match=message) as caught:
        _read(tmp_path, _model(make))
    assert caught.value.hint


def test_a_shape_that_is_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"ONNX input 'x': its shape .* is not fixed"):
        _read(tmp_path, _model(lambda g: g.node("Relu", "x"), (1, 2, "height", 5)))


def test_an_open_number_of_samples_is_taken(tmp_path: Path) -> None:
    assert _read(tmp_path, _model(lambda g: g.dense("x", 4), ("batch", 4)))[0].inputs == 4


def test_weights_in_a_file_of_their_own_are_refused(tmp_path: Path) -> None:
    model = _model(lambda g: g.dense("x", 4), (1, 4))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    with pytest.raises(CompileError, match="ONNX tensor 'c0' is stored in a file of its own"):
        _read(tmp_path, model)
