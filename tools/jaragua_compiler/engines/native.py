"""The native engine: the emitted C and jrg_nn, built for this machine with `cc` and called through ctypes."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from jaragua_compiler.codegen.emitter import emitted_files
from jaragua_compiler.engine_protocol import StepLimits, StepResult
from jaragua_compiler.engines import host_build
from jaragua_compiler.engines.c_structure import members
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array, exponents, unpack_integers
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_compiler.reference.engine import (
    checked_batch,
    checked_limits,
    checked_seed,
    checked_vector,
)

#: Behind host_build.base_flags().
COMPILER_FLAGS: Final = ("-O2",)


class Rate(ctypes.Structure):
    """jrg_nn_rate."""

    _fields_ = members("uint16_t mantissa; uint8_t exponent")


class _Result(ctypes.Structure):
    _fields_ = members("bool correct; uint32_t loss")


def kernel_folder() -> Path:
    """The folder of jrg_nn's C: in the repository, or in the installed package."""
    package = Path(str(files("jaragua_compiler")))
    candidates = [package / "_firmware", package.parents[1] / "firmware"]
    for firmware in candidates:
        folder = firmware / "lib" / "jrg_nn"
        if folder.is_dir():
            return folder
    raise CompileError("the C kernels (firmware/lib/jrg_nn) are missing.", "Install the package again.")


def build_library(plan: Plan, cache: Path | None = None, flags: Sequence[str] = (), march: str | None = None) -> Path:
    """The shared library of a plan, built unless the cache holds one of the same sources, compiler and flags.

    `flags` come behind COMPILER_FLAGS: with -O0 a library that runs once is there in a third of the time. `march` is
    the processor to build for, as in host_build.build: with host_build.NATIVE a large network learns up to five times
    as fast.
    Raises ToolchainError if there is no C compiler or it fails.
    """
    sources = host_build.Sources(emitted_files(plan), (kernel_folder(),))
    return host_build.build(sources, (*COMPILER_FLAGS, *flags), cache=cache, march=march)


class NativeEngine:
    """An Engine that runs the device's C on this machine.

    The generated C keeps its state in static memory, so every instance loads a copy of the library of its own:
    instances share nothing. Calls of one instance from several threads take turns.
    """

    def __init__(
        self, plan: Plan, cache: Path | None = None, flags: Sequence[str] = (), march: str | None = None
    ) -> None:
        """`cache`, `flags` and `march` as in build_library. Raises ToolchainError if the C cannot be built."""
        self.plan = plan
        self._library = host_build.load_private_copy(build_library(plan, cache, flags, march))
        weakref.finalize(self, _close, self._library)
        _declare(self._library)
        self._lock = threading.Lock()
        self._memory = (ctypes.c_uint32 * (plan.blob_bytes // 4))()
        self._loaded = False

    def load(self, blob: bytes) -> None:
        """Compute on a copy of these weights from now on. Raises CompileError if the blob is bad (A6.1)."""
        exponents(self.plan, blob)
        unpack_integers(self.plan, blob)
        with self._lock:
            status = self.check(blob)
            if status != 0:
                raise CompileError(f"blob: the native engine refuses it (jrg_nn_status {status}).")
            ctypes.memmove(self._memory, blob, len(blob))
            self._loaded = self._library.jrg_model_bind(self._memory) == 0

    def check(self, blob: bytes) -> int:
        """What the C itself says of a blob: a jrg_nn_status, 0 for good."""
        return int(self._library.jrg_model_check(blob, len(blob)))

    def blob(self) -> bytes:
        """The weights as they are now (A6.3)."""
        with self._lock:
            self._require_weights()
            return bytes(self._memory)

    def set_seed(self, seed: int) -> None:
        """Begin the dither of the training steps that follow anew; 32 bits (A8.5)."""
        with self._lock:
            self._library.jrg_model_set_seed(checked_seed(seed))

    def set_accumulation(self, samples: int) -> None:
        """Samples of one step (A11.1). Raises CompileError for several, if the plan has no sums."""
        checked_batch(self.plan, samples)
        with self._lock:
            if self._library.jrg_model_set_accumulation(samples) != 0:
                raise CompileError(f"the native engine refuses {samples} samples a step.")

    def set_limits(self, limits: StepLimits) -> None:
        """The limits of the steps that follow (A11.7, A11.8). Raises CompileError unless each has 32 bits."""
        checked_limits(limits)
        with self._lock:
            self._library.jrg_model_set_loss_threshold(limits.loss_threshold)
            self._library.jrg_model_set_clip(limits.clip)

    def apply(self) -> None:
        """The step of the samples since the last one, if there are any (A11.5)."""
        with self._lock:
            self._require_weights()
            self._require(self._library.jrg_model_apply())

    def forward(self, x: npt.ArrayLike) -> Int16Array:
        """x int16 [inputs] -> outputs int16 [outputs] (A3)."""
        values = checked_vector(x, self.plan.network.input_size, "inputs")
        outputs = np.empty(self.plan.network.outputs, dtype=np.int16)
        with self._lock:
            self._require_weights()
            self._require(self._library.jrg_model_forward(values.ctypes.data, outputs.ctypes.data))
        return outputs

    def evaluate(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss; the weights stay (A4.4)."""
        values, targets = self._sample(x, target)
        with self._lock:
            self._require_weights()
            return self._result(self._library.jrg_model_evaluate, values, targets)

    def train_step(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of training on one sample (A5.8), or one sample of a step (A11.1)."""
        LearningRate(*rate).check()
        values, targets = self._sample(x, target)
        with self._lock:
            self._require_weights()
            if self._library.jrg_model_set_rate(Rate(*rate)) != 0:
                raise CompileError(f"the native engine refuses the learning rate {tuple(rate)}.")
            return self._result(self._library.jrg_model_train, values, targets)

    def _result(self, call: Callable[..., int], x: Int16Array, target: Int16Array) -> StepResult:
        """What jrg_model_evaluate or jrg_model_train gives for a sample."""
        result = _Result()
        self._require(call(x.ctypes.data, target.ctypes.data, ctypes.byref(result)))
        return StepResult(result.correct, result.loss)

    def _sample(self, x: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Int16Array, Int16Array]:
        network = self.plan.network
        return checked_vector(x, network.input_size, "inputs"), checked_vector(
            target, network.targets, "target numbers"
        )

    @staticmethod
    def _require(status: int) -> None:
        if status != 0:
            raise CompileError(f"the native engine refuses this call (jrg_nn_status {status}).")

    def _require_weights(self) -> None:
        if not self._loaded:
            raise CompileError("the engine has no weights yet.", "Call load(blob) first.")


def _close(library: ctypes.CDLL) -> None:
    close = ctypes.CDLL(None).dlclose
    close.argtypes = [ctypes.c_void_p]
    close(library._handle)


def _declare(library: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    library.jrg_model_check.argtypes = [ctypes.c_char_p, ctypes.c_uint32]
    library.jrg_model_bind.argtypes = [pointer]
    library.jrg_model_set_rate.argtypes = [Rate]
    library.jrg_model_set_seed.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_seed.restype = None
    library.jrg_model_set_accumulation.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_clip.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_clip.restype = None
    library.jrg_model_set_loss_threshold.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_loss_threshold.restype = None
    library.jrg_model_apply.argtypes = []
    library.jrg_model_forward.argtypes = [pointer, pointer]
    for function in (library.jrg_model_evaluate, library.jrg_model_train):
        function.argtypes = [pointer, pointer, ctypes.POINTER(_Result)]
