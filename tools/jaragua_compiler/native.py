"""The native engine: the emitted C and jrg_nn, built for this machine with `cc` and called through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from jaragua_compiler.blob import Int16Array, exponents, unpack_integers
from jaragua_compiler.emitter import SOURCE_NAME, emitted_files
from jaragua_compiler.engine import StepResult
from jaragua_compiler.errors import CompileError
from jaragua_compiler.plan import Plan
from jaragua_compiler.rate import LearningRate
from jaragua_compiler.reference import (
    checked_batch,
    checked_clip,
    checked_least_loss,
    checked_seed,
    checked_vector,
)

COMPILER_FLAGS: Final = (
    "-std=c11",
    "-O2",
    "-fPIC",
    "-shared",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
)
BUILD_TIMEOUT_S: Final = 120


class _Rate(ctypes.Structure):
    _fields_ = (("mantissa", ctypes.c_uint16), ("exponent", ctypes.c_uint8))


class _Result(ctypes.Structure):
    _fields_ = (("correct", ctypes.c_bool), ("loss", ctypes.c_uint32))


def kernel_folder() -> Path:
    """The folder of jrg_nn's C: in the repository, or in the installed package."""
    package = Path(str(files("jaragua_compiler")))
    candidates = [package / "_firmware", package.parents[1] / "firmware"]
    for firmware in candidates:
        folder = firmware / "lib" / "jrg_nn"
        if folder.is_dir():
            return folder
    raise CompileError("the C kernels (firmware/lib/jrg_nn) are missing.", "Install the package again.")


