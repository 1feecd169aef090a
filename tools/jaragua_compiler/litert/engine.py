"""Training steps of a network in LiteRT, float32: the same steps as FloatEngine's (docs/reference/litert.md)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.engine import FloatStep
from jaragua_compiler.floating.form import float_bytes, unpack_floats
from jaragua_compiler.litert.runtime import open_interpreter
from jaragua_compiler.litert.training_file import TrainingFile
from jaragua_compiler.planning.plan import Plan

Float32Array = npt.NDArray[np.float32]


class LitertEngine:
    """The network of a plan in LiteRT. Weights go in and out in their float32 form (M9)."""

    def __init__(self, plan: Plan, file: TrainingFile) -> None:
        """Raises CompileError if the file is of another network or cannot be loaded, RuntimeMissing."""
        if file.architecture != plan.architecture:
            raise CompileError(
                f"{file.path} trains {file.network!r}, architecture {file.architecture.hex()}; "
                f"network {plan.network.name!r} has {plan.architecture.hex()}.",
                f"Make one with `jaragua export-litert {plan.network.name}`.",
            )
        self._plan = plan
        self._signatures = _signatures(file)
        # The first call of any signature sets the variables to what is stored in the file: let it not be a training.
        if len(self.weights()) != float_bytes(plan):
            raise CompileError(f"{file.path} has other weights than its architecture.", "Export it again.")

    def load(self, packed: bytes) -> None:
        """Compute with these weights from now on. Raises CompileError if they are not this network's, or not finite."""
        unpack_floats(self._plan, packed)
        self._restore(packed)

    def weights(self) -> bytes:
        """The weights as they are now."""
        numbers: Float32Array = self._signatures["save"]()["weights"]
        return numbers.astype("<f4").tobytes()

    def last_layer(self) -> Float32Array:
        """The numbers of the last layer as they are now: weights [outputs · inputs], then biases [outputs]."""
        return np.frombuffer(self.weights(), "<f4")[-_last_layer_size(self._plan) :].copy()

    def set_last_layer(self, numbers: npt.NDArray[Any]) -> None:
        """Put other numbers into the last layer; the layers below it stay."""
        below = np.frombuffer(self.weights(), "<f4")[: -len(numbers)]
        self._restore(np.concatenate([below, numbers]).astype("<f4").tobytes())

    def features(self, xs: Float32Array) -> Float32Array:
        """What the last layer is fed [n, inputs of it] with samples [n, inputs]; the network must end in a dense layer.

        A training file tells outputs only. So the last layer, which is put back, passes its inputs on, as many at a
        time as it has outputs.
        """
        outputs, width = self._plan.shapes[-1][0]
        kept, found = self.last_layer(), np.empty((len(xs), width), np.float32)
        for first in range(0, width, outputs):
            count = min(outputs, width - first)
            rows = np.eye(outputs, width, k=first)
            self.set_last_layer(np.concatenate([rows.ravel(), np.zeros(outputs)]))
            for row, x in enumerate(xs):
                found[row, first : first + count] = self.forward(x)[:count]
        self.set_last_layer(kept)
        return found

    def forward(self, x: Float32Array) -> Float32Array:
        """Outputs [outputs] of one sample [inputs]."""
        outputs: Float32Array = self._signatures["infer"](x=_row(x))["outputs"][0]
        return outputs

    def train_step(self, x: Float32Array, target: npt.NDArray[Any], rate: float) -> FloatStep:
        """One step on one sample [inputs]; target: [1], a class label, or the numbers of a regression [outputs]."""
        return _step(self._signatures["train"](x=_row(x), y=self._target(target), rate=np.array([rate], np.float32)))

    def batch_step(self, xs: Float32Array, targets: npt.NDArray[Any], rate: float) -> list[FloatStep]:
        """One step by the mean of the gradients of samples [n, inputs] at the same weights (A11.1).

        A step of each sample from the same start goes its gradient times the rate: the mean of where they lead is where
        the mean of the gradients leads.
        """
        start, total = self.weights(), np.zeros(1)
        results = []
        for x, target in zip(xs, targets, strict=True):
            self._restore(start)
            results.append(self.train_step(x, target, rate))
            total = total + np.frombuffer(self.weights(), "<f4").astype(np.float64)
        self._restore((total / len(results)).astype("<f4").tobytes())
        return results

    def evaluate(self, x: Float32Array, target: npt.NDArray[Any]) -> FloatStep:
        """Loss and correctness of one sample, without learning."""
        return _step(self._signatures["evaluate"](x=_row(x), y=self._target(target)))

    def _restore(self, packed: bytes) -> None:
        self._signatures["restore"](weights=np.frombuffer(packed, "<f4").astype(np.float32))

    def _target(self, target: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._plan.network.classifier:
            return np.asarray(target, np.int32).reshape(1)
        return np.asarray(target, np.float32).reshape(1, -1)


def _last_layer_size(plan: Plan) -> int:
    return sum(math.prod(shape) for shape in plan.shapes[-1])


_SIGNATURES = ("train", "evaluate", "infer", "save", "restore")


def _signatures(file: TrainingFile) -> dict[str, Any]:
    """A function for each; they keep the interpreter they belong to."""
    interpreter = open_interpreter(file.path)
    missing = set(_SIGNATURES) - set(interpreter.get_signature_list())
    if missing:
        raise CompileError(f"{file.path} lacks the signature {', '.join(sorted(missing))}.", "Export it again.")
    return {name: interpreter.get_signature_runner(name) for name in _SIGNATURES}


def _row(x: Float32Array) -> Float32Array:
    return np.asarray(x, np.float32).reshape(1, -1)


def _step(result: dict[str, Any]) -> FloatStep:
    return FloatStep(loss=float(result["loss"]), correct=bool(result["correct"]))
