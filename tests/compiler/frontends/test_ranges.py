"""The ranges in an int8 LiteRT file decide the formats where nobody gives samples (A2.6)."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from jaragua_compiler import CompileError, Exponents, Plan, ReferenceEngine, calibrate, pack, plan, quantise_inputs
from jaragua_compiler.export import Choice, compile_model
from jaragua_compiler.export.choice import planned
from jaragua_compiler.export.inputs.samples import assumed_samples
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.frontends.flatbuffer import Table, root
from jaragua_compiler.frontends.litert import read_litert
from jaragua_compiler.frontends.litert_file import Graph, Operator, Tensor, read_graph
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.planning.boards import find_board
from jaragua_compiler.quantisation.exponents import tensor_exponents
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_compiler.quantisation.ranges import Range, Ranges
from jaragua_models.loading import load_model

FIXTURES = Path(__file__).parents[1] / "fixtures"
LOSS = "softmax_cross_entropy"
KEPT = {"trio": [0, 12, 13, 14, 18, 20, 21], "residual": [0, 8, 9, 11, 12, 13, 14]}
"""Of each file the tensors that are the network's input and its layers' outputs."""
BEFORE = {"trio": {4: 19}, "residual": {2: 10}}
"""Per layer the tensor that its activation, an operator of its own, reads."""


def read(name: str) -> tuple[ModelFile, Ranges]:
    model = read_litert(FIXTURES / f"{name}-int8.tflite", LOSS)
    assert model.ranges is not None
    return model, model.ranges


@pytest.mark.parametrize("name", ["trio", "residual"])
def test_every_tensor_of_the_network_has_the_range_of_the_files(name: str) -> None:
    _, ranges = read(name)
    tensors = read_graph(FIXTURES / f"{name}-int8.tflite").tensors
    assert [ranges.input, *ranges.outputs] == [tensors[number].range() for number in KEPT[name]]
    before = {layer: found for layer, found in enumerate(ranges.before_activation) if found is not None}
    assert before == {layer: tensors[number].range() for layer, number in BEFORE[name].items()}


@pytest.mark.parametrize("name", ["trio", "residual"])
def test_the_ranges_hold_nearly_all_values_of_inputs_the_file_was_made_with(name: str) -> None:
    (network, weights, *_), ranges = read(name)
    inputs = np.random.default_rng(5).normal(size=(200, network.input_size))  # as fixtures/README.md draws them
    trace, said = FloatEngine(network, weights).trace(inputs), (ranges.input, *ranges.outputs)
    for values, found in zip(trace.tensors, said, strict=True):
        assert found is not None
        step = found.step
        assert np.mean((values < found.low - step) | (values > found.high + step)) < 0.02
        assert np.max(np.abs(values)) > found.magnitude / 2


@pytest.mark.parametrize("ending", [".tflite", ".keras", ".onnx"])
def test_a_file_of_floats_has_no_ranges(ending: str) -> None:
    assert load_model(str(FIXTURES / f"trio{ending}"), LOSS).ranges is None
    assert load_model("digits").ranges is None


def test_a_range_ends_where_its_integers_do() -> None:
    found = Range(0.5, -8)
    assert (found.low, found.high, found.magnitude) == (-60.0, 67.5, 67.25 * (1 - 2.0**-20))
    assert Range(0.5, 0, 0, 255).low == 0.0


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (-1.0, 0.25), (0.0, 4.0), (-0.5, 0.5)])
def test_a2_6_rounding_in_the_file_does_not_cost_a_bit(low: float, high: float) -> None:
    """A converter rounds the zero point to a whole number and the scale to float32."""
    step = np.float32((high - low) / 255)
    found = Range(float(step), round(-128 - low / float(step)))
    largest = max(-low, high)
    assert 0.98 * largest < found.magnitude <= largest


def exponents_of(model: ModelFile, ranges: Ranges | None) -> tuple[Plan, Exponents]:
    compiled = plan(model.network)
    return compiled, calibrate(compiled, model.weights, assumed_samples(model.network, ranges), ranges=ranges)


def forward_error(name: str, ranges: Ranges | None) -> float:
    """Root mean square of what integers make of the logits, less what floats do, over inputs as the file's."""
    model, _ = read(name)
    compiled, chosen = exponents_of(model, ranges)
    engine = ReferenceEngine(compiled)
    engine.load(pack(compiled, model.weights, chosen))
    inputs = np.random.default_rng(5).normal(size=(100, model.network.input_size))
    found = np.array([engine.forward(x) for x in quantise_inputs(compiled, chosen, inputs)]) * 2.0**-chosen.output
    wanted: FloatArray = FloatEngine(model.network, model.weights, np.float64).forward(inputs)
    return float(np.sqrt(np.mean((found - wanted) ** 2)))


