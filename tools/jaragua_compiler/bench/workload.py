"""The samples a model of the zoo is measured on: support samples of held-out tasks, from a start that was meta-trained.

Untrained weights would have other dead rows than a real device's, and how many rows are dead decides what a step costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.bench.steps import Step
from jaragua_compiler.blob import exponents, pack, quantise_inputs, quantise_targets, unpack
from jaragua_compiler.exponents import calibrate
from jaragua_compiler.initial import Weights, initial_weights
from jaragua_compiler.native import NativeEngine
from jaragua_compiler.plan import Plan
from jaragua_compiler.rate import LearningRate
from jaragua_models import Model, Samples

SEED = 20
TASKS = 8


@dataclass(frozen=True)
class Workload:
    """Steps to measure, their samples as real numbers, and the weights they start from."""

    steps: tuple[Step, ...]
    samples: tuple[Samples, ...]
    weights: Weights


def prepare(model: Model, plan: Plan) -> Workload:
    """Meta-train a start for the model's default number of rounds; the steps learn TASKS held-out tasks from it."""
    weights = meta_train(model, plan)
    defaults = model.defaults
    tasks = [model.tasks.held_out_task(SEED + n, defaults.ways, defaults.shots, defaults.ways) for n in range(TASKS)]
    samples = tuple(task.support for task in tasks)
    blob = _pack(model, plan, weights)
    steps = [step for support in samples for step in task_steps(plan, blob, support, defaults.learning_rate)]
    return Workload(tuple(steps), samples, weights)


def task_steps(plan: Plan, blob: bytes, support: Samples, learning_rate: float) -> list[Step]:
    """One pass over a task's samples; the first step brings the weights."""
    found = exponents(plan, blob)
    rate = LearningRate.from_float(learning_rate)
    inputs, targets = quantise_inputs(plan, found, support.x), quantise_targets(plan, found, support.y)
    starts = [blob] + [None] * (len(support) - 1)
    return [Step(x, target, rate, start) for x, target, start in zip(inputs, targets, starts, strict=True)]


def meta_train(model: Model, plan: Plan) -> Weights:
    """TinyReptile with one client a round: the start moves towards what each task's training made of it."""
    engine = NativeEngine(plan)
    weights = initial_weights(plan.network, SEED)
    rounds = model.defaults.rounds
    for number in range(rounds):
        task = model.tasks.train_task(f"bench-{number % 5}", number, model.defaults.ways, model.defaults.shots)
        trained = _adapted(engine, plan, _pack(model, plan, weights), task.support, model.defaults.learning_rate)
        weights = _moved(weights, trained, model.defaults.alpha * (1.0 - number / rounds))
    return weights


def _adapted(engine: NativeEngine, plan: Plan, blob: bytes, support: Samples, learning_rate: float) -> Weights:
    engine.load(blob)
    for step in task_steps(plan, blob, support, learning_rate):
        engine.train_step(step.x, step.target, step.rate)
    return unpack(plan, engine.blob())


def _moved(start: Weights, trained: Weights, alpha: float) -> Weights:
    pairs = zip(start, trained, strict=True)
    return [(w + alpha * (tw - w), b + alpha * (tb - b)) for (w, b), (tw, tb) in pairs]


def _pack(model: Model, plan: Plan, weights: Weights) -> bytes:
    return pack(plan, weights, calibrate(plan, weights, model.tasks.calibration()))
