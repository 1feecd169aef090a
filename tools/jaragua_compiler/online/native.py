"""The device's own learner: the emitted C and jrg_online, built for this machine and called through ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jaragua_compiler.codegen.emitter import emitted_files
from jaragua_compiler.engines import host_build
from jaragua_compiler.engines.c_structure import members, structure
from jaragua_compiler.engines.native import COMPILER_FLAGS, Rate, kernel_folder
from jaragua_compiler.errors import CompileError
from jaragua_compiler.online.learner import Outcome, Report, Settings, Statistics, head_of
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array, unpack_integers
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.engine import checked_vector

LIBRARY = "jrg_online"
_WARMING_UP = 4  # jrg_online_status


class _Settings(ctypes.Structure):
    """jrg_online_settings."""

    _fields_ = members(
        "uint64_t known; bool standardise; uint16_t warm_up; uint8_t horizon_log2, replays; uint16_t slack; "
        "uint32_t threshold"
    )


class _Memory(ctypes.Structure):
    """jrg_online_memory."""

    _fields_ = (
        ("stats", ctypes.POINTER(structure("int32_t mean; uint32_t variance"))),
        ("prototypes", ctypes.POINTER(ctypes.c_int16)),
        *members("void *counts, *ages, *features, *logits, *errors, *rows"),
    )


class _Online(ctypes.Structure):
    """jrg_online."""

    _fields_ = members(
        "jrg_nn_dense head; int8_t exponents[4]; int16_t rate[2]; jrg_online_network network; _Memory memory; "
        "_Settings settings; uint32_t seen, steps; jrg_online_drift drift; uint32_t ring; jrg_online_report report",
        _Memory=_Memory,
        _Settings=_Settings,
        jrg_nn_dense=structure("void *weights, *biases; uint32_t inputs, outputs, input_width, error_width"),
        jrg_online_network=structure("uint16_t inputs; uint8_t input_width; int8_t input_exponent"),
        jrg_online_drift=structure("uint32_t samples; int32_t mean, excess"),
        jrg_online_report=structure(
            "uint32_t samples, correct; uint16_t recent; uint64_t known; uint32_t opened, opened_at; "
            "uint16_t opened_label; uint32_t drifts, drift_at"
        ),
    )


class _Outcome(ctypes.Structure):
    """jrg_online_outcome."""

    _fields_ = members("bool correct, opened, drift; uint32_t loss")


class NativeLearner:
    """A Learner that runs the device's C on this machine; every instance has a library of its own."""

    def __init__(self, plan: Plan, cache: Path | None = None) -> None:
        """Raises CompileError if this network cannot learn online (O1.1) or the C cannot be built."""
        self.plan = plan
        self._head = head_of(plan)
        self._library = host_build.load_private_copy(_build(plan, cache))
        _declare(self._library)
        self._memory = (ctypes.c_uint32 * (plan.blob_bytes // 4))()

    def begin(self, blob: bytes, settings: Settings, rate: LearningRate) -> None:
        """Begin anew on a copy of these weights. Raises CompileError."""
        settings.check(self._head.outputs)
        rate.check()
        unpack_integers(self.plan, blob)
        ctypes.memmove(self._memory, blob, len(blob))
        _require(self._library.jrg_online_model_begin(self._memory, _settings(settings), Rate(*rate)))

    def resume(self, settings: Settings, rate: LearningRate) -> None:
        """Go on with other settings (all but `known`) and another rate. Raises CompileError."""
        settings.check(self._head.outputs)
        rate.check()
        _require(self._library.jrg_online_model_resume(self._memory, _settings(settings), Rate(*rate)))

    def learn(self, x: npt.ArrayLike, label: int) -> Outcome | None:
        """Predict, then learn from one sample, int16 [inputs]; None while the statistics warm up (O3.1)."""
        if not 0 <= label < self._head.outputs:
            raise CompileError(f"the label {label} has no output.", f"Labels are 0..{self._head.outputs - 1}.")
        values = checked_vector(x, self.plan.network.input_size, "inputs").copy()
        outcome = _Outcome()
        status = self._library.jrg_online_model_learn(values.ctypes.data, label, ctypes.byref(outcome))
        if status == _WARMING_UP:
            return None
        _require(status)
        return Outcome(outcome.correct, outcome.opened, outcome.drift, outcome.loss)

    def blob(self) -> bytes:
        """The weights as they are now."""
        return bytes(self._memory)

    def report(self) -> Report:
        """Where the learner stands (O8)."""
        state = self._state()
        values = {name: getattr(state.report, name) for name, *_ in state.report._fields_}
        return Report(**values, mean_loss=state.drift.mean, excess=state.drift.excess)

    def statistics(self) -> Statistics:
        """O2."""
        stats = [self._state().memory.stats[i] for i in range(self.plan.network.input_size)]
        means, variances = [stat.mean for stat in stats], [stat.variance for stat in stats]
        return Statistics(np.array(means, dtype=np.int64), np.array(variances, dtype=np.int64))

    def prototypes(self) -> Int16Array:
        """O5.1."""
        stride = self._head.row_elements
        rows = np.ctypeslib.as_array(self._state().memory.prototypes, (self._head.outputs, stride))
        return rows[:, : self._head.inputs].copy()

    def _state(self) -> _Online:
        state: _Online = self._library.jrg_online_model_state().contents
        return state


def _settings(settings: Settings) -> ctypes._Pointer[_Settings]:
    return ctypes.pointer(_Settings(**asdict(settings)))


def _require(status: int) -> None:
    if status != 0:
        raise CompileError(f"the device's C refuses to learn online (status {status}).")


def _declare(library: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    for function in (library.jrg_online_model_begin, library.jrg_online_model_resume):
        function.argtypes = [pointer, ctypes.POINTER(_Settings), Rate]
    library.jrg_online_model_learn.argtypes = [pointer, ctypes.c_uint32, ctypes.POINTER(_Outcome)]
    library.jrg_online_model_state.restype = ctypes.POINTER(_Online)


def _build(plan: Plan, cache: Path | None) -> Path:
    """The shared library, from the cache if one of the same sources, compiler and flags is there."""
    folder = kernel_folder().parent / LIBRARY
    sources = host_build.Sources(emitted_files(plan), (kernel_folder(), folder), tuple(sorted(folder.glob("*.c"))))
    return host_build.build(sources, COMPILER_FLAGS, cache=cache)
