"""A board behind a serial link as a trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from jaragua.errors import ModelError, PortError
from jaragua.node.training.inference import Reals, integers_of, reals_of
from jaragua.node.training.trainer import Figures, Labels, SampleSet, TrainerGone, TrainerRestarted
from jaragua.serial.conversation import SignatureOf
from jaragua.serial.failures import BoardRestarted, BoardSilent
from jaragua.serial.jobs import NO_TEMPERATURE, PLAIN_STEPS, Steps, samples_of
from jaragua.wire.definitions import Operator
from jaragua.wire.messages import Health, Identity, JobState
from jaragua_compiler.engine_protocol import Match
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array
from jaragua_compiler.quantisation.rate import LearningRate


class BoardRequests(Protocol):
    """The part of `serial.Board` the gateway uses; its docstrings hold."""

    signature_of: SignatureOf

    @property
    def identity(self) -> Identity: ...

    def new_job(self) -> int: ...

    async def identify(self) -> Identity: ...

    async def train(
        self, job: int, samples: Sequence[bytes], rate: tuple[int, int], base: bytes = b"", steps: Steps = PLAIN_STEPS
    ) -> JobState: ...

    async def evaluate(
        self, job: int, samples: Sequence[bytes], base: bytes = b"", temperature: tuple[int, int] = NO_TEMPERATURE
    ) -> JobState: ...

    async def enrol(
        self, job: int, samples: Sequence[bytes], base: bytes = b"", *, fresh: bool = False
    ) -> JobState: ...

    async def train_enrolled(
        self, job: int, samples: Sequence[bytes], rate: tuple[int, int], seed: int, temperature: tuple[int, int]
    ) -> JobState: ...

    async def infer(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> Int16Array: ...

    async def recognise(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> list[Match]: ...

    async def read_update(self, state: JobState) -> bytes: ...

    async def health(self) -> Health: ...


@contextmanager
def translated() -> Iterator[None]:
    """The board's errors in the words of `node.training.trainer`."""
    try:
        yield
    except BoardRestarted as error:
        raise TrainerRestarted(error.message, error.hint) from error
    except (BoardSilent, PortError) as error:
        raise TrainerGone(error.message, error.hint) from error


class BoardTrainer:
    """A `Trainer` over a board: the blob is staged only if the board has it not; requests survive a link loss."""

    def __init__(self, board: BoardRequests) -> None:
        self._board = board
        self._trained: JobState | None = None

    async def train(self, plan: Plan, samples: SampleSet, rate: LearningRate, blob: bytes, seed: int) -> Figures:
        """A step for every `samples.step` samples, on the board (L4.4)."""
        self._check_architecture(plan)
        self._check_sums(samples.step)
        self._check_prototypes(samples)
        packed = samples_of(samples.inputs, samples.targets)
        steps = Steps(seed, samples.step, samples.limits(plan, blob), _temperature_of(samples))
        with translated():
            job = self._board.new_job()
            state = await self._board.train(job, packed, rate, blob, steps)
        self._trained = state
        return _figures(plan, state)

    async def evaluate(self, plan: Plan, samples: SampleSet, blob: bytes) -> Figures:
        """Forward and loss, on the board (L4.6)."""
        self._check_architecture(plan)
        self._check_prototypes(samples)
        packed = samples_of(samples.inputs, samples.targets)
        with translated():
            job = self._board.new_job()
            return _figures(plan, await self._board.evaluate(job, packed, blob, _temperature_of(samples)))

    async def enrol(self, plan: Plan, samples: SampleSet, blob: bytes, *, fresh: bool = True) -> Figures:
        """Take each sample into the mean of its class, on the board (L4.13); `fresh`: forget all classes before."""
        self._check_architecture(plan)
        self._check_prototypes(samples)
        packed = samples_of(samples.inputs, samples.targets)
        with translated():
            return _figures(plan, await self._board.enrol(self._board.new_job(), packed, blob, fresh=fresh))

    async def train_enrolled(self, plan: Plan, samples: SampleSet, rate: LearningRate, seed: int) -> Figures:
        """A step on each enrolled sample, on the board (L4.13)."""
        self._check_architecture(plan)
        self._check_prototypes(samples)
        packed = samples_of(samples.inputs, samples.targets)
        with translated():
            job = self._board.new_job()
            state = await self._board.train_enrolled(job, packed, rate, seed, _temperature_of(samples))
        self._trained = state
        return _figures(plan, state)

    async def answers(self, plan: Plan, samples: SampleSet) -> Labels:
        """What the board answers with its working weights, or with the classes it enrolled (L4.6, L4.13)."""
        self._check_architecture(plan)
        self._check_prototypes(samples)
        packed = samples_of(samples.inputs, samples.targets)
        with translated():
            job = self._board.new_job()
            if samples.temperature:
                return np.array([one.label for one in await self._board.recognise(job, packed)], np.int64)
            outputs = await self._board.infer(job, packed)
            return np.asarray(np.argmax(outputs, axis=1), np.int64)

    async def infer(self, plan: Plan, inputs: Reals, blob: bytes) -> Reals:
        """The outputs that the board computes (L4.6)."""
        self._check_architecture(plan)
        rows = integers_of(plan, blob, inputs)
        packed = samples_of(rows, np.zeros((len(rows), plan.network.targets), np.int16))
        with translated():
            return reals_of(plan, blob, await self._board.infer(self._board.new_job(), packed, blob))

    async def read_update(self) -> bytes:
        """The working blob after the last `train` (L4.7)."""
        if self._trained is None:
            raise RuntimeError("read_update before train")
        with translated():
            return await self._board.read_update(self._trained)

    def _check_sums(self, step: int) -> None:
        if step > 1 and not self._board.identity.operators >> Operator.ACCUMULATION & 1:
            raise ModelError(
                f"the board's image takes one sample a step, the run {step} (docs/reference/arithmetic.md, A11.1)",
                "build and flash its image with JARAGUA_ACCUMULATE=1",
            )

    def _check_prototypes(self, samples: SampleSet) -> None:
        if not samples.temperature:
            return
        room, classes = self._board.identity.prototypes, int(samples.targets.max()) + 1
        if classes > room:
            raise ModelError(
                f"the board's image has room for the prototypes of {room} classes, the task has {classes} (L4.13)",
                f"build and flash its image with JARAGUA_PROTOTYPES={classes}",
            )
        if samples.gradients and not self._board.identity.operators >> Operator.PROTOTYPE_GRADIENTS & 1:
            raise ModelError(
                "the board's image has no gradients of prototypes, which the run's episodes take (M18.2)",
                f"build and flash its image with JARAGUA_PROTOTYPES={classes} and without JARAGUA_ACCUMULATE",
            )

    def _check_architecture(self, plan: Plan) -> None:
        identity = self._board.identity
        if identity.architecture != plan.architecture:
            raise ModelError(
                f"the board computes architecture {identity.architecture.hex()} ({identity.model}), "
                f"the run {plan.architecture.hex()} ({plan.network.name})",
                f"build and flash its image for {plan.network.name}",
            )


def _temperature_of(samples: SampleSet) -> tuple[int, int]:
    return LearningRate.from_float(samples.temperature) if samples.temperature else NO_TEMPERATURE


def _figures(plan: Plan, state: JobState) -> Figures:
    return Figures(
        samples=state.done,
        correct=state.correct,
        loss_sum=state.loss_sum,
        loss_exponent=state.loss_exponent,
        outputs=1 if plan.network.classifier else plan.network.outputs,
        instructions=state.instructions,
    )
