"""Boards that are none: what `serial.Board` promises, over the reference engine, with faults on demand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np

import jaragua_models
from common.identity import IDENTITY
from jaragua.errors import PortError
from jaragua.gateway.board_trainer import BoardRequests
from jaragua.serial.board import BoardEvent, Listener
from jaragua.serial.conversation import SignatureOf
from jaragua.serial.failures import BoardRestarted, BoardSilent
from jaragua.serial.jobs import NO_TEMPERATURE, PLAIN_STEPS, Steps
from jaragua.wire.definitions import JobKind, JobPhase
from jaragua.wire.messages import Health, Identity, JobState, Progress
from jaragua_compiler import LearningRate, ReferenceEngine, plan
from jaragua_compiler.engine_protocol import Match, StepResult
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_compiler.quantisation.blob import Int16Array


class FakeBoard:
    """A board with weights in memory; `faults` are raised one by one, in place of the next requests' answers."""

    def __init__(self, uid: bytes, model: str = "digits", prototypes: int = 0, *, gradients: bool = True) -> None:
        """prototypes: classes there is room for (L4.13). gradients: of prototypes, if there are any."""
        self._model = jaragua_models.get(model)
        self._plan = plan(self._model.network)
        if prototypes:
            self._plan = with_prototypes(self._plan, prototypes, gradients)
        self._engine = ReferenceEngine(self._plan)
        self.uid = uid
        self.signature_of: SignatureOf = lambda sha256: None
        self.staged = b""
        self.uploads = 0
        self.jobs: list[tuple[int, JobKind, int]] = []
        self.faults: list[Exception] = []
        self.loss_thresholds: list[int] = []
        self.on_event: Callable[[BoardEvent], None] = lambda event: None
        self._working = False
        self._good = 0
        self._job = 0
        self.answers = asyncio.Event()  # whether identify is answered
        self.answers.set()

    @property
    def identity(self) -> Identity:
        network = self._plan.network
        return replace(
            IDENTITY,
            uid=self.uid,
            model=self._model.name,
            architecture=self._plan.architecture,
            blob_bytes=self._plan.blob_bytes,
            inputs=network.input_size,
            outputs=network.outputs,
            classifier=network.classifier,
            staged=self.staged,
            operators=self._plan.operators,
            prototypes=self._plan.prototypes,
        )

    def new_job(self) -> int:
        self._job += 1
        return self._job

    def restart(self) -> None:
        self.staged, self._working = b"", False
        if self._plan.prototypes:
            self._engine.forget_all()

    async def identify(self) -> Identity:
        await self.answers.wait()
        return self.identity

    async def health(self) -> Health:
        self._meet_fault()
        return Health(1, *range(10, 26))

    async def train(
        self, job: int, samples: Sequence[bytes], rate: tuple[int, int], base: bytes = b"", steps: Steps = PLAIN_STEPS
    ) -> JobState:
        assert steps.batch == 1, "the fake board has no sums"
        self._engine.set_seed(steps.seed)
        self._engine.set_limits(steps.limits)
        self.loss_thresholds.append(steps.limits.loss_threshold)
        step = self._with_prototypes(steps.temperature).train_prototypes if steps.temperature[0] else None
        step = step or self._engine.train_step
        return self._run(job, JobKind.TRAIN, samples, base, lambda x, y: step(x, y, LearningRate(*rate)))

    async def evaluate(
        self, job: int, samples: Sequence[bytes], base: bytes = b"", temperature: tuple[int, int] = NO_TEMPERATURE
    ) -> JobState:
        step = self._with_prototypes(temperature).evaluate_prototypes if temperature[0] else self._engine.evaluate
        return self._run(job, JobKind.EVALUATE, samples, base, step)

    async def enrol(self, job: int, samples: Sequence[bytes], base: bytes = b"", *, fresh: bool = False) -> JobState:
        if fresh:
            self._engine.forget_all()

        def step(x: Any, y: Any) -> StepResult:
            self._engine.enrol(x, int(y[0]))
            return StepResult(False, 0)

        return self._run(job, JobKind.ENROL, samples, base, step)

    async def train_enrolled(
        self, job: int, samples: Sequence[bytes], rate: tuple[int, int], seed: int, temperature: tuple[int, int]
    ) -> JobState:
        self._engine.set_seed(seed)
        engine = self._with_prototypes(temperature)

        def step(x: Any, y: Any) -> StepResult:
            engine.train_enrolled(x, int(y[0]), LearningRate(*rate))
            return StepResult(False, 0)

        return self._run(job, JobKind.TRAIN_ENROLLED, samples, b"", step)

    async def infer(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> Int16Array:
        rows: list[Int16Array] = []
        self._run(job, JobKind.INFER, samples, base, lambda x, _: _answered(rows, self._engine.forward(x)))
        return np.array(rows, np.int16)

    async def recognise(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> list[Match]:
        found: list[Match] = []
        self._run(job, JobKind.RECOGNISE, samples, base, lambda x, _: _answered(found, self._engine.recognise(x)))
        return found

    def _with_prototypes(self, temperature: tuple[int, int]) -> ReferenceEngine:
        self._engine.set_temperature(LearningRate(*temperature))
        return self._engine

    async def read_update(self, state: JobState) -> bytes:
        self._meet_fault()
        return self._engine.blob()

    def fail_after(self, requests: int, fault: Exception) -> None:
        """So many requests are answered before the fault."""
        self._good, self.faults = requests, [fault]

    def _meet_fault(self) -> None:
        if self._good:
            self._good -= 1
        elif self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, (BoardRestarted, BoardSilent, PortError)):
                self.restart()
            raise fault

    def _run(
        self, job: int, kind: JobKind, samples: Sequence[bytes], base: bytes, step: Callable[[Any, Any], StepResult]
    ) -> JobState:
        self._meet_fault()
        self._take(base)
        values = [np.frombuffer(sample, "<i2") for sample in samples]
        results = [step(one[1:], one[:1]) for one in values]
        self.jobs.append((job, kind, len(samples)))
        correct, loss = sum(one.correct for one in results), sum(one.loss for one in results)
        self.on_event(Progress(job, len(samples), len(samples), correct, loss, 11))
        fields: dict[str, Any] = {"id": 1, "job": job, "kind": kind, "state": JobPhase.DONE, "done": len(samples)}
        return JobState(**fields, correct=correct, loss_sum=loss, loss_exponent=11, instructions=9000, blob_crc=0)

    def _take(self, base: bytes) -> None:
        if not base:
            assert self._working, "a job without a base, and the board has no working weights"
            return
        if hashlib.sha256(base).digest() != self.staged:
            self.uploads += 1
            self.staged = hashlib.sha256(base).digest()
        self._engine.load(base)
        self._working = True


def _answered(answers: list[Any], one: Any) -> StepResult:
    answers.append(one)
    return StepResult(False, 0)


class FakePorts:
    """Ports by URL; `plugged` says which of them exist."""

    def __init__(self, boards: dict[str, FakeBoard]) -> None:
        self.boards = boards
        self.plugged = set(boards)
        self.refusals: dict[str, Exception] = {}
        self.opened: list[str] = []

    def open(
        self, url: str, on_event: Callable[[BoardEvent], None], listener: Listener | None = None
    ) -> AbstractAsyncContextManager[BoardRequests]:
        @asynccontextmanager
        async def opened() -> Any:
            self.opened.append(url)
            if url in self.refusals:
                raise self.refusals[url]
            if url not in self.plugged:
                raise PortError(f"there is no port {url}", "check the cable")
            board = self.boards[url]
            board.on_event = on_event
            yield board

        return opened()
