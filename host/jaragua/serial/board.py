"""`Board`: what a host asks of a board (protocol.md, L4), over any port, through link losses and reboots."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Final, Protocol, TypeVar

import numpy as np

from jaragua.errors import BoardError, ProtocolError
from jaragua.serial.answers import checked_identity
from jaragua.serial.conversation import MOST_UNREAD, Attempts, Conversation, SignatureOf
from jaragua.serial.jobs import (
    NO_TEMPERATURE,
    PLAIN_STEPS,
    Int16Array,
    Job,
    Steps,
    prediction_messages,
    recognitions,
    run_job,
    whole_predictions,
)
from jaragua.serial.patience import Patience, patience_of
from jaragua.serial.transfers import read_rest, stage
from jaragua.serial.transport import DEFAULT_BAUD
from jaragua.wire import messages
from jaragua.wire.definitions import PREDICTION_OUTPUTS, JobKind, LogLevel
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.link import Announced, LinkEvent, Logged, Noise, SessionEnded
from jaragua.wire.messages import (
    Cancel,
    Forget,
    Health,
    HealthRead,
    Identify,
    Identity,
    JobState,
    MessageError,
    OnlineRead,
    OnlineState,
    Prediction,
    Progress,
    Prototype,
    PrototypeRead,
    Recognition,
)
from jaragua.wire.rejections import Reason
from jaragua_compiler.engine_protocol import ACCEPT_ALL, Match
from jaragua_compiler.online.learner import Settings

#: What `on_event` is told. Text outside of any frame (L1.4) is Logged, too, at level info. Requests go on by themselves
#: after SessionEnded.
BoardEvent = Logged | SessionEnded | Progress | Health | OnlineState

T = TypeVar("T")
_LARGEST_OFFSET: Final = 0xFFFF


class Listener(Protocol):
    """Hears a link without taking part in it."""

    def on_link_event(self, event: LinkEvent) -> None:
        """Called with every event, from the event loop."""
        ...

    def on_bytes(self, data: bytes, out: bool) -> None:
        """Called with the bytes of the port; out: they go to the board."""
        ...


class Board:
    """A board on a port. One request at a time: concurrent calls wait for each other.

        async with Board("socket://127.0.0.1:40001", on_event=print) as board:
            state = await board.train(board.new_job(), samples, rate=(16384, 20), base=blob)
            update = await board.read_update(state)

    Every request goes on by itself after a link loss or a reboot (L4.2, L4.5, L4.7). Errors: PortError (the port cannot
    be opened, or went away), BoardSilent, BoardVersionError, ProtocolError, BoardRefused, BoardRestarted.
    """

    def __init__(
        self,
        url: str,
        on_event: Callable[[BoardEvent], None] | None = None,
        baud: int = DEFAULT_BAUD,
        patience: Patience | None = None,
        listener: Listener | None = None,
    ) -> None:
        """`url`: `/dev/tty…`, a pty, `socket://host:port` or `unix://path`. Nothing is opened yet.

        patience: None for the defaults, times JARAGUA_BOARD_PATIENCE (L5). listener: hears all of the link.
        """
        self.url = url
        self._on_event = on_event
        self._listener = listener
        on_bytes = listener.on_bytes if listener is not None else None
        self._conversation = Conversation(url, baud, patience or patience_of(None), self._receive_event, on_bytes)
        self._identity: Identity | None = None
        self._last_job = secrets.randbits(31)

    async def __aenter__(self) -> Board:
        """Opens the port, says HELLO, checks the protocol version (L2.4), asks identify."""
        try:
            await self._conversation.open()
            await self.identify()
        except BaseException:
            await self._conversation.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the port."""
        await self._conversation.close()

    @property
    def identity(self) -> Identity:
        """The last answer to identify (L4.1)."""
        if self._identity is None:
            raise BoardError(f"{self.url}: the board has not been asked who it is", "Open it with `async with` first.")
        return self._identity

    @property
    def counters(self) -> LinkCounters:
        """The link's health as the host counts it (L3.5)."""
        return self._conversation.driver.counters

    @property
    def segment_bytes(self) -> int:
        """How many bytes of a message a frame of the host carries now (L3.8)."""
        return self._conversation.driver.segment_bytes

    @property
    def rejected(self) -> Mapping[str, int]:
        """Messages of the board that were not used, by reason (P2)."""
        return self._conversation.rejections.counts()

    @property
    def signature_of(self) -> SignatureOf:
        """Where the signature of a blob comes from, for a board that asks for it (G33); at first none is known."""
        return self._conversation.signature_of

    @signature_of.setter
    def signature_of(self, found: SignatureOf) -> None:
        self._conversation.signature_of = found

    def new_job(self) -> int:
        """A job number the board has not seen: they begin at random, so that a restarted host repeats none."""
        self._last_job = (self._last_job + 1) & 0xFFFFFFFF
        return self._last_job

    async def identify(self) -> Identity:
        """L4.1."""
        identity = await self._conversation.resumed(lambda: self._conversation.ask(Identify, Identity))
        self._identity = checked_identity(self.url, identity)
        return self._identity

    async def health(self) -> Health:
        """L4.8."""
        return await self._conversation.resumed(lambda: self._conversation.ask(HealthRead, Health))

    async def upload(self, blob: bytes) -> bytes:
        """Stages `blob` (nothing is sent if the board has it already); returns its SHA-256. L4.2."""
        await self._conversation.resumed(lambda: stage(self._conversation, blob, self.identity.mtu))
        return hashlib.sha256(blob).digest()

    async def train(
        self, job: int, samples: Sequence[bytes], rate: tuple[int, int], base: bytes = b"", steps: Steps = PLAIN_STEPS
    ) -> JobState:
        """Trains on `samples` (see `samples_of`) with the rate (mantissa, exponent) of A5.2.

        `base`: the blob to start from (staged first if need be), or empty to go on with the working weights. The same
        job number again answers from the board's memory and trains nothing twice (L4.5).
        """
        return await self._run(Job(job, JobKind.TRAIN, samples, rate, base, steps))

    async def evaluate(
        self, job: int, samples: Sequence[bytes], base: bytes = b"", temperature: tuple[int, int] = NO_TEMPERATURE
    ) -> JobState:
        """Forward only; counts right answers (`correct`) or adds squared errors (`loss_sum`). L4.6.

        temperature: mantissa and exponent; prototypes are then the last layer (L4.13).
        """
        return await self._run(Job(job, JobKind.EVALUATE, samples, base=base, steps=Steps(temperature=temperature)))

    async def infer(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> Int16Array:
        """The network's outputs, int16 [len(samples), outputs] (A3.3). L4.6."""
        outputs = self.identity.outputs
        rows = await self._answers(
            Job(job, JobKind.INFER, samples, base=base),
            MOST_UNREAD // prediction_messages(outputs),
            lambda told, number: whole_predictions(told, number, outputs),
        )
        return np.array(rows, dtype=np.int16)

    async def enrol(self, job: int, samples: Sequence[bytes], base: bytes = b"", *, fresh: bool = False) -> JobState:
        """Takes each sample into the mean of its class (A12.1); `fresh`: all classes are forgotten first. L4.13."""
        return await self._run(Job(job, JobKind.ENROL, samples, base=base, fresh=fresh))

    async def train_enrolled(
        self, job: int, samples: Sequence[bytes], rate: tuple[int, int], seed: int, temperature: tuple[int, int]
    ) -> JobState:
        """One step on each sample by the gradient of its prototype (A12.10), from the working weights. L4.13."""
        steps = Steps(seed, temperature=temperature)
        return await self._run(Job(job, JobKind.TRAIN_ENROLLED, samples, rate, steps=steps))

    async def recognise(
        self, job: int, samples: Sequence[bytes], base: bytes = b"", rejection: int = ACCEPT_ALL
    ) -> list[Match]:
        """The class of each sample whose prototype is nearest (A12.3). L4.13.

        rejection: the largest relative distance that is accepted, Q15 (A12.8).
        """
        job_of_it = Job(job, JobKind.RECOGNISE, samples, base=base, rejection=rejection)
        return await self._answers(job_of_it, MOST_UNREAD, recognitions)

    async def forget(self, label: int) -> None:
        """Forgets all samples of a class. L4.13."""
        await self._conversation.resumed(lambda: self._conversation.command(lambda i: Forget(i, label)))

    async def prototype(self, label: int) -> tuple[int, Int16Array]:
        """The number of a class's samples, and its prototype, int16 [features] (A12.2). L4.13."""
        numbers: list[int] = []
        while len(numbers) <= _LARGEST_OFFSET:
            part = await self._conversation.resumed(partial(self._ask_prototype, label, len(numbers)))
            numbers += part.numbers
            if len(part.numbers) < PREDICTION_OUTPUTS:
                return part.samples, np.array(numbers, np.int16)
        raise ProtocolError(f"{self.url}: the board tells a prototype of more than {_LARGEST_OFFSET} numbers")

    async def learn_online(
        self,
        job: int,
        samples: Sequence[bytes],
        settings: Settings,
        rate: tuple[int, int],
        base: bytes = b"",
        *,
        fresh: bool = False,
    ) -> JobState:
        """Predicts, then learns, sample by sample (online.md, L4.11); `correct`: predictions that were right.

        `base` or `fresh`: a new learner begins, on these weights or the working ones; else the one there is goes on.
        """
        return await self._run(Job(job, JobKind.ONLINE, samples, rate, base, online=settings, fresh=fresh))

    async def online_state(self) -> OnlineState:
        """Where the board's learner stands (O8)."""
        return await self._conversation.resumed(lambda: self._conversation.ask(OnlineRead, OnlineState))

    async def read_update(self, state: JobState) -> bytes:
        """The working blob as it is after the job of `state`, checked against its `blob_crc`. L4.7."""
        blob = bytearray()
        await self._conversation.resumed(
            lambda: read_rest(self._conversation, state.job, blob, self.identity.blob_bytes)
        )
        if zlib.crc32(blob) != state.blob_crc:
            raise BoardError(
                f"{self.url}: the weights read are not those that job {state.job} ended with",
                "Another job has changed them since; read an update before the next job begins.",
            )
        return bytes(blob)

    async def cancel(self, job: int) -> None:
        """Ends a job before its last sample; nothing happens if it is not running."""
        await self._conversation.resumed(lambda: self._conversation.ask(lambda i: Cancel(i, job), JobState))

    async def _ask_prototype(self, label: int, offset: int) -> Prototype:
        return await self._conversation.ask(lambda i: PrototypeRead(i, label, offset), Prototype)

    async def _answers(
        self, job: Job, most: int, read: Callable[[Sequence[Prediction | Recognition], int], Mapping[int, T]]
    ) -> list[T]:
        """What the board tells of each sample of the job; `most` of them are asked for at once. L4.6."""
        answers: dict[int, T] = {}
        attempts, samples = Attempts(), job.samples
        while missing := [index for index in range(len(samples)) if index not in answers]:
            asked = missing[: max(1, most)]
            self._conversation.predictions.clear()
            await self._run(replace(job, samples=[samples[index] for index in asked]))
            told = read(self._conversation.predictions, job.number)
            known = len(answers)
            answers |= {asked[index]: row for index, row in told.items() if index < len(asked)}
            attempts.broke_off(len(answers) - known)
            if attempts.used_up:
                raise ProtocolError(f"{self.url}: the board ends an inference and says nothing of its samples")
            # Predictions that were under way when a session ended are gone: another job asks for those samples again.
            job = replace(job, number=self.new_job())
        return [answers[index] for index in range(len(samples))]

    async def _run(self, job: Job) -> JobState:
        return await self._conversation.resumed(lambda: run_job(self._conversation, job, self.identity.mtu))

    def _receive_event(self, event: LinkEvent) -> None:
        if self._listener is not None:
            self._listener.on_link_event(event)
        if self._on_event is None:
            return
        match event:
            case SessionEnded() | Logged():
                self._on_event(event)
            case Noise(text=text):
                self._on_event(Logged(LogLevel.INFO, text))
            case Announced(payload=payload):
                self._announce(payload, self._on_event)

    def _announce(self, payload: bytes, on_event: Callable[[BoardEvent], None]) -> None:
        try:
            event = messages.decode_response(payload)
        except MessageError as error:  # may be of a later minor; events are for show (L3.6)
            self._conversation.rejections.add(Reason.FORMAT, self.url, error.message)
            return
        if isinstance(event, Progress | Health | OnlineState):
            on_event(event)
