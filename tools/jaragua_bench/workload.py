"""The samples a model of the zoo is measured on: support samples of held-out tasks, from a start that was meta-trained.

Untrained weights would have other zero-gradient rows than a real device's, and how many rows have a zero gradient
decides what a step costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from jaragua_bench.steps.steps import Step
from jaragua_compiler.engine_protocol import StepLimits
from jaragua_compiler.engines.host_build import NATIVE
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.graph.initial_weights import Weights, initial_weights
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs, quantise_targets, unpack
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import Defaults, Model, NamesDevices, Samples

FloatArray = npt.NDArray[np.float64]

SEED = 20
TASKS = 8
#: Behind native.COMPILER_FLAGS, for engines that do many steps, with host_build.NATIVE: a large network takes a seventh
#: of the time, with the same bits.
QUICK = ("-O3",)
# Exponents are found anew in every round: of a large set of images a part is enough.
_CALIBRATION_MOST_NUMBERS = 500_000
_CALIBRATION_FEW = 100


#: From a start and a device's samples to the steps it takes, the first of which brings the start.
DeviceWork: TypeAlias = Callable[[bytes, Samples], list[Step]]


@dataclass(frozen=True)
class Workload:
    """Steps to measure, their samples as real numbers, and the weights they start from."""

    steps: tuple[Step, ...]
    samples: tuple[Samples, ...]
    weights: Weights


def prepare(model: Model, plan: Plan, tasks: int = TASKS, weights: Weights | None = None) -> Workload:
    """The steps learn held-out tasks from a start: `weights`, or one meta-trained for the default number of rounds."""
    weights = weights or meta_train(model, plan)
    defaults = model.defaults
    drawn = [model.tasks.held_out_task(SEED + n, defaults.ways, defaults.shots, defaults.ways) for n in range(tasks)]
    samples = tuple(task.support for task in drawn)
    blob = packed(model, plan, weights)
    steps = [step for support in samples for step in task_steps(plan, blob, support, defaults.learning_rate)]
    return Workload(tuple(steps), samples, weights)


def task_steps(plan: Plan, blob: bytes, support: Samples, learning_rate: float) -> list[Step]:
    """One pass over a task's samples; the first step brings the weights."""
    found = exponents(plan, blob)
    rate = LearningRate.from_float(learning_rate)
    inputs, targets = quantise_inputs(plan, found, support.x), quantise_targets(plan, found, support.y)
    starts = [blob] + [None] * (len(support) - 1)
    return [Step(x, target, rate, start) for x, target, start in zip(inputs, targets, starts, strict=True)]


def meta_train(model: Model, plan: Plan, work: DeviceWork | None = None) -> Weights:
    """TinyReptile with the model's defaults: the start moves towards the mean of what its clients' training made of it.

    work: what a client does with its samples; None: a step a sample, in as many passes as the defaults say.
    One client a round would not do: on digits it ends worse than a random start (tasks.md), with other
    zero-gradient rows.
    """
    engine = NativeEngine(plan, flags=QUICK, march=NATIVE)
    weights = initial_weights(plan.network, SEED)
    defaults = model.defaults
    names = [
        f"device-{n + 1}" if isinstance(model.tasks, NamesDevices) else f"bench-{n}" for n in range(defaults.clients)
    ]
    for number in range(defaults.rounds):
        blob = packed(model, plan, weights)
        trained = []
        for name in names:
            task = model.tasks.train_task(name, number, defaults.ways, defaults.shots)
            steps = work(blob, task.support) if work else _default_steps(plan, blob, task.support, defaults)
            trained.append(_adapted(engine, plan, steps))
        weights = _moved(weights, trained, defaults.alpha * (1.0 - number / defaults.rounds))
    return weights


def _default_steps(plan: Plan, blob: bytes, support: Samples, defaults: Defaults) -> list[Step]:
    once = task_steps(plan, blob, support, defaults.learning_rate)
    return [*once, *([replace(step, blob=None) for step in once] * (defaults.training_passes - 1))]


def _adapted(engine: NativeEngine, plan: Plan, steps: Sequence[Step]) -> Weights:
    for step in steps:
        if step.blob is not None:
            engine.load(step.blob)
        engine.set_limits(StepLimits(step.loss_threshold))
        engine.train_step(step.x, step.target, step.rate)
    return unpack(plan, engine.blob())


def _moved(start: Weights, trained: Sequence[Weights], alpha: float) -> Weights:
    """start + alpha (mean of trained - start), layer by layer."""
    layers = zip(start, *trained, strict=True)
    return [
        (_towards(w, [one[0] for one in rest], alpha), _towards(b, [one[1] for one in rest], alpha))
        for (w, b), *rest in layers
    ]


def _towards(start: FloatArray, trained: Sequence[FloatArray], alpha: float) -> FloatArray:
    moved: FloatArray = start + alpha * (np.mean(trained, axis=0) - start)
    return moved


def packed(model: Model, plan: Plan, weights: Weights) -> bytes:
    """The blob of these weights, with exponents found on a part of the task's samples."""
    samples = model.tasks.calibration()
    if samples.size > _CALIBRATION_MOST_NUMBERS:
        samples = samples[:: len(samples) // _CALIBRATION_FEW]
    return pack(plan, weights, calibrate(plan, weights, samples))