@pytest.mark.parametrize("name", ["trio", "residual"])
def test_a2_6_the_ranges_of_a_file_serve_better_than_an_assumption(name: str) -> None:
    """Measured: trio 0.294 without and 0.0035 with them, residual 0.161 and 0.0114 (docs/design/compiler.md)."""
    with_them, without = forward_error(name, read(name)[1]), forward_error(name, None)
    assert with_them < 0.015
    assert with_them < without / 5


def _place(table: Table, field: int) -> int:
    """Where the numbers of a vector in a table are stored."""
    vtable = table.position - struct.unpack_from("<i", table.data, table.position)[0]
    offset: int = struct.unpack_from("<H", table.data, vtable + 4 + 2 * field)[0]
    vector = table.position + offset
    start: int = vector + struct.unpack_from("<I", table.data, vector)[0] + 4
    return start


def with_scale(tensor: int, factor: float, folder: Path) -> Path:
    """The int8 trio with the scale of an activation multiplied."""
    content = bytearray((FIXTURES / "trio-int8.tflite").read_bytes())
    quantisation = root(bytes(content)).tables(2)[0].tables(0)[tensor].table(4)
    assert quantisation is not None
    scale = struct.unpack_from("<f", content, _place(quantisation, 2))[0]
    struct.pack_into("<f", content, _place(quantisation, 2), factor * scale)
    path = folder / "changed.tflite"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("tensor", "place"), [(0, 0), (12, 1), (20, 6)])
def test_a2_6_a_wider_range_gives_a_smaller_exponent(tensor: int, place: int, tmp_path: Path) -> None:
    """Tensors of the file: the input, the first convolution's output, what tanh makes."""
    found = []
    for factor in (1.0, 4.0):
        model = read_litert(with_scale(tensor, factor, tmp_path))
        found.append(tensor_exponents(*exponents_of(model, model.ranges)))
    assert found[0][place] - found[1][place] == 2
    others = [place for place in range(len(found[0])) if found[0][place] != found[1][place]]
    assert others == [place]


def test_a10_5_the_constants_of_frozen_layers_take_the_ranges_of_the_file(tmp_path: Path) -> None:
    found = []
    for factor in (1.0, 4.0):
        model = read_litert(with_scale(12, factor, tmp_path))
        samples = assumed_samples(model.network, model.ranges)
        compiled = freeze(planned(model.network, Choice(train="last")), model.weights, samples, ranges=model.ranges)
        found.append([rows.input_exponent for rows in compiled.frozen if rows is not None])
    assert [one - other for one, other in zip(*found, strict=True)] == [0, 2, 0]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_that_is_none_is_refused(scale: float, tmp_path: Path) -> None:
    path = with_scale(0, scale, tmp_path)
    with pytest.raises(CompileError, match="'serving_default_keras_tensor:0' has the scale") as caught:
        read_litert(path)
    assert caught.value.hint


def test_samples_are_taken_before_the_ranges_of_a_file() -> None:
    (network, weights, *_), ranges = read("trio")
    samples, board = np.random.default_rng(1).uniform(-1, 1, (9, network.input_size)), find_board("pico")
    with_both = compile_model(network, weights, board, Choice(), samples, ranges)
    assert with_both.files == compile_model(network, weights, board, Choice(), samples).files
    assert "chosen from sample inputs" in with_both.files["README.md"].decode()


