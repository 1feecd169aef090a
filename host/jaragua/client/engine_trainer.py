"""This machine as a trainer: the generated C of the network, built native, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from jaragua.node.training.inference import Reals, integers_of, reals_of
from jaragua.node.training.trainer import Figures, Labels, Progress, SampleSet
from jaragua_compiler.engine_protocol import Engine, PrototypeEngine, StepResult
from jaragua_compiler.planning.plan import LOGIT_EXPONENT, MOST_PROTOTYPES, Plan, with_prototypes
from jaragua_compiler.quantisation.blob import Int16Array, exponents
from jaragua_compiler.quantisation.rate import LearningRate

# Samples between two looks at the event loop: progress, and an end of the work when it is cancelled.
_SLICE = 16

_Step = Callable[[Int16Array, Int16Array], StepResult]
_Answer = Callable[[Int16Array], int]


class EngineTrainer:
    """A `Trainer` over an engine; the engine of a plan is made (built, if need be) when it is first asked for."""

    def __init__(self, make_engine: Callable[[Plan], Engine], progress: Callable[[Progress], None]) -> None:
        self._make_engine = make_engine
        self._progress = progress
        self._engines: dict[tuple[bytes, bool, int, bool], Engine] = {}
        self._engine: Engine | None = None

    async def prepare(self, plan: Plan) -> Engine:
        """The engine of `plan`; compiling its C takes a second the first time."""
        key = plan.architecture, plan.accumulate, plan.prototypes, plan.prototype_gradients
        if key not in self._engines:
            self._engines[key] = await asyncio.to_thread(self._make_engine, plan)
        return self._engines[key]

    async def train(self, plan: Plan, samples: SampleSet, rate: LearningRate, blob: bytes, seed: int) -> Figures:
        """A step for every `samples.step` samples, in order (A5.8, A11.1). Engines are kept: all is set anew."""
        engine = await self._start(_image(plan, samples), blob)
        engine.set_seed(seed)
        engine.set_accumulation(samples.step)
        engine.set_limits(samples.limits(plan, blob))
        step = _with_prototypes(engine, samples).train_prototypes if samples.temperature else engine.train_step
        figures = await self._work(plan, engine, samples, lambda x, target: step(x, target, rate))
        engine.apply()
        return figures

    async def evaluate(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Forward and loss only; without a blob on the weights there are."""
        engine = await self._start(_image(plan, samples), blob) if blob else self._working()
        step = _with_prototypes(engine, samples).evaluate_prototypes if samples.temperature else engine.evaluate
        return await self._work(plan, engine, samples, step)

    async def enrol(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Forget all classes, then take each sample into the mean of its class (A12.1)."""
        engine = _with_prototypes(await self._start(_image(plan, samples), blob), samples)
        engine.forget_all()

        def step(x: Int16Array, target: Int16Array) -> StepResult:
            engine.enrol(x, int(target[0]))
            return StepResult(False, 0)

        return await self._work(plan, engine, samples, step)

    async def train_enrolled(self, plan: Plan, samples: SampleSet, rate: LearningRate, seed: int) -> Figures:
        """A step on each enrolled sample, on the weights there are (A12.10)."""
        engine = _with_prototypes(await self._start(_image(plan, samples), b""), samples)
        engine.set_seed(seed)

        def step(x: Int16Array, target: Int16Array) -> StepResult:
            engine.train_enrolled(x, int(target[0]), rate)
            return StepResult(False, 0)

        return await self._work(plan, engine, samples, step)

    async def answers(self, plan: Plan, samples: SampleSet) -> Labels:
        """By the outputs of the engine that worked last, or by the classes it enrolled."""
        answer = _recogniser(self._working(), samples) if samples.temperature else _classifier(self._working())
        found: list[int] = []
        for start in range(0, len(samples), _SLICE):
            some = samples.inputs[start : start + _SLICE]
            found += await asyncio.to_thread(lambda rows: [answer(x) for x in rows], some)
        return np.array(found, np.int64)

    async def infer(self, plan: Plan, inputs: Reals, blob: bytes) -> Reals:
        """The outputs of the generated C (A3)."""
        engine = await self._start(replace(plan, accumulate=False), blob)
        rows = integers_of(plan, blob, inputs)
        return reals_of(plan, blob, await asyncio.to_thread(lambda: np.stack([engine.forward(row) for row in rows])))

    async def read_update(self) -> bytes:
        """The weights of the engine that worked last."""
        return self._working().blob()

    def _working(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("read_update before train")
        return self._engine

    async def _start(self, plan: Plan, blob: bytes) -> Engine:
        """An engine of the plan on these weights, or on those of the engine that worked last."""
        weights = blob or self._working().blob()
        self._engine = await self.prepare(plan)
        self._engine.load(weights)
        return self._engine

    async def _work(self, plan: Plan, engine: Engine, samples: SampleSet, step: _Step) -> Figures:
        exponent = _loss_exponent(plan, engine)
        correct = loss_sum = 0
        for start in range(0, len(samples), _SLICE):
            results = await asyncio.to_thread(_steps, step, samples, start)
            correct += sum(result.correct for result in results)
            loss_sum += sum(result.loss for result in results)
            done = start + len(results)
            self._progress(Progress(done, len(samples), correct, loss_sum * 2.0**-exponent / done))
        outputs = 1 if plan.network.classifier else plan.network.outputs
        return Figures(len(samples), correct, loss_sum, exponent, outputs, instructions=0)


def _image(plan: Plan, samples: SampleSet) -> Plan:
    """What a job with these samples needs; with prototypes all jobs take the same engine, which keeps the classes."""
    if samples.temperature:
        return with_prototypes(replace(plan, accumulate=not samples.gradients), MOST_PROTOTYPES, samples.gradients)
    return replace(plan, accumulate=samples.step > 1)


def _with_prototypes(engine: Engine, samples: SampleSet) -> PrototypeEngine:
    """The engine of a plan with prototypes, at the temperature of the samples (A12.4)."""
    prototypes = cast(PrototypeEngine, engine)
    prototypes.set_temperature(LearningRate.from_float(samples.temperature))
    return prototypes


def _classifier(engine: Engine) -> _Answer:
    return lambda x: int(np.argmax(engine.forward(x)))


def _recogniser(engine: Engine, samples: SampleSet) -> _Answer:
    prototypes = _with_prototypes(engine, samples)
    return lambda x: prototypes.recognise(x).label


def _steps(step: _Step, samples: SampleSet, start: int) -> list[StepResult]:
    inputs, targets = samples.inputs[start : start + _SLICE], samples.targets[start : start + _SLICE]
    return [step(x, target) for x, target in zip(inputs, targets, strict=True)]


def _loss_exponent(plan: Plan, engine: Engine) -> int:
    """A4.4: Q11 nats, or twice the output's exponent."""
    return LOGIT_EXPONENT if plan.network.classifier else 2 * exponents(plan, engine.blob()).output
