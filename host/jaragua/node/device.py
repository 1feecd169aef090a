"""One device of a node: its state on the broker and its jobs, one at a time."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from jaragua.boards import BoardKind
from jaragua.errors import JaraguaError
from jaragua.node.questions import Question
from jaragua.node.training.trainer import Trainer, TrainerGone, TrainerRestarted
from jaragua.wire.messages import AdaptCommand, DeviceState, TrainCommand
from jaragua.wire.rejections import Reason
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan

LOGGER = logging.getLogger(__name__)

DeviceKind = BoardKind | Literal["pi"]
StateName = Literal["init", "ready", "training", "sleeping", "disconnected", "lost", "stale"]
#: P3: jobs that wait for a device.
MOST_JOBS = 64
#: P3, M51: questions that wait for a device.
MOST_QUESTIONS = 8
# A board that goes away each time it is given the same job is not helped by another try.
_MOST_TRIES = 5


@dataclass(frozen=True)
class TrainJob:
    """A train-command on its way through a device."""

    command: TrainCommand


@dataclass(frozen=True)
class AdaptJob:
    """An adapt-command, and where its answer goes."""

    command: AdaptCommand
    response_topic: str
    correlation: bytes | None


DeviceJob = TrainJob | AdaptJob


class DeviceHost(Protocol):
    """What a device needs of its node."""

    async def perform(self, trainer: Trainer, job: DeviceJob) -> None:
        """Carry the job out and hand the result on."""
        ...

    def refuse(self, job: DeviceJob, why: str, reason: Reason = Reason.COMMAND) -> None:
        """Tell whoever asked that it will not be done, and count it."""
        ...

    async def reply(self, trainer: Trainer, question: Question) -> None:
        """Have a question answered, and hand the answer on."""
        ...

    def decline(self, question: Question, why: str, reason: Reason = Reason.COMMAND) -> None:
        """Tell whoever asked that there is no answer, and count it."""
        ...

    def is_of_the_run(self, job: DeviceJob) -> bool:
        """Whether a job belongs to what the coordinator says of the run: it goes before others."""
        ...

    def state_changed(self, device: Device) -> None:
        """Publish the device's state."""
        ...


