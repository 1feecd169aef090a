"""In which order the C takes its input, whatever views and transpositions a model file puts before its first layer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import Graph, computed

from jaragua_compiler import CompileError
from jaragua_compiler.export import Choice, Compiled, Component, compile_model, read_samples, write_folder
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.frontends.keras import read_keras
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.frontends.onnx import read_onnx
from jaragua_compiler.graph.sample_layout import SampleLayout, strides_of
from jaragua_compiler.planning.boards import find_board
from jaragua_models.loading import load_model

pytest.importorskip("onnx", reason="reading .onnx files needs onnx")

FIXTURES = Path(__file__).parents[1] / "fixtures"
RANDOM_MODELS = 80
LOSS = "mean_squared_error"
Maker = Callable[[Graph], str]


def flat_to_image(graph: Graph) -> str:
    image = graph.conv(graph.node("Reshape", "x", graph.shape(0, 3, 4, 8)), 3, 4)
    return graph.dense(graph.node("Flatten", image), 4 * 2 * 6)


def sequence_to_image(graph: Graph) -> str:
    row = graph.node("Unsqueeze", "x", graph.shape(2))
    image = graph.conv(row, 3, 8, (1, 3), pads=[0, 1, 0, 1])
    back = graph.node("Relu", graph.node("Squeeze", image, graph.shape(2)))
    return graph.dense(graph.node("Flatten", back), 8 * 32)


def image_to_flat(graph: Graph) -> str:
    hidden = graph.node("Relu", graph.dense(graph.node("Flatten", "x"), 50, 8))
    return graph.dense(hidden, 8)


def transposed_to_flat(graph: Graph) -> str:
    last = graph.node("Transpose", "x", perm=[0, 2, 3, 1])
    return graph.dense(graph.node("Flatten", last), 2 * 5 * 4)


def channels_first(graph: Graph) -> str:
    return graph.dense(graph.node("Flatten", graph.conv("x", 2, 4)), 4 * 3 * 2)


def channels_last(graph: Graph) -> str:
    image = graph.conv(graph.node("Transpose", "x", perm=[0, 3, 1, 2]), 2, 4)
    return graph.dense(graph.node("Flatten", image), 4 * 3 * 2)


def steps_first(graph: Graph) -> str:
    """(steps, channels), as Keras has sequences, turned for a convolution along the steps."""
    turned = graph.node("Unsqueeze", graph.node("Transpose", "x", perm=[0, 2, 1]), graph.shape(3))
    return graph.dense(graph.node("Flatten", graph.conv(turned, 3, 4, (5, 1))), 4 * 8)


# What the file does, the shape of a sample in it, the shape the network reads, and the strides of the transposition.
CASES: dict[str, tuple[Maker, tuple[int, ...], tuple[int, ...], tuple[int, ...] | None]] = {
    "a flat input becomes an image": (flat_to_image, (96,), (4, 8, 3), (8, 1, 32)),
    "a sequence becomes an image": (sequence_to_image, (3, 32), (1, 32, 3), (0, 1, 32)),
    "an image is flattened": (image_to_flat, (2, 5, 5), (50,), None),
    "a transposed image is flattened": (transposed_to_flat, (2, 5, 4), (40,), None),
    "channels first": (channels_first, (2, 5, 4), (5, 4, 2), (4, 1, 20)),
    "channels last": (channels_last, (5, 4, 2), (5, 4, 2), None),
    "steps first": (steps_first, (12, 3), (12, 1, 3), None),
}


def written(folder: Path, make: Maker, shape: tuple[int, ...]) -> tuple[Any, Path]:
    graph = Graph()
    model = graph.model(make(graph), ("batch", *shape))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return model, path


def samples_of(shape: tuple[int, ...], count: int = 24) -> Any:
    return np.random.default_rng(6).uniform(-1, 1, (count, *shape))


def saved(folder: Path, samples: Any) -> Path:
    np.save(folder / "samples.npy", samples)
    return folder / "samples.npy"


@pytest.mark.parametrize("case", CASES)
def test_the_layout_says_where_the_files_numbers_are(case: str, tmp_path: Path) -> None:
    make, shape, inputs, strides = CASES[case]
    model, path = written(tmp_path, make, shape)
    found = read_onnx(path, LOSS)
    assert found.samples == SampleLayout(shape, inputs, strides)
    samples = samples_of(shape)
    rows = samples.reshape(len(samples), -1)[:, found.samples.places]
    outputs = FloatEngine(found.network, found.weights, np.float64).forward(rows)
    assert np.allclose(outputs, computed(model, samples), atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_samples_are_taken_in_the_files_own_order(case: str, tmp_path: Path) -> None:
    make, shape, inputs, _ = CASES[case]
    _, path = written(tmp_path, make, shape)
    found = read_onnx(path, LOSS)
    samples = samples_of(shape)
    rows = samples.reshape(len(samples), -1)
    expected = rows[:, found.samples.places]
    for given in (samples, rows):
        assert np.array_equal(read_samples(saved(tmp_path, given), found.network, found.samples), expected)
    if inputs not in (shape, (rows.shape[1],)):
        arranged = saved(tmp_path, expected.reshape(-1, *inputs))
        assert np.array_equal(read_samples(arranged, found.network, found.samples), expected)


def test_where_both_shapes_are_equal_samples_have_the_files_order(tmp_path: Path) -> None:
    def cube(graph: Graph) -> str:
        return graph.dense(graph.node("Flatten", graph.conv("x", 4, 3)), 3 * 2 * 2)

    _, path = written(tmp_path, cube, (4, 4, 4))
    found = read_onnx(path, LOSS)
    samples = samples_of((4, 4, 4))
    expected = samples.transpose(0, 2, 3, 1).reshape(len(samples), -1)
    assert np.array_equal(read_samples(saved(tmp_path, samples), found.network, found.samples), expected)


def test_another_shape_is_refused_with_the_ones_that_are_taken(tmp_path: Path) -> None:
    _, path = written(tmp_path, sequence_to_image, (3, 32))
    found = read_onnx(path, LOSS)
    with pytest.raises(CompileError, match=r"takes \[n, 3, 32\] or \[n, 96\] or \[n, 1, 32, 3\]"):
        read_samples(saved(tmp_path, samples_of((32, 3))), found.network, found.samples)


_PROGRAM = """\
#include <math.h>
#include <stdio.h>

