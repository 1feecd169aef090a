"""`Board`: what a host asks of a board (docs/protocol.md, L4), over any port, through link losses and reboots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from jaragua.errors import BoardError
from jaragua.wire.messages import Health, Identity, JobState, Progress

Int16Array = npt.NDArray[np.int16]


class BoardRestarted(BoardError):
    """The board was restarted and the working weights the request builds upon are gone: begin again from a blob."""


class BoardSilent(BoardError):
    """Nothing that speaks the protocol answers on the port."""


class BoardRefused(BoardError):
    """The board answered with a status other than ok; `status` is its number, the message its meaning (L4.9)."""

    def __init__(self, message: str, hint: str, status: int, detail: int) -> None:
        super().__init__(message, hint)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class LogLine:
    """A LOG frame (L3.6); level: `definitions.LogLevel`."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session was lost: the board was restarted or gave the link up. Requests go on by themselves. L2.3."""

    cause: int


BoardEvent = LogLine | SessionEnded | Progress | Health


class Board:
    """A board on a port. One request at a time: concurrent calls wait for each other.

        async with Board("socket://127.0.0.1:40001", on_event=print) as board:
            state = await board.train(board.new_job(), samples, rate=(16384, 20), base=blob)
            update = await board.read_update(state)

    Every request goes on by itself after a link loss or a reboot (L4.2, L4.5, L4.7). Errors: PortError (the port cannot be
    opened, or went away), BoardSilent, ProtocolError (another version, L2.4, or nonsense), BoardRefused, BoardRestarted.
    """

    def __init__(self, url: str, on_event: Callable[[BoardEvent], None] | None = None, baud: int = 115200) -> None:
        """`url`: `/dev/tty…`, a pty, `socket://host:port` or `unix://path`. Nothing is opened yet."""
        raise NotImplementedError

    async def __aenter__(self) -> Board:
        """Opens the port, says HELLO, checks the protocol version (L2.4), asks identify."""
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the port."""
        raise NotImplementedError

    @property
    def identity(self) -> Identity:
        """The last answer to identify (L4.1)."""
        raise NotImplementedError

    def new_job(self) -> int:
        """A job number that this board has not seen (they begin at a random number, so a restarted host repeats none)."""
        raise NotImplementedError

    async def identify(self) -> Identity:
        """L4.1."""
        raise NotImplementedError

    async def upload(self, blob: bytes) -> bytes:
        """Stages `blob` (nothing is sent if the board has it already); returns its SHA-256. L4.2."""
        raise NotImplementedError

    async def train(self, job: int, samples: Sequence[bytes], rate: tuple[int, int], base: bytes = b"") -> JobState:
        """Trains on `samples` (see `samples_of`), one step each, with the rate (mantissa, exponent) of A5.2.

        `base`: the blob to start from (staged first if need be), or empty to go on with the working weights. The same job
        number again answers from the board's memory and trains nothing twice (L4.5).
        """
        raise NotImplementedError

    async def evaluate(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> JobState:
        """Forward only; counts right answers (`correct`) or adds squared errors (`loss_sum`). L4.6."""
        raise NotImplementedError

    async def infer(self, job: int, samples: Sequence[bytes], base: bytes = b"") -> Int16Array:
        """The network's outputs, int16 [len(samples), outputs] (A3.3). L4.6."""
        raise NotImplementedError

    async def read_update(self, state: JobState) -> bytes:
        """The working blob as it is after the job of `state`, checked against its `blob_crc`. L4.7."""
        raise NotImplementedError

    async def cancel(self, job: int) -> None:
        """Ends a job before its last sample."""
        raise NotImplementedError

    async def health(self) -> Health:
        """L4.8."""
        raise NotImplementedError


def samples_of(inputs: Int16Array, targets: Int16Array) -> list[bytes]:
    """Samples as the board takes them (L4.4): `inputs` int16 [n, inputs], `targets` int16 [n] or [n, targets]."""
    raise NotImplementedError
