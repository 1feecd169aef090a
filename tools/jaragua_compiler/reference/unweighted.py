"""Operators without weights in the reference (A9): pools, sums, activations."""

from __future__ import annotations

import numpy as np

from jaragua_compiler.graph.conv_geometry import covered
from jaragua_compiler.operators.descriptor import ONE_Q15, Format
from jaragua_compiler.operators.registry import ACTIVATIONS
from jaragua_compiler.planning.operators import ActivationPlan, AddPlan, PoolPlan
from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.arithmetic import Block, rshift, sats, satu


def masked(error: IntArray, x: IntArray, rectified: bool) -> IntArray:
    """A5.7: no error passes where a ReLU was shut."""
    return np.where(x != 0, error, 0) if rectified else error


class ReferencePool:
    """A9.5."""

    def __init__(self, step: PoolPlan, width: int) -> None:
        self._step = step
        self._width = width

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """x [h·w·c] -> y [positions · c]."""
        image = inputs[0].reshape(self._step.input_shape)
        output = np.zeros(self._step.output_shape, dtype=np.int64)
        for row, column, (top, rows, _), (left, columns, _) in covered(self._step.geometry, image.shape):
            under = image[top : top + rows, left : left + columns].reshape(rows * columns, -1)
            output[row, column] = under.max(axis=0) if self._step.kind == "max" else self._mean(under)
        return output.reshape(-1)

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """The error of every pixel: of a max pool's first largest one, or an equal share."""
        (x,) = inputs
        image = x.reshape(self._step.input_shape)
        below = np.zeros(image.shape, dtype=np.int64)
        errors = error.values.reshape(self._step.output_shape)
        for row, column, (top, rows, _), (left, columns, _) in covered(self._step.geometry, image.shape):
            place = (slice(top, top + rows), slice(left, left + columns))
            below[place] += self._shares(image[place], errors[row, column])
        values = masked(below.reshape(-1), x, self._step.input_rectified)
        return [Block(values, error.exponent - self._step.head_room)]

    def _mean(self, under: IntArray) -> IntArray:
        return sats(rshift(under.sum(axis=0) * _share(len(under)), 15), self._width)

    def _shares(self, under: IntArray, errors: IntArray) -> IntArray:
        rows, columns, channels = under.shape
        if self._step.kind == "average":
            share = rshift(errors * _share(rows * columns), 15 + self._step.head_room)
            return np.broadcast_to(share, under.shape)
        flat = np.zeros((rows * columns, channels), dtype=np.int64)
        best = under.reshape(rows * columns, channels).argmax(axis=0)
        flat[best, np.arange(channels)] = rshift(errors, self._step.head_room)
        return flat.reshape(under.shape)


def _share(pixels: int) -> int:
    """round(2^15 / n)."""
    return (ONE_Q15 + pixels // 2) // pixels


class ReferenceAdd:
    """A9.6."""

    def __init__(self, step: AddPlan, exponents: tuple[int, ...]) -> None:
        self._step = step
        self._shifts = [exponents[tensor] - exponents[step.output_tensor] for tensor in step.input_tensors]

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """a + b in the format of the output."""
        a, b = (rshift(values, shift) for values, shift in zip(inputs, self._shifts, strict=True))
        return (satu if self._step.relu else sats)(a + b, self._step.output_width)

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """Both operands get the whole error."""
        pairs = zip(inputs, self._step.rectified, strict=True)
        return [Block(masked(error.values, x, rectified), error.exponent) for x, rectified in pairs]


class ReferenceActivation:
    """A9.1 to A9.4: the function of the plan's kind, and what A5.7 masks."""

    def __init__(self, step: ActivationPlan, exponents: tuple[int, ...]) -> None:
        self._step = step
        self._function = ACTIVATIONS[step.kind]
        source, output = exponents[step.input_tensor], exponents[step.output_tensor]
        self._format = Format(source, output, step.output_width, step.slope)

    def forward(self, inputs: list[IntArray]) -> IntArray:
        """The activation of every number."""
        return self._function.forward(inputs[0], self._format)

    def backward(self, inputs: list[IntArray], error: Block, rate: LearningRate) -> list[Block]:
        """The error times the activation's slope."""
        (x,) = inputs
        values = self._function.backward(error.values, x, self._format)
        return [Block(masked(values, x, self._step.input_rectified), error.exponent)]