#include "net.h"

static _Alignas(4) uint8_t weights[NET_BLOB_BYTES];

int main(void)
{
    static double sample[NET_INPUTS];
    static int16_t input[NET_INPUTS], output[NET_OUTPUTS];

    if (net_start(weights) != NET_OK) {
        return 1;
    }
    while (fread(sample, sizeof sample, 1, stdin) == 1) {
        for (unsigned n = 0; n < NET_INPUTS; n++) {
            input[n] = (int16_t)lrint(ldexp(sample[NET_SAMPLE_PLACE(n)], NET_INPUT_EXPONENT));
        }
        if (net_forward(input, output) != NET_OK) {
            return 1;
        }
        for (unsigned n = 0; n < NET_OUTPUTS; n++) {
            printf("%.9g\\n", ldexp(output[n], -(NET_OUTPUT_EXPONENT)));
        }
    }
    return 0;
}
"""


def compiled_file(path: Path, samples: Path) -> Compiled:
    loaded = load_model(str(path), LOSS)
    shown = read_samples(samples, loaded.network, loaded.source.samples)
    net, source = Component(prefix="net"), loaded.source
    return compile_model(
        loaded.network, loaded.weights, find_board("qemu_m4"), Choice(), shown, source=source, component=net
    )


def outputs_of(folder: Path, samples: Any) -> Any:
    """What the C of a folder computes of samples in the file's own order."""
    (folder / "main.c").write_text(_PROGRAM)
    sources = [folder / name for name in ("main.c", "net.c", "net_weights.c")]
    subprocess.run(["cc", "-std=c11", "-O1", *sources, "-lm", "-o", folder / "program"], check=True, timeout=120)
    given = np.ascontiguousarray(samples, dtype="<f8").tobytes()
    done = subprocess.run([folder / "program"], input=given, capture_output=True, check=True, timeout=60)
    return np.array(done.stdout.split(), dtype=np.float64).reshape(len(samples), -1)


