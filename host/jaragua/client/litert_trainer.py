"""This machine as a trainer in float32: LiteRT's training step, off the event loop (M9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from jaragua.errors import DataError
from jaragua.node.training.trainer import Figures, Labels, Progress, SampleSet
from jaragua.settings import only_in_integers
from jaragua.strategies.enrolment import prototype_layer
from jaragua.wire.figures import LARGEST_LOSS, within
from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.engine import FloatStep
from jaragua_compiler.floating.form import pack_floats, unpack_floats
from jaragua_compiler.litert.engine import LitertEngine
from jaragua_compiler.litert.training_file import TrainingFile
from jaragua_compiler.planning.plan import Plan, with_prototypes
from jaragua_compiler.quantisation.blob import exponents, pack, unpack
from jaragua_compiler.quantisation.exponents import Exponents, tensor_exponents
from jaragua_compiler.quantisation.rate import LearningRate

# Samples between two looks at the event loop: progress, and an end of the work when it is cancelled.
_SLICE = 16
# Figures count the loss in integers: fine enough for float32.
_LOSS_EXPONENT = 24

T = TypeVar("T")
Floats = npt.NDArray[np.float32]
_Step = Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], FloatStep]
_Steps = Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], list[FloatStep]]


class TrainingFiles:
    """The training files this machine has, one for each network at most."""

    def __init__(self, files: Sequence[TrainingFile]) -> None:
        self._files = {file.architecture: file for file in files}

    def engine(self, plan: Plan) -> LitertEngine:
        """A new engine of the network. Raises CompileError if there is no file for it, or it cannot be loaded."""
        file = self._files.get(plan.architecture)
        if file is None:
            raise CompileError(self._missing(plan.network.name, plan), _export(plan.network.name))
        return LitertEngine(plan, file)

    def lacks(self, model: str, plan: Plan) -> str | None:
        """Why a run of that model cannot be followed, in one sentence with the command that helps; None if it can."""
        if plan.architecture in self._files:
            return None
        return f"{self._missing(model, plan).rstrip('.')}; {_export(model).rstrip('.')}"

    def _missing(self, model: str, plan: Plan) -> str:
        have = ", ".join(f"{file.network!r} ({file.architecture.hex()})" for file in self._files.values())
        return f"no training file is for {model!r}, architecture {plan.architecture.hex()}: there is {have}."


class LitertTrainer:
    """A `Trainer` over LiteRT.

    A start in float32 form gives an update in that form. A start that is a blob is read as real numbers, its samples
    too, and gives a blob of the same exponents (M9).
    """

    def __init__(self, files: TrainingFiles, progress: Callable[[Progress], None]) -> None:
        self._files = files
        self._progress = progress
        self._engines: dict[bytes, LitertEngine] = {}
        self._engine: LitertEngine | None = None
        self._plan: Plan | None = None
        self._formats: Exponents | None = None
        """Exponents of the blob that the job started from; None if it started in float32."""
        self._last_layer: Floats | None = None
        """As the job found it, while prototypes are in its place (M18)."""
        self._prototypes: Floats | None = None

    async def prepare(self, plan: Plan) -> LitertEngine:
        """The engine of `plan`, loaded when it is first asked for."""
        if plan.architecture not in self._engines:
            self._engines[plan.architecture] = await asyncio.to_thread(self._files.engine, plan)
        return self._engines[plan.architecture]

    async def train(self, plan: Plan, samples: SampleSet, rate: LearningRate, blob: bytes, seed: int) -> Figures:
        """A step for every `samples.step` samples, at the very rate the boards take. The seed is unused: no dither."""
        if samples.gradients:
            raise DataError(
                "LiteRT has no gradients of prototypes (M18.2)", "leave out episode_queries, or use --engine native"
            )
        if names := only_in_integers(samples.settings):
            raise DataError(f"LiteRT computes in float32, which has no {names}", "leave it out, or use --engine native")
        engine = await self._start(plan, samples, blob)
        numbers, held = (rate.to_float(), samples.settings.loss_threshold), self._prototypes
        if samples.step > 1:
            return await self._work(
                plan, samples, samples.step, lambda x, y: _held(engine, held, _batch_step(engine, x, y, *numbers))
            )
        step = _one_by_one(lambda x, target: _held(engine, held, _train_step(engine, x, target, *numbers)))
        return await self._work(plan, samples, _SLICE, step)

    async def evaluate(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Forward and loss only."""
        engine = await self._start(plan, samples, blob)
        return await self._work(plan, samples, _SLICE, _one_by_one(engine.evaluate))

    async def enrol(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Put the means of the classes into the last layer, which then holds still (A12.4): W = 2 T P, b = -T |P|².

        Raises: DataError for a class that the network has no output for, CompileError if it ends in no dense layer.
        """
        with_prototypes(plan)
        outputs = plan.network.outputs
        if (asked := int(samples.targets.max()) + 1) > outputs:
            message = f"LiteRT puts prototypes into the {outputs} outputs of the network, the task has {asked} classes"
            raise DataError(message, "ask for fewer classes, or use --engine native")
        engine = await self._start(plan, samples, blob)
        real = samples if self._formats is None else _real(plan, self._formats, samples)
        features = await asyncio.to_thread(engine.features, real.inputs)
        labels = samples.targets[:, 0].astype(np.int64)
        rows, biases = prototype_layer(features, labels, samples.temperature, outputs)
        self._prototypes = np.concatenate([rows.ravel(), biases]).astype(np.float32)
        engine.set_last_layer(self._prototypes)
        return Figures(len(samples), 0, 0, _LOSS_EXPONENT, outputs=1, instructions=0)

    async def train_enrolled(self, plan: Plan, samples: SampleSet, rate: LearningRate, seed: int) -> Figures:
        """Raises: DataError, as `train` of such samples does."""
        return await self.train(plan, samples, rate, b"", seed)

    async def answers(self, plan: Plan, samples: SampleSet) -> Labels:
        """By the last layer of the engine that worked last, which holds the prototypes if classes were enrolled."""
        if self._engine is None:
            raise RuntimeError("answers before train")
        engine = self._engine
        real = samples if self._formats is None else _real(plan, self._formats, samples)
        found: list[int] = []
        for start in range(0, len(real), _SLICE):
            some = real.inputs[start : start + _SLICE]
            found += await asyncio.to_thread(lambda rows: [int(np.argmax(engine.forward(x))) for x in rows], some)
        return np.array(found, np.int64)

    async def infer(self, plan: Plan, inputs: npt.NDArray[np.float64], blob: bytes) -> npt.NDArray[np.float64]:
        """The outputs in float32, of the weights of a blob as real numbers (M9)."""
        engine = await self.prepare(plan)
        engine.load(pack_floats(plan, unpack(plan, blob)))
        self._engine = None  # its weights are no update
        rows = inputs.astype(np.float32)
        outputs = await asyncio.to_thread(lambda: np.stack([engine.forward(row) for row in rows]))
        return outputs.astype(np.float64)

    async def read_update(self) -> bytes:
        """The weights of the engine that worked last, in the form of its start.

        Raises: CompileError if a blob is wanted and a weight is not a finite number.
        """
        if self._engine is None or self._plan is None:
            raise RuntimeError("read_update before train")
        learned = self._engine.weights()
        if self._last_layer is not None and self._prototypes is not None:
            kept = self._last_layer.astype("<f4").tobytes()
            learned = learned[: -len(kept)] + kept
        if self._formats is None:
            return learned  # finite or not: whether it is believed is for R17 to say
        return pack(self._plan, unpack_floats(self._plan, learned), self._formats)

    async def _start(self, plan: Plan, samples: SampleSet, blob: bytes) -> LitertEngine:
        self._engine, self._plan = await self.prepare(plan), plan
        if blob:
            self._formats = None if samples.in_float32 else exponents(plan, blob)
            self._engine.load(blob if samples.in_float32 else pack_floats(plan, unpack(plan, blob)))
            self._last_layer, self._prototypes = self._engine.last_layer(), None
        return self._engine

    async def _work(self, plan: Plan, samples: SampleSet, count: int, steps: _Steps) -> Figures:
        """All samples in order, `count` at a time. A loss that no number tells counts as the largest there is (M11)."""
        outputs = 1 if plan.network.classifier else plan.network.outputs
        largest = LARGEST_LOSS["accuracy" if plan.network.classifier else "mse"]
        real = samples if self._formats is None else _real(plan, self._formats, samples)
        correct, loss = 0, 0.0
        for start in range(0, len(real), count):
            some = slice(start, start + count)
            results = await asyncio.to_thread(steps, real.inputs[some], real.targets[some])
            correct += sum(result.correct for result in results)
            loss += outputs * sum(within(result.loss, 0.0, largest) for result in results)
            done = start + len(results)
            self._progress(Progress(done, len(real), correct, loss / done))
        return Figures(len(real), correct, round(loss * 2.0**_LOSS_EXPONENT), _LOSS_EXPONENT, outputs, instructions=0)


def _one_by_one(step: _Step) -> _Steps:
    return lambda inputs, targets: [step(x, target) for x, target in zip(inputs, targets, strict=True)]


def _held(engine: LitertEngine, last_layer: Floats | None, done: T) -> T:
    """What was done, after which the last layer is put back where it was, if there are prototypes in it (A12.6)."""
    if last_layer is not None:
        engine.set_last_layer(last_layer)
    return done


def _train_step(
    engine: LitertEngine, x: npt.NDArray[np.float32], target: npt.NDArray[Any], rate: float, loss_threshold: float
) -> FloatStep:
    """A training step; of a sample below the loss threshold only the look at it (A11.8, in real numbers)."""
    if loss_threshold and (seen := engine.evaluate(x, target)).loss < loss_threshold:
        return seen
    return engine.train_step(x, target, rate)


def _batch_step(
    engine: LitertEngine, xs: npt.NDArray[np.float32], targets: npt.NDArray[Any], rate: float, loss_threshold: float
) -> list[FloatStep]:
    """A step by the mean of the gradients, 0 for a sample below the loss threshold, which counts in the mean (A11.8).

    The mean over all is the mean over the others times their share, so the rate is taken times that share.
    """
    if not loss_threshold:
        return engine.batch_step(xs, targets, rate)
    seen = [engine.evaluate(x, target) for x, target in zip(xs, targets, strict=True)]
    teaches = np.array([step.loss >= loss_threshold for step in seen])
    if teaches.any():
        engine.batch_step(xs[teaches], targets[teaches], rate * float(teaches.mean()))
    return seen


def _real(plan: Plan, formats: Exponents, samples: SampleSet) -> SampleSet:
    """Samples in a blob's integers as the real numbers they stand for (A2.2, A2.5)."""
    inputs = np.ldexp(samples.inputs.astype(np.float32), -tensor_exponents(plan, formats)[0])
    classifier = plan.network.classifier
    targets = samples.targets if classifier else np.ldexp(samples.targets.astype(np.float32), -formats.output)
    return replace(samples, inputs=inputs, targets=targets)


def _export(model: str) -> str:
    return f"Make one with `jaragua export-litert {model}` on a machine with TensorFlow and give it with --litert."
