"""The float32 baseline: the same network in plain loops (firmware/bench/bench_float32.c), counted on the same board.

Built twice, as usually (-O2) and with everything the compiler has (-O3 -ffast-math -funroll-loops), both on the FPU;
the better one is what the engine is compared with.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from jaragua_bench.emulated import emulator, footprint, toolchain
from jaragua_compiler import Dense, Network
from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.layers import Conv2D

_MAGIC = 0x32334642
_HEADER_NAME = "bench_float32_network.h"
_CORE = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
# gnu11, not c11: strict ISO C would forbid the fused multiply-add at -O2.
_COMMON = ("-std=gnu11", "-Wall", "-Wextra", "-ffunction-sections", "-fdata-sections")
OPTIMISATIONS = (("-O2",), ("-O3", "-ffast-math", "-funroll-loops"))

Weights = Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Float32Figures:
    """What one training step in float32 costs (means over the samples), at the best of OPTIMISATIONS."""

    instructions: float
    forward_instructions: float
    ram_bytes: int
    flash_bytes: int
    compiler_flags: str
    losses: tuple[float, ...]


def measure(network: Network, weights: Weights, x: Floats, targets: Floats, rate: float) -> Float32Figures:
    """Train on the samples (x [n, inputs]; targets [n, 1] labels or [n, outputs]); the figures of the best build."""
    data = _input(weights, x, targets, rate)
    return min((_measure(network, data, flags) for flags in OPTIMISATIONS), key=lambda figures: figures.instructions)


def network_header(network: Network) -> str:
    """The C of one network: its arrays, its two passes with constant dimensions, and the reading of its weights."""
    lines = [
        "/* Made by jaragua_bench.steps.float32; do not edit. */",
        *_arrays(network),
        *_function("void float32_read_weights(void)", _reads(network)),
        *_function("void float32_forward(void)", _forward_calls(network)),
        *_function("float float32_backward(float rate)", _backward_calls(network)),
    ]
    return "\n".join(lines) + "\n"


def _measure(network: Network, data: bytes, optimisation: tuple[str, ...]) -> Float32Figures:
    classifier = int(network.loss == "softmax_cross_entropy")
    flags = (*_CORE, *_COMMON, *optimisation, f"-DFLOAT32_CLASSIFIER={classifier}")
    with TemporaryDirectory(prefix="jaragua-bench-") as name:
        folder = Path(name)
        (folder / _HEADER_NAME).write_text(network_header(network), encoding="utf-8")
        elf = toolchain.build(_program("bench_float32.c", folder, flags))
        empty = toolchain.build(_program("bench_empty.c", folder, flags))
    records = list(struct.iter_unpack("<IIIf", emulator.run(elf, data, counted=True)))
    forward, train, stack, losses = zip(*records, strict=True)
    sizes = footprint.sizes(elf) - footprint.sizes(empty)
    return Float32Figures(
        instructions=float(np.mean(train)),
        forward_instructions=float(np.mean(forward)),
        ram_bytes=sizes.ram_bytes + max(stack),
        flash_bytes=sizes.flash_bytes,
        compiler_flags=" ".join(optimisation),
        losses=tuple(losses),
    )


def _program(main: str, folder: Path, flags: tuple[str, ...]) -> toolchain.Program:
    bench = toolchain.bench_folder()
    return toolchain.Program((bench / "bench_board.c", bench / main), (bench, folder), flags)


def _input(weights: Weights, x: Floats, targets: Floats, rate: float) -> bytes:
    head = struct.pack("<IIf", _MAGIC, len(x), rate)
    layers = [array.astype("<f4").tobytes() for pair in weights for array in pair]
    samples = [row.astype("<f4").tobytes() for pair in zip(x, targets, strict=True) for row in pair]
    return b"".join((head, *layers, *samples))


@dataclass(frozen=True)
class _FloatLayer:
    """One layer with weights. `geometry` is the struct float32_conv of a convolution, empty for a dense layer."""

    index: int
    weights: int
    inputs: int
    outputs: int
    size: int
    relu: bool
    geometry: str


def _layers(network: Network) -> Iterator[_FloatLayer]:
    """The layers with weights of a chain of dense layers and convolutions. Raises CompileError for any other."""
    for number, index in enumerate(network.weighted):
        layer, shape = network.layers[index], network.weight_shapes(index)[0]
        if not isinstance(layer, Dense | Conv2D):
            raise CompileError(f"layer {index}: the float32 baseline has no {type(layer).__name__}.")
        yield _FloatLayer(
            index=number,
            weights=math.prod(shape),
            inputs=math.prod(shape[1:]),
            outputs=shape[0],
            size=math.prod(network.shapes[index + 1]),
            relu=layer.activation == "relu",
            geometry=_geometry(network, index) if isinstance(layer, Conv2D) else "",
        )


def _geometry(network: Network, index: int) -> str:
    geometry, source = network.conv_geometry(index), network.shapes[network.operands(index)[0]]
    (top, _), (left, _) = geometry.pads
    outputs = network.shapes[index + 1][2]
    numbers = [*source, *geometry.positions, *geometry.kernel, *geometry.stride, top, left, outputs]
    return "(struct float32_conv){" + ", ".join(map(str, numbers)) + "}"


def _arrays(network: Network) -> list[str]:
    targets = 1 if network.loss == "softmax_cross_entropy" else network.outputs
    lines = [f"static float float32_input[{network.input_size}], float32_target[{targets}];"]
    for layer in _layers(network):
        lines.append(f"static float weights{layer.index}[{layer.weights}], biases{layer.index}[{layer.outputs}];")
        lines.append(f"static float value{layer.index}[{layer.size}], error{layer.index}[{layer.size}];")
    return lines


def _function(signature: str, body: list[str]) -> list[str]:
    return [f"static {signature}", "{", *(f"    {line}" for line in body), "}"]


def _reads(network: Network) -> list[str]:
    names = [name for layer in _layers(network) for name in (f"weights{layer.index}", f"biases{layer.index}")]
    return [f"bench_board_read({name}, sizeof {name});" for name in names]


def _source(index: int) -> str:
    return f"value{index - 1}" if index else "float32_input"


def _forward_calls(network: Network) -> list[str]:
    return [_forward_call(layer) for layer in _layers(network)]


def _forward_call(layer: _FloatLayer) -> str:
    index, relu = layer.index, str(layer.relu).lower()
    arrays = f"{_source(index)}, weights{index}, biases{index}, value{index}"
    if layer.geometry:
        return f"float32_conv_forward({layer.geometry}, {arrays}, {relu});"
    return f"float32_dense_forward({arrays}, {layer.inputs}, {layer.outputs}, {relu});"


def _backward_calls(network: Network) -> list[str]:
    layers = list(_layers(network))
    last = layers[-1]
    loss = f"float32_loss(value{last.index}, float32_target, error{last.index}, {last.outputs})"
    lines = [f"const float loss = {loss};"]
    for layer in reversed(layers):
        lines += _learn_calls(layer)
    return [*lines, "return loss;"]


def _learn_calls(layer: _FloatLayer) -> Iterator[str]:
    index, sizes = layer.index, f"{layer.inputs}, {layer.outputs}"
    if layer.relu:
        yield f"float32_relu_backward(value{index}, error{index}, {layer.size});"
    down = f"error{index}, weights{index}, error{index - 1}"
    if index:
        conv = f"float32_conv_backward({layer.geometry}, {down});"
        yield conv if layer.geometry else f"float32_dense_backward({down}, {sizes});"
    arrays = f"{_source(index)}, error{index}, weights{index}, biases{index}"
    if layer.geometry:
        yield f"float32_conv_update({layer.geometry}, {arrays}, rate);"
    else:
        yield f"float32_dense_update({arrays}, {sizes}, rate);"