@pytest.mark.parametrize("case", CASES)
def test_the_c_computes_what_the_file_computes_of_samples_in_its_own_order(case: str, tmp_path: Path) -> None:
    make, shape, inputs, strides = CASES[case]
    model, path = written(tmp_path, make, shape)
    samples = samples_of(shape)
    compiled = compiled_file(path, saved(tmp_path, samples))
    write_folder(compiled.files, tmp_path / "made", force=False)
    expected = computed(model, samples)
    error = np.abs(outputs_of(tmp_path / "made", samples) - expected).max()
    assert error < 0.02 * np.ptp(expected)
    told = json.loads(compiled.files["jaragua.json"])["samples"]
    assert told == {"shape": [*shape], "inputs": [*inputs], "strides": None if strides is None else [*strides]}
    readme = compiled.files["README.md"].decode()
    assert ("has another order than the model file's samples" in readme) == (strides is not None)
    assert (" x ".join(map(str, shape)) in readme) or shape == inputs


def random_views(graph: Graph, generator: np.random.Generator) -> tuple[str, tuple[int, ...], tuple[int, int, int]]:
    """Random views and transpositions of an input, the last of them an image: (its name, file's shape, the image's)."""
    image = tuple(int(size) for size in generator.integers(2, 6, 3))
    steps: list[tuple[str, Any]] = []
    shape: tuple[int, ...] = image
    for _ in range(int(generator.integers(0, 4))):  # from the image back to the file's own shape
        kind = int(generator.integers(4))
        if kind == 0:
            order = [int(axis) for axis in generator.permutation(len(shape))]
            steps.append(("Transpose", [0, *(axis + 1 for axis in order)]))
            shape = tuple(shape[axis] for axis in np.argsort(order))
        elif kind == 1:
            steps.append(("Reshape", shape))
            shape = (int(np.prod(shape)),)
        elif kind == 2 and len(shape) > 1:
            steps.append(("Reshape", shape))
            shape = (shape[0] * shape[1], *shape[2:])
        else:
            place = int(generator.integers(len(shape) + 1))
            steps.append(("Squeeze", place + 1))
            shape = (*shape[:place], 1, *shape[place:])
    value = "x"
    for operator, told in reversed(steps):
        if operator == "Transpose":
            value = graph.node("Transpose", value, perm=told)
        else:
            sizes = (1, *told) if operator == "Reshape" else (told,)
            value = graph.node(operator, value, graph.shape(*sizes))
    return value, shape, (image[0], image[1], image[2])


def random_model(generator: np.random.Generator) -> tuple[Any, tuple[int, ...]]:
    graph = Graph(generator)
    value, shape, (channels, height, width) = random_views(graph, generator)
    size = channels * height * width
    if generator.random() < 0.3:
        last = graph.dense(graph.node("Flatten", value), size)
    else:
        image = graph.conv(value, channels, 4, (2, 2))
        last = graph.dense(graph.node("Flatten", graph.node("Relu", image)), 4 * (height - 1) * (width - 1))
    return graph.model(last, (1, *shape)), shape


def taken_or_refused(path: Path) -> ModelFile | None:
    """What is read of a file; None if it is refused for an order that no transposition makes."""
    try:
        return read_onnx(path, LOSS)
    except CompileError as error:
        if "another way than a transposition" not in error.message:
            raise
        return None


