"""A8: the kernels of a dense layer with int8 weights compute the reference's bits: natively, on the emulated Cortex-M4
with its DSP instructions, and on the Cortex-M0+ with the portable path."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from jaragua_bench.emulated import emulator, toolchain
from jaragua_compiler.engines.host_build import base_flags
from jaragua_compiler.engines.native import COMPILER_FLAGS, kernel_folder
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.quantisation.dither import Dither
from jaragua_compiler.quantisation.exponents import LayerScale, bias_shift
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block
from jaragua_compiler.reference.dense_w8 import ReferenceDenseW8

HERE = Path(__file__).parent
PLACES = np.array([0, 2, 1, 3])  # A8.6
NATIVE = "native"
MACHINES = [
    NATIVE,
    pytest.param(toolchain.CORTEX_M4, marks=pytest.mark.board),
    pytest.param(toolchain.CORTEX_M0PLUS, marks=pytest.mark.board),
]


@dataclass(frozen=True)
class Shape:
    """A layer at compile time."""

    inputs: int
    outputs: int
    relu: bool = True
    rectified: bool = True
    passes_down: bool = True

    @property
    def input_width(self) -> int:
        return _width(self.inputs)

    @property
    def error_width(self) -> int:
        return _width(self.outputs)

    @property
    def stride(self) -> int:
        return (self.inputs + 3) // 4 * 4


@dataclass(frozen=True)
class Case:
    """One step: what goes in."""

    layer: DensePlan
    scale: LayerScale
    weights: np.ndarray
    biases: np.ndarray
    x: np.ndarray
    error: Block
    rate: LearningRate
    seed: int
    number: int


@dataclass(frozen=True)
class Outcome:
    """One step: what comes out. `below` is None where no error is passed down."""

    y: np.ndarray
    weights: np.ndarray
    biases: np.ndarray
    below: np.ndarray
    below_exponent: int
    forward_instructions: int = 0
    learn_instructions: int = 0


SHAPES = {
    "quads": Shape(32, 10),
    "odd": Shape(7, 5, relu=False),
    "one": Shape(1, 1),
    "wide": Shape(301, 67),
    "first layer": Shape(64, 32, passes_down=False),
    "first layer, odd": Shape(13, 3, passes_down=False),
    "wide first layer": Shape(650, 25, passes_down=False),
    "linear below": Shape(66, 9, rectified=False),
}


def _width(terms: int) -> int:
    """A8.1."""
    return max(7, min(15, 23 - (terms - 1).bit_length()))


def _case(generator: np.random.Generator, shape: Shape, lively: bool = False) -> Case:
    layer = _layer(shape, int(generator.integers(0, 9)))
    scale = _scale(generator, shape)
    spread = int(generator.choice([1, 8, 40, 128]))
    error = generator.integers(-(1 << 15), 1 << 15, shape.outputs) * int(generator.choice([1, 60, 1000]))
    least = 0 if shape.rectified else -(1 << layer.input_width)
    x = generator.integers(least, 1 << layer.input_width, shape.inputs)
    if not lively:
        error[generator.random(shape.outputs) < 0.4] = 0
        error >>= int(generator.integers(0, 12))
        x[generator.random(shape.inputs) < 0.4] = 0
    return Case(
        layer,
        scale,
        weights=generator.integers(-spread, spread, (shape.outputs, shape.inputs)),
        biases=generator.integers(-(1 << 30), 1 << 30, shape.outputs) >> int(generator.integers(0, 20)),
        x=x,
        error=Block(error, int(generator.integers(0, 20))),
        rate=LearningRate(int(generator.integers(16384, 32768)), int(generator.integers(15, 30))),
        seed=int(generator.integers(2**32)),
        number=int(generator.integers(3)),
    )


def _layer(shape: Shape, index: int) -> DensePlan:
    return DensePlan(
        step=index,
        input_tensors=(index,),
        output_tensor=index + 1,
        rectified=(shape.rectified,),
        passes_error=(shape.passes_down,),
        index=index,
        inputs=shape.inputs,
        outputs=shape.outputs,
        relu=shape.relu,
        input_width=shape.input_width,
        output_width=15,
        error_width=shape.error_width,
        weights_offset=0,
        weight_format="w8",
        trained_rows=shape.outputs,
    )


def _scale(generator: np.random.Generator, shape: Shape) -> LayerScale:
    rows = generator.integers(0, 8) + generator.integers(0, 9, shape.outputs)
    inputs = int(generator.integers(max(-8, -((15 - shape.input_width - 9) // 2)), 16))
    lowest, highest = int(rows.min()), int(rows.max())
    output = int(generator.integers(highest + inputs - 30, lowest + inputs - 1))
    return LayerScale(lowest, inputs, output, tuple(rows.tolist()))


def _expected(shape: Shape, case: Case) -> Outcome:
    dither = Dither()
    dither.restart(case.seed)
    for _ in range(case.number):
        dither.advance()
    layer = ReferenceDenseW8(case.layer, case.weights, case.biases, case.scale, dither)
    y = layer.forward([case.x])
    below = Block(np.zeros(shape.inputs, dtype=np.int64), 0)
    if case.error.values.any():
        (passed,) = layer.backward([case.x], case.error, case.rate)
        below = passed if shape.passes_down else below
    return Outcome(y, layer.matrix, layer.bias, below.values, below.exponent)


def _stored(rows: np.ndarray, stride: int) -> np.ndarray:
    padded = np.zeros((len(rows), stride), dtype=np.int8)
    padded[:, : rows.shape[1]] = rows
    return padded.reshape(len(rows), -1, 4)[:, :, PLACES]


def _step_bytes(shape: Shape, case: Case) -> bytes:
    scale = case.scale
    head = struct.pack(
        "<8i2I",
        *(scale.inputs, scale.output, scale.weights, bias_shift(case.layer, scale.inputs)),
        *(case.rate.mantissa, case.rate.exponent, case.error.exponent, case.layer.index),
        *(case.seed, case.number),
    )
    x = np.zeros(shape.stride, dtype="<i2")
    x[: shape.inputs] = case.x
    numbers = np.concatenate([case.error.values, case.biases]).astype("<i4").tobytes()
    channels = np.array(scale.rows, dtype=np.int8).tobytes().ljust((shape.outputs + 3) // 4 * 4, b"\0")
    return _padded(b"".join((head, numbers, channels, _stored(case.weights, shape.stride).tobytes(), x.tobytes())))


def _padded(data: bytes) -> bytes:
    """As C pads a structure of 32-bit numbers."""
    return data.ljust((len(data) + 3) // 4 * 4, b"\0")


def _outcomes(shape: Shape, data: bytes) -> list[Outcome]:
    layout = np.dtype(
        [
            ("forward", "<u4"),
            ("learn", "<u4"),
            ("exponent", "<i4"),
            ("below", "<i4", shape.inputs),
            ("biases", "<i4", shape.outputs),
            ("weights", "i1", (shape.outputs, shape.stride // 4, 4)),
            ("y", "<i2", (shape.outputs + 1) // 2 * 2),
        ]
    )
    return [_outcome(shape, record) for record in np.frombuffer(data, layout)]


def _outcome(shape: Shape, record: np.void) -> Outcome:
    weights = record["weights"][:, :, PLACES].reshape(shape.outputs, -1)
    assert not weights[:, shape.inputs :].any(), "the padding of a row is no longer zero"
    below, y = np.atleast_1d(record["below"]), record["y"][: shape.outputs]
    return Outcome(
        y,
        weights[:, : shape.inputs],
        np.atleast_1d(record["biases"]),
        below,
        int(record["exponent"]),
        int(record["forward"]),
        int(record["learn"]),
    )


def _defines(shape: Shape) -> tuple[str, ...]:
    values = {
        "INPUTS": shape.inputs,
        "OUTPUTS": shape.outputs,
        "INPUT_WIDTH": f"{shape.input_width}u",
        "OUTPUT_WIDTH": "15u",
        "ERROR_WIDTH": f"{shape.error_width}u",
        "RELU": int(shape.relu),
        "RECTIFIED": int(shape.rectified),
        "PASSES_DOWN": int(shape.passes_down),
    }
    return tuple(f"-D{name}={value}" for name, value in values.items())


def _on_board(shape: Shape, core: str, data: bytes, counted: bool = False) -> bytes:
    bench = toolchain.bench_folder()
    sources = (bench / "bench_board.c", HERE / "dense_w8_steps.c")
    program = toolchain.Program(sources, (bench, kernel_folder()), (*toolchain.c_flags(core), *_defines(shape)))
    return emulator.run(toolchain.build(program), data, counted=counted, core=core)


def _native(shape: Shape, data: bytes) -> bytes:
    compiler = shutil.which("cc")
    assert compiler is not None
    flags = [flag for flag in (*base_flags(), *COMPILER_FLAGS) if flag not in ("-fPIC", "-shared")]
    sources = [str(HERE / name) for name in ("dense_w8_steps.c", "bench_board_native.c")]
    with TemporaryDirectory(prefix="jaragua-w8-") as name:
        folder = Path(name)
        includes = [f"-I{toolchain.bench_folder()}", f"-I{kernel_folder()}"]
        command = [compiler, *flags, "-fsanitize=undefined", *_defines(shape), *includes, "-o", f"{name}/steps"]
        subprocess.run([*command, *sources], check=True)
        (folder / "in.bin").write_bytes(data)
        done = subprocess.run([f"{name}/steps"], cwd=folder, capture_output=True, check=True)
        assert not done.stderr, done.stderr.decode()
        return (folder / "out.bin").read_bytes()


def _input(shape: Shape, cases: list[Case]) -> bytes:
    return b"".join([struct.pack("<I", len(cases)), *(_step_bytes(shape, case) for case in cases)])


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", SHAPES)
def test_a8_kernels_and_reference_agree(name: str, machine: str) -> None:
    shape = SHAPES[name]
    generator = np.random.default_rng(8)
    cases = [_case(generator, shape) for _ in range(60)]
    data = _input(shape, cases)
    outcomes = _outcomes(shape, _native(shape, data) if machine == NATIVE else _on_board(shape, machine, data))
    for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=True)):
        expected = _expected(shape, case)
        for field in ("y", "biases", "below_exponent", "below", "weights"):
            got, want = getattr(outcome, field), getattr(expected, field)
            if field == "below_exponent" and not expected.below.any():
                continue
            assert np.array_equal(got, want), f"{name}, step {number}, {field}: {got} instead of {want}"