def default_cache() -> Path:
    """Where built engines are kept: $XDG_CACHE_HOME/jaragua/engines, by default under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jaragua" / "engines"


def build_library(plan: Plan, cache: Path | None = None, flags: Sequence[str] = ()) -> Path:
    """The shared library of a plan, built unless the cache holds one of the same sources, compiler and flags.

    `flags` come behind COMPILER_FLAGS: with -O0 a library that runs once is there in a third of the time.
    Two processes may build at once: each builds under a name of its own and moves the result into place.
    Raises CompileError if there is no C compiler or it fails.
    """
    folder = cache or default_cache()
    compiler = find_compiler()
    command = (compiler, *COMPILER_FLAGS, *flags)
    target = folder / f"{_content_key(plan, command)}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _build(plan, command, target)
    return target


class NativeEngine:
    """An Engine that runs the device's C on this machine.

    The generated C keeps its state in static memory, so every instance loads a copy of the library of its own:
    instances share nothing. Calls of one instance from several threads take turns.
    """

    def __init__(self, plan: Plan, cache: Path | None = None, flags: Sequence[str] = ()) -> None:
        """`cache` and `flags` as in build_library. Raises CompileError if the C cannot be built."""
        self.plan = plan
        self._library = load_private_copy(build_library(plan, cache, flags))
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

    def set_clip(self, limit: int) -> None:
        """The largest output error of the steps that follow, in its own unit (A11.7); 0: any."""
        with self._lock:
            self._library.jrg_model_set_clip(checked_clip(limit))

    def set_least_loss(self, least: int) -> None:
        """The least loss, as StepResult has it, of a sample that teaches anything (A11.8); 0: any."""
        with self._lock:
            self._library.jrg_model_set_least_loss(checked_least_loss(least))

    def apply(self) -> None:
        """The step of the samples since the last one, if there are any (A11.5)."""
        with self._lock:
            self._require_weights()
            self._library.jrg_model_apply()

    def forward(self, x: npt.ArrayLike) -> Int16Array:
        """x int16 [inputs] -> outputs int16 [outputs] (A3)."""
        values = checked_vector(x, self.plan.network.input_size, "inputs")
        outputs = np.empty(self.plan.network.outputs, dtype=np.int16)
        with self._lock:
            self._require_weights()
            self._library.jrg_model_forward(values.ctypes.data, outputs.ctypes.data)
        return outputs

    def evaluate(self, x: npt.ArrayLike, target: npt.ArrayLike) -> StepResult:
        """Forward and loss; the weights stay (A4.4)."""
        values, targets = self._sample(x, target)
        with self._lock:
            self._require_weights()
            result = self._library.jrg_model_evaluate(values.ctypes.data, targets.ctypes.data)
        return StepResult(result.correct, result.loss)

    def train_step(self, x: npt.ArrayLike, target: npt.ArrayLike, rate: LearningRate) -> StepResult:
        """One step of training on one sample (A5.8), or one sample of a step (A11.1)."""
        LearningRate(*rate).check()
        values, targets = self._sample(x, target)
        with self._lock:
            self._require_weights()
            if self._library.jrg_model_set_rate(_Rate(*rate)) != 0:
                raise CompileError(f"the native engine refuses the learning rate {tuple(rate)}.")
            result = self._library.jrg_model_train(values.ctypes.data, targets.ctypes.data)
        return StepResult(result.correct, result.loss)

    def _sample(self, x: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Int16Array, Int16Array]:
        network = self.plan.network
        return checked_vector(x, network.input_size, "inputs"), checked_vector(
            target, network.targets, "target numbers"
        )

    def _require_weights(self) -> None:
        if not self._loaded:
            raise CompileError("the engine has no weights yet.", "Call load(blob) first.")


def find_compiler() -> str:
    """The path of the C compiler, $CC or cc. Raises CompileError if there is none."""
    name = os.environ.get("CC") or "cc"
    path = shutil.which(name)
    if path is None:
        raise CompileError(f"no C compiler: {name!r} is not on the PATH.", "Install one, e.g. 'sudo apt install gcc'.")
    return path


def _content_key(plan: Plan, command: Sequence[str]) -> str:
    """Hash of all that decides what is built: sources, kernels, flags, compiler."""
    compiler, *flags = command
    version = subprocess.run([compiler, "--version"], capture_output=True, timeout=BUILD_TIMEOUT_S, check=False).stdout
    digest = hashlib.sha256(version + " ".join(flags).encode())
    for name, text in sorted(emitted_files(plan).items()):
        digest.update(f"{name}\0{text}\0".encode())
    for path in sorted(kernel_folder().glob("*.h")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _build(plan: Plan, compiler: Sequence[str], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as name:
        folder = Path(name)
        for file, text in emitted_files(plan).items():
            (folder / file).write_text(text)
        built = folder / target.name
        command = [*compiler, "-I", str(kernel_folder()), "-I", name, "-o", str(built)]
        result = subprocess.run(
            [*command, str(folder / SOURCE_NAME)], capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
        if result.returncode != 0:
            raise CompileError(f"{compiler[0]} cannot build the native engine: {result.stderr.strip()}")
        os.replace(built, target)


def load_private_copy(library: Path) -> ctypes.CDLL:
    """Load a copy nobody else has: the loader gives memory of its own to every file."""
    with tempfile.TemporaryDirectory(prefix="jaragua-engine-") as folder:
        return ctypes.CDLL(shutil.copy(library, folder))


def _close(library: ctypes.CDLL) -> None:
    close = ctypes.CDLL(None).dlclose
    close.argtypes = [ctypes.c_void_p]
    close(library._handle)


def _declare(library: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    library.jrg_model_check.argtypes = [ctypes.c_char_p, ctypes.c_uint32]
    library.jrg_model_bind.argtypes = [pointer]
    library.jrg_model_set_rate.argtypes = [_Rate]
    library.jrg_model_set_seed.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_seed.restype = None
    library.jrg_model_set_accumulation.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_clip.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_clip.restype = None
    library.jrg_model_set_least_loss.argtypes = [ctypes.c_uint32]
    library.jrg_model_set_least_loss.restype = None
    library.jrg_model_apply.argtypes = []
    library.jrg_model_apply.restype = None
    library.jrg_model_forward.argtypes = [pointer, pointer]
    library.jrg_model_forward.restype = None
    for function in (library.jrg_model_evaluate, library.jrg_model_train):
        function.argtypes = [pointer, pointer]
        function.restype = _Result
