"""LiteRT files written here: views of sequences and images, quantised one-dimensional tensors; the runtime agrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litert_models import File, computed

from jaragua_compiler import CompileError, Network
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.frontends.litert_file import Tensor
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.graph import layers
from jaragua_compiler.graph.sample_layout import SampleLayout

LOSS = "mean_squared_error"
Body = Callable[[File], int]


def head(file: File, x: int, size: int) -> int:
    flat = file.view("RESHAPE", x, (1, size), (1, size))
    return file.dense(flat, 3, file.weights(3, size))


def steps_by_one(file: File) -> int:
    """(T,) as an image of T rows, one column, one channel: T × 1 kernels."""
    image = file.view("RESHAPE", file.input, (1, 20, 1, 1), (1, 20, 1, 1))
    return head(file, file.conv(image, (1, 16, 1, 4), file.weights(4, 5, 1, 1), relu=True), 64)


def one_by_steps(file: File) -> int:
    image = file.view("RESHAPE", file.input, (1, 1, 20, 1), (1, 1, 20, 1))
    return head(file, file.conv(image, (1, 1, 16, 4), file.weights(4, 1, 5, 1), relu=True), 64)


def expanded(file: File) -> int:
    image = file.view("EXPAND_DIMS", file.input, (1, 20, 1, 1), (3,))
    return head(file, file.conv(image, (1, 16, 1, 4), file.weights(4, 5, 1, 1)), 64)


def chain_of_sequences(file: File) -> int:
    """Two Conv1D as the converter writes them: each expands its sequence to an image and squeezes what it makes."""
    x = file.view("EXPAND_DIMS", file.input, (1, 1, 12, 3), (1,))
    x = file.conv(x, (1, 1, 10, 4), file.weights(4, 1, 3, 3), relu=True)
    x = file.view("SQUEEZE", x, (1, 10, 4), (1,))
    x = file.view("EXPAND_DIMS", x, (1, 1, 10, 4), (1,))
    x = file.conv(x, (1, 1, 8, 5), file.weights(5, 1, 3, 4), relu=True)
    return head(file, file.view("RESHAPE", x, (1, 8, 5), (1, 8, 5)), 40)


def mean_of_steps(file: File) -> int:
    x = file.view("EXPAND_DIMS", file.input, (1, 1, 12, 3), (1,))
    x = file.view("SQUEEZE", file.conv(x, (1, 1, 10, 4), file.weights(4, 1, 3, 3)), (1, 10, 4), (1,))
    return file.dense(file.mean(x, (1, 4), (1,)), 3, file.weights(3, 4))


def one_channel_behind_a_convolution(file: File) -> int:
    x = file.conv(file.input, (1, 4, 1, 1), file.weights(1, 3, 1, 2))
    return head(file, x, 4)


LAYERS = (layers.Flatten(), layers.Dense(3))
CASES: dict[str, tuple[Body, tuple[int, ...], Network]] = {
    "T rows": (
        steps_by_one,
        (20,),
        Network("file", (20, 1, 1), (layers.Conv2D(4, (5, 1), activation="relu"), *LAYERS), LOSS),
    ),
    "T columns": (
        one_by_steps,
        (20,),
        Network("file", (1, 20, 1), (layers.Conv2D(4, (1, 5), activation="relu"), *LAYERS), LOSS),
    ),
    "an axis more": (expanded, (20, 1), Network("file", (20, 1, 1), (layers.Conv2D(4, (5, 1)), *LAYERS), LOSS)),
    "sequences": (
        chain_of_sequences,
        (12, 3),
        Network(
            "file",
            (1, 12, 3),
            (layers.Conv2D(4, (1, 3), activation="relu"), layers.Conv2D(5, (1, 3), activation="relu"), *LAYERS),
            LOSS,
        ),
    ),
    "mean of steps": (
        mean_of_steps,
        (12, 3),
        Network("file", (1, 12, 3), (layers.Conv2D(4, (1, 3)), layers.GlobalAveragePool2D(), layers.Dense(3)), LOSS),
    ),
    "one channel": (
        one_channel_behind_a_convolution,
        (6, 1, 2),
        Network("file", (6, 1, 2), (layers.Conv2D(1, (3, 1)), *LAYERS), LOSS),
    ),
}


def read(folder: Path, body: Body, shape: tuple[int, ...]) -> ModelFile:
    file = File((1, *shape))
    (folder / "file.tflite").write_bytes(file.content(body(file)))
    return read_litert(folder / "file.tflite", LOSS)


@pytest.mark.parametrize("case", CASES)
def test_views_make_no_layers_and_the_runtime_computes_the_same(case: str, tmp_path: Path) -> None:
    body, shape, network = CASES[case]
    found = read(tmp_path, body, shape)
    assert found.network == network
    assert found.samples == SampleLayout(shape, network.shapes[0])
    samples = np.random.default_rng(5).uniform(-1, 1, (4, *shape))
    outputs = FloatEngine(found.network, found.weights, np.float64).forward(samples.reshape(4, -1))
    assert np.allclose(outputs, computed(tmp_path / "file.tflite", samples), atol=1e-5)


def pooled_head(file: File) -> int:
    """As the person detection model of TensorFlow Lite Micro ends: a pool, a 1 × 1 convolution, a view, a softmax."""
    x = file.conv(file.input, (1, 4, 4, 5), file.weights(5, 3, 3, 2), relu=True)
    x = file.conv(file.average_pool(x, (1, 1, 1, 5), (4, 4)), (1, 1, 1, 3), file.weights(3, 1, 1, 5))
    return file.softmax(file.view("RESHAPE", x, (1, 3), (1, 3)), (1, 3))


def test_a_head_of_one_position_is_flattened_before_its_softmax(tmp_path: Path) -> None:
    file = File((1, 6, 6, 2))
    (tmp_path / "file.tflite").write_bytes(file.content(pooled_head(file)))
    found = read_litert(tmp_path / "file.tflite")
    assert [type(layer).__name__ for layer in found.network.layers] == ["Conv2D", "AveragePool2D", "Conv2D", "Flatten"]
    samples = np.random.default_rng(5).uniform(-1, 1, (4, 6, 6, 2))
    powers = np.exp(FloatEngine(found.network, found.weights, np.float64).forward(samples.reshape(4, -1)))
    expected = computed(tmp_path / "file.tflite", samples)
    assert np.allclose(powers / powers.sum(axis=1, keepdims=True), expected, atol=1e-5)


def flattened_and_added(file: File) -> int:
    x = file.view("RESHAPE", file.conv(file.input, (1, 4, 1, 2), file.weights(2, 3, 1, 2)), (1, 8), (1, 8))
    return head(file, file.add(x, file.dense(x, 8, file.weights(8, 8)), (1, 8)), 8)


def flattened_at_the_end(file: File) -> int:
    return file.view("RESHAPE", file.conv(file.input, (1, 4, 1, 2), file.weights(2, 3, 1, 2)), (1, 8), (1, 8))


@pytest.mark.parametrize("body", [flattened_and_added, flattened_at_the_end])
def test_an_image_that_is_seen_as_a_vector_is_flattened_where_it_matters(body: Body, tmp_path: Path) -> None:
    found = read(tmp_path, body, (6, 1, 2))
    samples = np.random.default_rng(5).uniform(-1, 1, (4, 6, 1, 2))
    outputs = FloatEngine(found.network, found.weights, np.float64).forward(samples.reshape(4, -1))
    assert np.allclose(outputs, computed(tmp_path / "file.tflite", samples), atol=1e-5)


def turned(file: File) -> int:
    x = file.conv(file.input, (1, 1, 10, 4), file.weights(4, 1, 3, 3))
    x = file.view("RESHAPE", x, (1, 10, 1, 4), (1, 10, 1, 4))
    return head(file, file.conv(x, (1, 8, 1, 4), file.weights(4, 3, 1, 4)), 32)


def test_an_image_that_becomes_another_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"CONV_2D\): it reshapes \(1, 10, 4\) to \(10, 1, 4\)"):
        read(tmp_path, turned, (1, 12, 3))


def test_a_sequence_is_no_image(tmp_path: Path) -> None:
    def body(file: File) -> int:
        return head(file, file.conv(file.input, (1, 10, 4), file.weights(4, 1, 3, 3)), 40)

    with pytest.raises(CompileError, match=r"CONV_2D\): its input \(12, 3\) is no image"):
        read(tmp_path, body, (12, 3))


def quantised(shape: tuple[int, ...], axis: int, scales: int) -> Tensor:
    content = np.arange(np.prod(shape), dtype="<i4").tobytes()
    return Tensor("bias", shape, 2, content, np.arange(1.0, scales + 1), np.zeros(scales), axis)


@pytest.mark.parametrize("axis", [0, 1, 3, -1])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 1, 4)])
def test_a_tensor_with_one_axis_has_its_scales_along_it_whatever_the_file_says(
    shape: tuple[int, ...], axis: int
) -> None:
    assert quantised(shape, axis, 4).values().reshape(-1).tolist() == [0.0, 2.0, 6.0, 12.0]


@pytest.mark.parametrize("axis", [0, 1, 7])
def test_one_scale_is_for_all_numbers_whatever_the_axis(axis: int) -> None:
    assert quantised((2, 2), axis, 1).values().tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_an_axis_that_a_tensor_of_several_has_not_is_refused() -> None:
    with pytest.raises(CompileError, match="2 scales along axis 2"):
        quantised((2, 2), 2, 2).values()


def test_a_file_whose_bias_is_quantised_along_another_axis_is_taken(tmp_path: Path) -> None:
    """As the person detection model of TensorFlow Lite Micro has it."""

    def body(file: File) -> int:
        scale, zero = np.array([0.5, 0.25, 2.0], np.float32), np.zeros(3, np.int64)
        numbers: Any = {"scale": scale, "zeroPoint": zero}
        weights = file.constant(np.full((3, 4), 2, np.int8), **numbers, quantizedDimension=0)
        bias = file.constant(np.array([1, 2, 3], np.int32), **numbers, quantizedDimension=3)
        return file.dense(file.input, 3, weights, bias)

    _, ((weights, bias),), *_ = read(tmp_path, body, (4,))
    assert weights[:, 0].tolist() == [1.0, 0.5, 4.0]
    assert bias.tolist() == [0.5, 0.5, 6.0]
