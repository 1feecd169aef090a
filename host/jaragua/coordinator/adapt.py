"""Evaluate starts on devices: publish a blob, have a device adapt to a held-out task from it, get the figures (M4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from jaragua.coordinator.connection.fleet import Fleet, FleetEvent, TrustSettings
from jaragua.errors import BoardError, ProtocolError
from jaragua.node.connection.url import BrokerUrl
from jaragua.settings import TrainingSettings, sent
from jaragua.wire import messages
from jaragua.wire.figures import LARGEST_SCORE, check_answers
from jaragua.wire.rejections import shown

_ATTEMPTS = 2
#: An emulated Cortex-M4 took over 60 s for a task of 75 queries on a machine with ten times as many programs as cores.
ANSWER_S: Final = 180.0


@dataclass(frozen=True)
class Trial:
    """One question to a device. `number` and `seed` are the caller's: equal seeds draw equal tasks.

    training: its batch is not used; a pass is one if it says nothing. ClientWork: prototypes (M18).
    """

    device: str
    number: int
    blob: bytes
    seed: int
    training: TrainingSettings
    ways: int
    shots: int
    queries: int


@dataclass(frozen=True)
class AdaptResult:
    """The answer: the metric over a task's query samples, before and after adapting to its support samples."""

    device: str
    number: int
    metric: str
    before: float
    after: float
    queries: int
    instructions: int
    classes: tuple[str, ...] = ()
    """Names of the task's labels (M30)."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Of each class (row) how often it was answered as each other, and last as none of the task's classes."""
    enrolled: tuple[int, ...] = ()
    """Samples in the prototype of each label."""


@asynccontextmanager
async def open_fleet(url: str | BrokerUrl, fleet: str, trust: TrustSettings | None = None) -> AsyncIterator[Fleet]:
    """A connection for `request_adaptation`; not while a run of the same fleet is going on. Errors: BrokerError."""
    async with Fleet(url, fleet, trust=trust) as session:
        yield session


async def wait_for_devices(session: Fleet, devices: Iterable[str], timeout_s: float) -> None:
    """Return when all of these can be given work. Raises: BoardError that names the missing."""
    wanted = set(devices)
    arrived = asyncio.Event()

    def look(_: FleetEvent | None = None) -> None:
        if wanted <= set(session.roster.present()):
            arrived.set()

    with session.watching(look):
        look()
        try:
            await asyncio.wait_for(arrived.wait(), timeout_s)
        except TimeoutError as error:
            missing = ", ".join(sorted(wanted - set(session.roster.present())))
            message = f"not ready after {timeout_s:g} s: {missing}"
            raise BoardError(message, "check the cables and that their gateway runs") from error


async def request_adaptation(session: Fleet, run: str, trial: Trial, *, deadline_s: float = ANSWER_S) -> AdaptResult:
    """One trial. The blob is retained until the caller clears it (`session.clear_blob`); `adapt_devices` does both.

    A question that is not answered is put once more. Raises: BoardError if the device is away, fails, or stays silent.
    """
    sha256 = session.publish_blob(trial.blob)
    for _ in range(_ATTEMPTS):
        try:
            answer = await session.adapt(_node_of(session, trial.device), _command(run, trial, sha256), deadline_s)
        except TimeoutError:
            continue
        return _checked(trial, sha256, answer)
    raise BoardError(
        f"{trial.device} did not answer an adapt command in {_ATTEMPTS} times {deadline_s:g} s",
        "look at its gateway; `jaragua monitor --port …` shows what the board does",
    )


async def adapt_devices(
    session: Fleet, run: str, trials: Sequence[Trial], *, deadline_s: float = ANSWER_S
) -> list[AdaptResult]:
    """All trials, those of one device one after the other, devices at the same time; answers in the order of `trials`.

    The blobs are retained while it takes, and cleared after. Raises: BoardError.
    """
    hashes = {session.publish_blob(blob) for blob in {trial.blob for trial in trials}}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_one_after_the_other(session, run, device, trials, deadline_s))
                for device in sorted({trial.device for trial in trials})
            ]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        for sha256 in hashes:
            session.clear_blob(sha256)
        await session.flush()
    found = {(one.device, one.number): one for task in tasks for one in task.result()}
    return [found[trial.device, trial.number] for trial in trials]


async def _one_after_the_other(
    session: Fleet, run: str, device: str, trials: Sequence[Trial], deadline_s: float
) -> list[AdaptResult]:
    own = [trial for trial in trials if trial.device == device]
    return [await request_adaptation(session, run, trial, deadline_s=deadline_s) for trial in own]


def _node_of(session: Fleet, device: str) -> str:
    node = session.roster.present().get(device)
    if node is None:
        raise BoardError(f"{device} is not there", "check its cable and that its gateway runs")
    return node


def _command(run: str, trial: Trial, sha256: bytes) -> messages.AdaptCommand:
    return messages.AdaptCommand(
        run=run,
        device=trial.device,
        trial=trial.number,
        hash=sha256,
        learning_rate=trial.training.learning_rate,
        ways=trial.ways,
        shots=trial.shots,
        passes=1 if trial.training.passes is None else trial.training.passes,
        queries=trial.queries,
        seed=trial.seed,
        **sent(trial.training),
    )


def _checked(trial: Trial, sha256: bytes, answer: messages.AdaptResult) -> AdaptResult:
    if (answer.device, answer.trial, answer.hash) != (trial.device, trial.number, sha256):
        raise ProtocolError(f"the answer of {trial.device} to trial {trial.number} is to another question")
    if not answer.ok:
        raise BoardError(f"{trial.device} could not adapt: {shown(answer.reason or 'it gave no reason')}")
    for figure in (answer.before, answer.after):
        if not 0 <= figure <= LARGEST_SCORE[answer.metric]:
            raise ProtocolError(f"{trial.device} reports {answer.metric} {figure:g} of trial {trial.number} (M11)")
    check_answers(answer)
    return AdaptResult(
        device=answer.device,
        number=answer.trial,
        metric=answer.metric,
        before=answer.before,
        after=answer.after,
        queries=answer.queries,
        instructions=answer.instructions,
        classes=tuple(map(shown, answer.classes or ())),
        confusion=answer.confusion or (),
        enrolled=answer.enrolled or (),
    )
