"""The NumPy reference of the device's arithmetic (docs/arithmetic.md): what every other engine must agree with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jaragua_compiler.arithmetic import PROBABILITY_ONE, Block, LossError, sats, softmax_error, squared_error
from jaragua_compiler.blob import Int16Array, IntArray, exponents, pack_integers, unpack_integers
from jaragua_compiler.engine import StepResult
from jaragua_compiler.errors import CompileError
from jaragua_compiler.plan import Plan
from jaragua_compiler.rate import LearningRate, effective_rate, loss_factor
from jaragua_compiler.reference_dense import ReferenceDense

PROBABILITY_EXPONENT = PROBABILITY_ONE.bit_length() - 1


class ReferenceEngine:
    """An Engine in NumPy, one instance per set of weights."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._factor = loss_factor(plan.network.outputs, plan.network.classifier)
        self._layers: list[ReferenceDense] = []

    def load(self, blob: bytes) -> None:
        """Compute on a copy of these weights from now on. Raises CompileError if the blob is bad (A6.1)."""
        integers = unpack_integers(self.plan, blob)
        self._exponents = exponents(self.plan, blob)
        self._layers = [
            ReferenceDense(layer, matrix, bias, self._exponents)
            for layer, (matrix, bias) in zip(self.plan.layers, integers, strict=True)
        ]

    def blob(self) -> bytes:
        """The weights as they are now (A6.3)."""
        return pack_integers(self.plan, [(layer.matrix, layer.bias) for layer in self._loaded()], self._exponents)

    def set_seed(self, seed: int) -> None:
        """Begin the dither anew (A8.5): nothing here draws from it."""
        checked_seed(seed)

    def forward(self, x: npt.ArrayLike) -> Int16Array:
        """x int16 [inputs] -> outputs int16 [outputs] (A3)."""
        return self._activations(x)[-1].astype(np.int16)

    def evaluate(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss; the weights stay (A4.4)."""
        result = self._loss(self._activations(x)[-1], target)
        return StepResult(result.correct, result.loss)

    def train_step(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of training on one sample (A5.8)."""
        LearningRate(*rate).check()
        activations = self._activations(x)
        result = self._loss(activations[-1], target)
        exponent = PROBABILITY_EXPONENT if self.plan.network.classifier else self._exponents.output
        error: Block | None = Block(result.error, exponent)
        for layer, inputs in zip(reversed(self._layers), reversed(activations[:-1]), strict=True):
            if error is None:
                break
            error = layer.backward(inputs, error, effective_rate(LearningRate(*rate), self._factor))
        return StepResult(result.correct, result.loss)

    def _loaded(self) -> list[ReferenceDense]:
        if not self._layers:
            raise CompileError("the engine has no weights yet.", "Call load(blob) first.")
        return self._layers

    def _activations(self, x: npt.ArrayLike) -> list[IntArray]:
        values = checked_vector(x, self.plan.network.input_size, "inputs").astype(np.int64)
        layers = self._loaded()
        activations = [sats(values, self.plan.layers[0].input_width)]  # A3.0
        for layer in layers:
            activations.append(layer.forward(activations[-1]))
        return activations

    def _loss(self, outputs: IntArray, target: npt.ArrayLike) -> LossError:
        values = checked_vector(target, self.plan.network.targets, "target numbers").astype(np.int64)
        return (
            softmax_error(outputs, int(values[0])) if self.plan.network.classifier else squared_error(outputs, values)
        )


def checked_seed(seed: int) -> int:
    """The seed itself. Raises CompileError unless it has 32 bits (A8.5)."""
    if not 0 <= seed < 1 << 32:
        raise CompileError(f"an engine's seed has 32 bits, got {seed}.")
    return seed


def checked_vector(values: npt.ArrayLike, size: int, what: str) -> Int16Array:
    """`values` as a fresh contiguous int16 [size]. Raises CompileError if they are of another size or type."""
    array = np.asarray(values)
    if array.shape != (size,) or array.dtype != np.int16:
        raise CompileError(f"an engine takes {size} {what} as int16, got {array.dtype} of shape {array.shape}.")
    return np.ascontiguousarray(array)
