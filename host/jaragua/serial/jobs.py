"""Jobs of all kinds: a stream of samples that goes on where the board says it stands (L4.4 to L4.6, L4.13)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from jaragua.serial import failures
from jaragua.serial.answers import checked_job_state
from jaragua.serial.conversation import Conversation, OutOfSync
from jaragua.serial.failures import BoardRefused
from jaragua.serial.transfers import stage
from jaragua.wire.definitions import PREDICTION_OUTPUTS, FrameType, JobKind, JobPhase, Status
from jaragua.wire.messages import JobBegin, JobEnd, JobState, OnlineBegin, Prediction, Recognition
from jaragua_compiler.engine_protocol import ACCEPT_ALL, NO_LIMITS, Match, StepLimits
from jaragua_compiler.online.learner import Settings

Int16Array = npt.NDArray[np.int16]

_SAMPLE_HEAD: Final = struct.Struct("<HH")
#: Index and offset of a SAMPLE frame count modulo this (L4.4).
_COUNT: Final = 0x10000
#: A board that is still at work when job-end comes is asked again after this.
_WORKING_S: Final = 0.02
_WORKING_POLLS: Final = 100


#: Mantissa and exponent of a job without prototypes (L4.13).
NO_TEMPERATURE: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class Steps:
    """How a board takes the steps of a job of kind train."""

    seed: int = 0
    """Of the dither, 32 bits (A5.9, A7.7, A8.5)."""
    batch: int = 1
    """Samples of a step. More than one takes an image with sums (A11.1)."""
    limits: StepLimits = NO_LIMITS
    """A11.7, A11.8."""
    temperature: tuple[int, int] = NO_TEMPERATURE
    """Mantissa and exponent (A12.4). Prototypes are then the last layer."""


PLAIN_STEPS: Final = Steps()


@dataclass(slots=True)
class Job:
    """One job as the host sees it. `rate`: A5.2, (0, 0) where nothing is trained. `base`: a blob, or empty (L4.3)."""

    number: int
    kind: JobKind
    samples: Sequence[bytes]
    rate: tuple[int, int] = (0, 0)
    base: bytes = b""
    steps: Steps = PLAIN_STEPS
    online: Settings | None = None
    """Settings of a job of kind online (L4.11)."""
    fresh: bool = False
    """A new learner, or all classes are forgotten first (L4.13)."""
    rejection: int = ACCEPT_ALL
    """Threshold of a job of kind recognise (A12.8)."""


def samples_of(inputs: Int16Array, targets: Int16Array) -> list[bytes]:
    """Samples as a board takes them (L4.4): `inputs` int16 [n, inputs], `targets` int16 [n] or [n, targets]."""
    rows = np.concatenate([targets.reshape(len(inputs), -1), inputs], axis=1).astype("<i2")
    return [row.tobytes() for row in rows]


def prediction_messages(outputs: int) -> int:
    """How many messages tell the outputs of one sample (L4.6)."""
    return -(-outputs // PREDICTION_OUTPUTS)


def whole_predictions(messages: Iterable[Prediction | Recognition], job: int, outputs: int) -> dict[int, list[int]]:
    """The `outputs` numbers of each sample of `job` that came whole; a board tells them in order, in parts (L4.6)."""
    rows: dict[int, list[int]] = {}
    for message in messages:
        if not isinstance(message, Prediction):
            continue
        row = rows.setdefault(message.index, [])
        if message.job == job and message.offset == len(row):
            row += message.outputs
    return {index: row for index, row in rows.items() if len(row) == outputs}


def recognitions(messages: Iterable[Prediction | Recognition], job: int) -> dict[int, Match]:
    """What each sample of `job` was recognised as (L4.13)."""
    return {
        one.index: Match(one.label, one.distance, one.runner_up, one.relative, one.accepted)
        for one in messages
        if isinstance(one, Recognition) and one.job == job
    }


async def run_job(board: Conversation, job: Job, mtu: int) -> JobState:
    """Begins `job`, or goes on with it where the board stands, and ends it. BoardRestarted if its weights are gone."""
    state = await _begin(board, job, mtu)
    if state.state == JobPhase.RUNNING:
        for index in range(state.done, len(job.samples)):
            await _send_sample(board, job, index, mtu)
    return await _end(board, job)


async def _begin(board: Conversation, job: Job, mtu: int) -> JobState:
    base = await stage(board, job.base, mtu) if job.base else b""
    try:
        return await board.ask(lambda i: _request(job, i, base), JobState)
    except BoardRefused as error:
        if error.status == Status.NOT_BOUND:
            raise failures.restarted(board.url) from error
        raise


def _request(job: Job, request_id: int, base: bytes) -> JobBegin | OnlineBegin:
    mantissa, exponent = job.rate
    if job.online is None:
        steps = job.steps
        settings = (
            *(steps.seed, steps.batch, steps.limits.clip, steps.limits.loss_threshold),
            *(*steps.temperature, job.fresh, job.rejection),
        )
        return JobBegin(request_id, job.number, job.kind, base, mantissa, exponent, len(job.samples), *settings)
    return OnlineBegin(
        id=request_id,
        job=job.number,
        base=base,
        rate_mantissa=mantissa,
        rate_exponent=exponent,
        samples=len(job.samples),
        fresh=job.fresh,
        known=job.online.known,
        standardise=job.online.standardise,
        warm_up=job.online.warm_up,
        horizon=job.online.horizon_log2,
        replays=job.online.replays,
        slack=job.online.slack,
        threshold=job.online.threshold,
    )


async def _send_sample(board: Conversation, job: Job, index: int, mtu: int) -> None:
    for frame in _sample_frames(index, job.samples[index], mtu):
        await board.send(FrameType.SAMPLE, frame)


def _sample_frames(index: int, sample: bytes, mtu: int) -> Iterator[bytes]:
    part_bytes = mtu - _SAMPLE_HEAD.size
    for offset in range(0, len(sample), part_bytes):
        yield _SAMPLE_HEAD.pack(index % _COUNT, offset % _COUNT) + sample[offset : offset + part_bytes]


async def _end(board: Conversation, job: Job) -> JobState:
    for _ in range(_WORKING_POLLS):
        state = checked_job_state(
            board.url, await board.ask(lambda i: JobEnd(i, job.number), JobState), len(job.samples)
        )
        if state.state in (JobPhase.DONE, JobPhase.CANCELLED):
            return state
        if state.state == JobPhase.UNKNOWN:
            break
        await asyncio.sleep(_WORKING_S)
    raise OutOfSync(failures.stuck(board.url, job.number))