@pytest.mark.parametrize("train", [None, "last"])
def test_the_self_test_draws_its_samples_over_the_range_of_the_input(train: str | None) -> None:
    (network, weights, *_), ranges = read("trio")
    made = compile_model(network, weights, find_board("pico"), Choice(train=train), None, ranges)
    exponent = int(re.findall(r"INPUT_EXPONENT (-?\d+)", made.files["trio_int8.h"].decode())[0])
    inputs = made.files["trio_int8_selftest.c"].decode().partition("selftest_inputs")[2].partition("};")[0]
    real = np.array([int(word) for word in re.findall(r"-?\d+(?=,)", inputs)]) * 2.0**-exponent
    assert len(real) == 4 * network.input_size
    assert ranges.input.low - 0.01 < real.min() < 0.9 * ranges.input.low
    assert 0.9 * ranges.input.high < real.max() < ranges.input.high + 0.01
    assert "(q + 7) · 0.0301518" in made.files["README.md"].decode()


def activation(scale: float | None = None, kind: int = 9, size: int = 4, zero: int = 0) -> Tensor:
    """A tensor of the graph; of floats if it has no scale."""
    scales = np.zeros(0) if scale is None else np.array([scale])
    return Tensor("x", (1, size), 0 if scale is None else kind, b"", scales, np.full(scales.shape, float(zero)), 0)


def constant(shape: tuple[int, ...], buffer: int = 1) -> Tensor:
    return Tensor("w", shape, 0, np.ones(shape, "<f4").tobytes(), np.zeros(0), np.zeros(0), 0, buffer)


def read_chain(
    monkeypatch: pytest.MonkeyPatch, tensors: list[Tensor], *operators: tuple[str, tuple[int, ...]]
) -> Ranges | None:
    """A file of these tensors, of which operator number n makes tensor n + 1; constants are behind those."""
    steps = [Operator(name, name, inputs, (number + 1,), None) for number, (name, inputs) in enumerate(operators)]
    graph = Graph(tuple(tensors), tuple(steps), (0,), (len(steps),))
    monkeypatch.setattr("jaragua_compiler.frontends.litert.read_graph", lambda _: graph)
    return read_litert("chain.tflite", LOSS).ranges


def test_a_file_that_takes_floats_and_computes_in_int8_has_the_range_of_its_quantize(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensors = [activation(), activation(0.25), activation(0.5), activation(), constant((4, 4))]
    steps = [("QUANTIZE", (0,)), ("FULLY_CONNECTED", (1, 4)), ("DEQUANTIZE", (2,))]
    assert read_chain(monkeypatch, tensors, *steps) == Ranges(Range(0.25, 0), (Range(0.5, 0),), (None,))


def test_of_a_value_in_two_formats_the_range_of_the_first_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [activation(0.25), activation(0.5), activation(0.75), constant((4, 4))]
    found = read_chain(monkeypatch, tensors, ("QUANTIZE", (0,)), ("FULLY_CONNECTED", (1, 3)))
    assert found == Ranges(Range(0.25, 0), (Range(0.75, 0),), (None,))


def test_a_file_without_the_range_of_its_input_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [activation(), activation(0.5), constant((4, 4))]
    assert read_chain(monkeypatch, tensors, ("FULLY_CONNECTED", (0, 2))) is None


def test_an_operator_that_is_folded_leaves_the_range_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product behind a dense layer becomes part of it; a tanh is its activation, and reads what the product made."""
    widths = [activation(scale, kind=7) for scale in (1.0, 2.0, 3.0, 4.0, 5.0)]
    tensors = [*widths, constant((4, 4)), constant((4,)), constant((4, 4), buffer=2)]
    steps = [("FULLY_CONNECTED", (0, 5)), ("MUL", (1, 6)), ("TANH", (2,)), ("FULLY_CONNECTED", (3, 7))]
    int16 = {step: Range(step, 0, -32768, 32767) for step in (1.0, 3.0, 4.0, 5.0)}
    assert read_chain(monkeypatch, tensors, *steps) == Ranges(int16[1.0], (int16[4.0], int16[5.0]), (int16[3.0], None))


def test_a2_6_what_a_file_does_not_say_is_taken_from_samples_over_its_inputs() -> None:
    model, ranges = read("trio")
    alone = ranges.of_input_alone()
    assert (alone.input, set(alone.outputs), set(alone.before_activation)) == (ranges.input, {None}, {None})
    compiled, chosen = exponents_of(model, alone)
    samples = assumed_samples(model.network, ranges)
    assert chosen.inputs[1:] == calibrate(compiled, model.weights, samples).inputs[1:]
    assert chosen != exponents_of(model, ranges)[1]
