"""The native engine of a plan with prototypes (A12)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jaragua_compiler.engine_protocol import Match, StepResult
from jaragua_compiler.engines.c_structure import members
from jaragua_compiler.engines.native import NativeEngine, Rate
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.engine import checked_vector
from jaragua_compiler.reference.prototypes import checked_threshold


def native_engine(plan: Plan) -> NativeEngine:
    """The native engine of a plan: a NativePrototypeEngine if it has prototypes."""
    return NativePrototypeEngine(plan) if plan.prototypes else NativeEngine(plan)


class _Match(ctypes.Structure):
    _fields_ = members("uint16_t label; uint16_t relative; bool accepted; uint64_t distance; uint64_t runner_up")


class NativePrototypeEngine(NativeEngine):
    """A PrototypeEngine that runs the device's C on this machine."""

    def __init__(
        self, plan: Plan, cache: Path | None = None, flags: Sequence[str] = (), march: str | None = None
    ) -> None:
        """As NativeEngine. plan: with prototypes."""
        super().__init__(plan, cache, flags, march)
        self._features = plan.prototype_head.inputs
        library, pointer = self._library, ctypes.c_void_p
        library.jrg_model_enrol.argtypes = [pointer, ctypes.c_uint32]
        for name in ("forget", "enrolled"):
            getattr(library, f"jrg_model_{name}").argtypes = [ctypes.c_uint32]
        library.jrg_model_enrolled.restype = ctypes.c_uint32
        library.jrg_model_forget_all.restype = None
        library.jrg_model_prototype.argtypes = [ctypes.c_uint32, pointer]
        library.jrg_model_recognise.argtypes = [pointer, pointer]
        library.jrg_model_set_rejection.argtypes = [ctypes.c_uint16]
        library.jrg_model_set_rejection.restype = None
        library.jrg_model_set_temperature.argtypes = [Rate]
        for name in ("evaluate_prototypes", "train_prototypes"):
            getattr(library, f"jrg_model_{name}").argtypes = [pointer, pointer, pointer]
        if plan.prototype_gradients:
            library.jrg_model_train_enrolled.argtypes = [pointer, ctypes.c_uint32]

    def enrol(self, x: npt.ArrayLike, label: int) -> None:
        """Take a sample into the mean of its class (A12.1)."""
        values = self._input(x)
        with self._lock:
            self._require_weights()
            self._require(self._library.jrg_model_enrol(values.ctypes.data, self._label(label)))

    def forget(self, label: int) -> None:
        """Forget all samples of a class (A12.1)."""
        with self._lock:
            self._require(self._library.jrg_model_forget(self._label(label)))

    def forget_all(self) -> None:
        """Forget all samples of all classes."""
        with self._lock:
            self._library.jrg_model_forget_all()

    def enrolled(self, label: int) -> int:
        """How many samples of a class are enrolled."""
        with self._lock:
            return int(self._library.jrg_model_enrolled(self._label(label)))

    def prototype(self, label: int) -> Int16Array:
        """The prototype of a class, int16 [features] (A12.2)."""
        numbers = np.empty(self._features, np.int16)
        with self._lock:
            self._require(self._library.jrg_model_prototype(self._label(label), numbers.ctypes.data))
        return numbers

    def recognise(self, x: npt.ArrayLike) -> Match:
        """The class with the nearest prototype (A12.3), and whether it is accepted (A12.8)."""
        values, match = self._input(x), _Match()
        with self._lock:
            self._require_weights()
            self._require(self._library.jrg_model_recognise(values.ctypes.data, ctypes.byref(match)))
        return Match(match.label, match.distance, match.runner_up, match.relative, match.accepted)

    def set_rejection(self, threshold: int) -> None:
        """The largest relative distance that is accepted (A12.8)."""
        with self._lock:
            self._library.jrg_model_set_rejection(checked_threshold(threshold))

    def set_temperature(self, temperature: LearningRate) -> None:
        """The temperature of the calls below (A12.4)."""
        LearningRate(*temperature).check()
        with self._lock:
            self._require(self._library.jrg_model_set_temperature(Rate(*temperature)))

    def evaluate_prototypes(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss with the prototypes as last layer (A12.4)."""
        values, targets = self._sample(x, target)
        with self._lock:
            self._require_weights()
            return self._result(self._library.jrg_model_evaluate_prototypes, values, targets)

    def train_prototypes(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of the layers below the last one, with the prototypes as last layer (A12.6)."""
        LearningRate(*rate).check()
        values, targets = self._sample(x, target)
        with self._lock:
            self._require_weights()
            self._require(self._library.jrg_model_set_rate(Rate(*rate)))
            return self._result(self._library.jrg_model_train_prototypes, values, targets)

    def train_enrolled(self, x: npt.ArrayLike, label: int, rate: LearningRate) -> None:
        """One step on an enrolled sample, by the gradient of its prototype (A12.10)."""
        LearningRate(*rate).check()
        values = self._input(x)
        if not self.plan.prototype_gradients:
            raise CompileError(
                "this engine keeps no gradients of prototypes (A12.9).", "Compile with_prototypes(…, gradients=True)."
            )
        with self._lock:
            self._require_weights()
            self._require(self._library.jrg_model_set_rate(Rate(*rate)))
            self._require(self._library.jrg_model_train_enrolled(values.ctypes.data, self._label(label)))

    def _input(self, x: npt.ArrayLike) -> Int16Array:
        return checked_vector(x, self.plan.network.input_size, "inputs")

    def _label(self, label: int) -> int:
        if not 0 <= label < self.plan.prototypes:
            raise CompileError(
                f"there is no room for class {label}.", f"Give a class from 0 to {self.plan.prototypes - 1}."
            )
        return label
