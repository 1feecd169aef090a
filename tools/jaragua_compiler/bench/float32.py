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

from jaragua_compiler import Dense, Network
from jaragua_compiler.bench import emulator, footprint, toolchain

_MAGIC = 0x32334642
_HEADER_NAME = "bench_float32_network.h"
_CORE = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
# gnu11, not c11: strict ISO C would forbid the fused multiply-add at -O2.
_COMMON = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-fdata-sections")
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
        "/* Made by jaragua_compiler.bench.float32; do not edit. */",
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


def _shapes(network: Network) -> Iterator[tuple[int, int, int, bool]]:
    """(layer, inputs, outputs, has a ReLU) of each layer."""
    sizes = [math.prod(shape) for shape in network.shapes]
    for index, layer in enumerate(network.layers):
        yield index, sizes[index], sizes[index + 1], isinstance(layer, Dense) and layer.activation == "relu"


def _arrays(network: Network) -> list[str]:
    targets = 1 if network.loss == "softmax_cross_entropy" else network.outputs
    lines = [f"static float float32_input[{network.input_size}], float32_target[{targets}];"]
    for index, inputs, outputs, _ in _shapes(network):
        lines.append(f"static float weights{index}[{outputs * inputs}], biases{index}[{outputs}];")
        lines.append(f"static float value{index}[{outputs}], error{index}[{outputs}];")
    return lines


def _function(signature: str, body: list[str]) -> list[str]:
    return [f"static {signature}", "{", *(f"    {line}" for line in body), "}"]


def _reads(network: Network) -> list[str]:
    names = [name for index, *_ in _shapes(network) for name in (f"weights{index}", f"biases{index}")]
    return [f"bench_board_read({name}, sizeof {name});" for name in names]


def _source(index: int) -> str:
    return f"value{index - 1}" if index else "float32_input"


def _forward_calls(network: Network) -> list[str]:
    return [
        f"float32_dense_forward({_source(index)}, weights{index}, biases{index}, value{index}, {inputs}, {outputs}, "
        f"{str(relu).lower()});"
        for index, inputs, outputs, relu in _shapes(network)
    ]


def _backward_calls(network: Network) -> list[str]:
    last, _, outputs, _ = list(_shapes(network))[-1]
    lines = [f"const float loss = float32_loss(value{last}, float32_target, error{last}, {outputs});"]
    for index, inputs, outputs, relu in reversed(list(_shapes(network))):
        if relu:
            lines.append(f"float32_relu_backward(value{index}, error{index}, {outputs});")
        if index:
            lines.append(
                f"float32_dense_backward(error{index}, weights{index}, error{index - 1}, {inputs}, {outputs});"
            )
        update = f"{_source(index)}, error{index}, weights{index}, biases{index}, {inputs}, {outputs}, rate"
        lines.append(f"float32_dense_update({update});")
    return [*lines, "return loss;"]