def test_random_views_of_the_input_are_taken_in_the_files_order_or_refused(tmp_path: Path) -> None:
    seed = 20_261_123
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    taken = transposed = 0
    for number in range(RANDOM_MODELS):
        model, shape = random_model(generator)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        found = taken_or_refused(path)
        if found is None:
            continue
        taken += 1
        transposed += found.samples.strides is not None
        samples = samples_of(shape, 3)
        rows = read_samples(saved(tmp_path, samples), found.network, found.samples)
        outputs = FloatEngine(found.network, found.weights, np.float64).forward(rows)
        assert np.allclose(outputs, computed(model, samples), atol=1e-4), number
    assert taken > RANDOM_MODELS // 2
    assert transposed > RANDOM_MODELS // 4


def test_a_second_order_of_the_input_is_refused(tmp_path: Path) -> None:
    def both(graph: Graph) -> str:
        one = graph.node("GlobalAveragePool", graph.conv("x", 2, 3))
        other = graph.node("GlobalAveragePool", graph.conv(graph.node("Transpose", "x", perm=[0, 1, 3, 2]), 2, 3))
        return graph.node("Flatten", graph.node("Add", one, other))

    _, path = written(tmp_path, both, (2, 5, 5))
    with pytest.raises(CompileError, match="reads the input in another order than a node before"):
        read_onnx(path, LOSS)


def test_a_dense_layer_beside_a_convolution_reads_the_same_input(tmp_path: Path) -> None:
    def both(graph: Graph) -> str:
        image = graph.dense(graph.node("Flatten", graph.conv("x", 2, 3)), 3 * 3 * 2, 5)
        return graph.dense(graph.node("Add", image, graph.dense(graph.node("Flatten", "x"), 40, 5)), 5)

    model, path = written(tmp_path, both, (2, 5, 4))
    found = read_onnx(path, LOSS)
    samples = samples_of((2, 5, 4), 4)
    rows = read_samples(saved(tmp_path, samples), found.network, found.samples)
    assert np.allclose(FloatEngine(found.network, found.weights, np.float64).forward(rows), computed(model, samples))


def test_an_image_that_was_viewed_in_another_shape_is_not_transposed(tmp_path: Path) -> None:
    """(4, 2, 3) seen as (2, 4, 3) and then transposed is no image of anything any more."""

    def mixed(graph: Graph) -> str:
        image = graph.conv("x", 2, 4, (2, 2))
        seen = graph.node("Reshape", image, graph.shape(1, 2, 4, 3))
        return graph.dense(graph.node("Flatten", graph.node("Transpose", seen, perm=[0, 2, 3, 1])), 24)

    _, path = written(tmp_path, mixed, (2, 3, 4))
    with pytest.raises(CompileError, match=r"\(Transpose\): its input \(1, 2, 4, 3\) is no image"):
        read_onnx(path, LOSS)


def trio(ending: str) -> ModelFile:
    readers: dict[str, Callable[..., ModelFile]] = {"keras": read_keras, "onnx": read_onnx, "tflite": read_litert}
    return readers[ending](FIXTURES / f"trio.{ending}", "softmax_cross_entropy")


def test_keras_and_litert_files_have_the_networks_order() -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    for ending in ("keras", "tflite"):
        assert trio(ending).samples == SampleLayout((9, 8, 2), (9, 8, 2))
    assert trio("onnx").samples == SampleLayout((2, 9, 8), (9, 8, 2), (8, 1, 72))


def test_samples_of_a_keras_file_come_in_the_shape_of_its_input(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    found = read_keras(FIXTURES.parent / "data" / "small.keras")
    assert found.samples == SampleLayout((2, 3), (6,))
    samples = samples_of((2, 3))
    rows = read_samples(saved(tmp_path, samples), found.network, found.samples)
    assert np.array_equal(rows, samples.reshape(len(samples), 6))


def test_an_order_that_no_transposition_makes_has_no_strides() -> None:
    with pytest.raises(ValueError, match="another way"):
        strides_of(np.array([[0, 1], [3, 2]]))
    assert strides_of(np.arange(6).reshape(2, 3)) is None
    assert strides_of(np.arange(6).reshape(2, 3).T) == (1, 3)