class Device:
    """A device under its name in the fleet. A board's model and architecture are its image's, a Pi's the run's."""

    def __init__(self, host: DeviceHost, name: str, kind: DeviceKind, model: str, architecture: bytes) -> None:
        self.name = name
        self.kind = kind
        self.update_command = ""  # what puts another image on the board
        self.needs_signatures = False  # the board verifies the coordinator's (G32)
        self.format: str | None = None  # "f32" of one that computes in float32 (M9)
        self.lacks: Callable[[str, Plan], str | None] = lambda model, plan: None  # why a Pi cannot follow the run
        self._host = host
        self._model = model
        self._architecture = architecture
        self._state: StateName = "init"
        self._reason: str | None = None
        self._stale_reason: str | None = None
        self._jobs: deque[DeviceJob] = deque()
        self._questions: deque[Question] = deque()
        self._current: DeviceJob | None = None
        self._tries = 0
        self._wake = asyncio.Event()
        self._held = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def message(self, epoch: int) -> DeviceState:
        """The device's state as it is published."""
        return DeviceState(
            state="stale" if self._stale_reason else self._state,
            epoch=epoch,
            kind=self.kind,
            model=self._model,
            architecture=self._architecture,
            reason=self._stale_reason or self._reason,
            format=self.format,
        )

    @property
    def architecture(self) -> bytes:
        """Of the network that it computes (A6.2)."""
        return self._architecture

    @property
    def stale_reason(self) -> str | None:
        """Why the device cannot take part (in one sentence with the command that helps), or None."""
        return self._stale_reason

    def set_state(self, state: StateName, reason: str | None = None) -> None:
        """Change the state and publish it, if it is another one."""
        if (state, reason) != (self._state, self._reason):
            self._state, self._reason = state, reason
            self._host.state_changed(self)
        if state == "lost":
            self._decline_all(reason or f"{self.name} is lost")

    def link_broken(self, reason: str) -> None:
        """The link to an idle device is gone for now; with a job under way, the job finds out by itself."""
        if self._current is None:
            self.set_state("lost", reason)

    def link_mended(self) -> None:
        """The link is there again."""
        if self._state == "lost":
            self.set_state("ready")

    def set_identity(self, model: str, architecture: bytes) -> None:
        """What the device turned out to compute."""
        if (model, architecture) != (self._model, self._architecture):
            self._model, self._architecture = model, architecture
            self._host.state_changed(self)

    def mark_stale(self, reason: str | None) -> None:
        """Leave the device out (its jobs are refused), or take it in again with None. Said once."""
        if reason == self._stale_reason:
            return
        self._stale_reason = reason
        if reason:
            LOGGER.warning("%s is left out: %s", self.name, reason)
            self._refuse_all(reason)
        self._host.state_changed(self)

    def expect(self, model: str, plan: Plan, image: str, refusal: str | None = None) -> None:
        """The run computes this network: a Pi follows, a board built for another one is stale.

        image: what an image of it is built for, as `jaragua flash --model` takes it. refusal: why no such device can.
        """
        if self.kind == "pi":
            self.set_identity(model, plan.architecture)
            self.mark_stale(refusal or self.lacks(model, plan))
            return
        matches = plan.architecture == self._architecture
        self.mark_stale(refusal if matches else self._wrong_architecture(model, image))

    def submit(self, job: DeviceJob) -> None:
        """Take a job; one that is waiting or under way already is not taken twice.

        A bounded number waits (P3): for one of the run another has to go.
        """
        job = job if self.format == "f32" else _in_integers(job)
        if self._stale_reason:
            self._host.refuse(job, self._stale_reason)
        elif job != self._current and job not in self._jobs:
            self._jobs.append(job)
            self._wake.set()
            if len(self._jobs) > MOST_JOBS:
                self._give_up_one()

    def ask(self, question: Question) -> None:
        """Take a question; it is answered when no job waits. A bounded number waits (P3)."""
        if self._stale_reason:
            self._host.decline(question, self._stale_reason)
        elif self._state == "lost":
            self._host.decline(question, self._reason or f"{self.name} is lost")
        elif len(self._questions) >= MOST_QUESTIONS:
            self._host.decline(question, f"{MOST_QUESTIONS} questions wait for {self.name} already", Reason.FLOOD)
        else:
            self._questions.append(question)
            self._wake.set()

    def _give_up_one(self) -> None:
        """The newest of those that are not of the run; if all are, the newest."""
        of_the_run = self._host.is_of_the_run
        surplus = next((job for job in reversed(self._jobs) if not of_the_run(job)), self._jobs[-1])
        self._jobs.remove(surplus)
        self._host.refuse(surplus, f"{MOST_JOBS} jobs wait for {self.name} already", Reason.FLOOD)

    def drop(self, unwanted: Callable[[DeviceJob], bool]) -> None:
        """Forget waiting jobs; the one under way ends by itself."""
        self._jobs = deque(job for job in self._jobs if not unwanted(job))

    @property
    def is_busy(self) -> bool:
        """Whether a job is under way."""
        return not self._is_idle.is_set()

    async def hold(self) -> None:
        """Begin no further job; returns when none is under way. The jobs that wait stay until `release`."""
        self._held = True
        await self._is_idle.wait()

    def release(self) -> None:
        """Begin jobs again."""
        self._held = False
        self._wake.set()

    async def serve(self, trainer: Trainer) -> None:
        """Carry out jobs until the trainer is gone (TrainerGone); the job under way is kept for the next."""
        while True:
            self.set_state("ready", self._reason if self._state in ("ready", "training") else None)
            job = await self._next(trainer)
            self.set_state("training")
            failure = await self._try(trainer, job)
            self.set_state("ready", failure)

    async def _next(self, trainer: Trainer) -> DeviceJob:
        """The next job; while there is none, questions are answered (M51)."""
        while self._current is None or self._held:
            is_free = self._current is None and not self._held
            if is_free and self._jobs:
                self._current, self._tries = self._first(), 0
            elif is_free and self._questions:
                self._is_idle.clear()
                await self._answer(trainer, self._questions.popleft())
            else:
                self._is_idle.set()
                self._wake.clear()
                await self._wake.wait()
        self._is_idle.clear()
        return self._current

    def _first(self) -> DeviceJob:
        """Take the job that is next: of those of the run the oldest, else the oldest."""
        first = next(filter(self._host.is_of_the_run, self._jobs), self._jobs[0])
        self._jobs.remove(first)
        return first

    async def _answer(self, trainer: Trainer, question: Question) -> None:
        """Once: who asks can ask again. Raises: TrainerGone, after it was said."""
        try:
            await self._host.reply(trainer, question)
        except (JaraguaError, CompileError) as error:
            self._host.decline(question, in_words(error))
            if isinstance(error, TrainerGone):
                raise

    async def _try(self, trainer: Trainer, job: DeviceJob) -> str | None:
        """One attempt; the sentence why it failed, if it did."""
        self._tries += 1
        try:
            await self._host.perform(trainer, job)
        except (TrainerGone, TrainerRestarted) as error:
            if self._tries >= _MOST_TRIES:
                self._fail(job, error)
            if isinstance(error, TrainerGone):
                raise
            LOGGER.info("%s: %s; begun again", self.name, error)
            return None
        except (JaraguaError, CompileError) as error:
            return self._fail(job, error)
        self._current = None
        return None

    def _fail(self, job: DeviceJob, error: JaraguaError | CompileError) -> str:
        self._current = None
        reason = in_words(error)
        self._host.refuse(job, reason)
        return reason

    def _refuse_all(self, reason: str) -> None:
        while self._jobs:
            self._host.refuse(self._jobs.popleft(), reason)
        self._decline_all(reason)

    def _decline_all(self, reason: str) -> None:
        while self._questions:
            self._host.decline(self._questions.popleft(), reason)

    def _wrong_architecture(self, wanted: str, image: str) -> str:
        told = f"its image computes the network of '{self._model}', the run that of '{wanted}'"
        return f"{told}; update it: {self.update_command} --model {shlex.quote(image)}"


def in_words(error: JaraguaError | CompileError) -> str:
    """An error as one sentence with what helps."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _in_integers(job: DeviceJob) -> DeviceJob:
    """The job without a start in float32, which is for other devices (M9)."""
    if job.command.start is None:
        return job
    if isinstance(job, TrainJob):
        return replace(job, command=replace(job.command, start=None))
    return replace(job, command=replace(job.command, start=None))
