"""Requests and answers over a link: one open at a time, begun again when the session is lost under them (L2, L4)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableSequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from jaragua.errors import BoardError, ProtocolError
from jaragua.serial import failures
from jaragua.serial.link_driver import LinkDriver, LinkInterrupted, OnBytes
from jaragua.serial.patience import Patience
from jaragua.serial.transport import open_transport
from jaragua.wire import messages
from jaragua.wire.definitions import FrameType, Status, protocol_problem
from jaragua.wire.link import link
from jaragua.wire.messages import BlobSignature, MessageError, Prediction, Recognition, Request, Response
from jaragua.wire.rejections import Reason, Rejections

#: The SHA-256 of a blob -> the coordinator's signature of it, None if none is known (G33).
SignatureOf: TypeAlias = Callable[[bytes], BlobSignature | None]

T = TypeVar("T")
R = TypeVar("R", bound=Response)

#: How often one request is begun before it is given up: in a row without a step forward, and in all (L5.5).
_MOST_FRUITLESS: Final = 10
_MOST_ATTEMPTS: Final = 100
#: Frames and messages that get through in an attempt that is a step forward: more than a request and its answer.
_STEP_FORWARD: Final = 8
#: P3: messages, and predictions, that are kept until they are read. A board has 8 under way.
MOST_UNREAD: Final = 4096


class OutOfSync(Exception):
    """The board stands elsewhere than the host thought: ask it where, and go on there. `error`: if that is no help."""

    def __init__(self, error: BoardError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(slots=True)
class Attempts:
    """How often a request was begun (L5.5)."""

    made: int = 0
    _fruitless: int = 0

    def broke_off(self, delivered: int) -> None:
        """Notes an attempt that ended before its end; `delivered`: frames and messages that got through."""
        self.made += 1
        self._fruitless = 0 if delivered > _STEP_FORWARD else self._fruitless + 1

    @property
    def used_up(self) -> bool:
        """Whether another attempt is one too many."""
        return self._fruitless >= _MOST_FRUITLESS or self.made >= _MOST_ATTEMPTS


class Conversation:
    """One board on an open port. `on_event` gets every event of the link.

    `rejections`: messages of the board that were not used (P1); frames that were not are in the link's counters.
    """

    def __init__(
        self,
        url: str,
        baud: int,
        patience: Patience,
        on_event: Callable[[link.LinkEvent], None],
        on_bytes: OnBytes | None = None,
    ) -> None:
        self.url = url
        self._on_bytes = on_bytes
        #: They come whenever the board has one, between answers.
        self.predictions: list[Prediction | Recognition] = []
        self.signature_of: SignatureOf = lambda sha256: None
        self._baud = baud
        self._patience = patience
        self._on_event = on_event
        self.rejections = Rejections("the host")
        self._inbox: deque[Response | bytes | MessageError] = deque()
        self._lock = asyncio.Lock()
        self._printed = ""
        self._version_problem = ""
        self._request_id = 0
        self._driver: LinkDriver | None = None

    @property
    def driver(self) -> LinkDriver:
        """The link underneath."""
        if self._driver is None:
            raise ProtocolError(f"{self.url}: the board's port is not open", "Open the board with `async with` first.")
        return self._driver

    async def open(self) -> None:
        """Opens the port and the first session; checks the protocol version (L2.4)."""
        transport = await open_transport(self.url, self._baud)
        self._driver = LinkDriver(
            transport, self._receive_event, lambda count: failures.babbles(self.url, count), self._on_bytes
        )
        self._driver.start()
        await self._open_session("no board of Jaragua answers")

    async def close(self) -> None:
        """Closes the port if it is open."""
        if self._driver is not None:
            await self._driver.close()

    async def resumed(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Runs `operation`, and again after each interruption: it asks the board where it stands and goes on there."""
        attempts = Attempts()
        async with self._lock:
            while True:
                delivered = self.driver.counters.delivered
                try:
                    await self._open_session("the board does not answer any more")
                    return await operation()
                except LinkInterrupted:
                    attempts.broke_off(self.driver.counters.delivered - delivered)
                    problem = failures.interrupted(self.url, attempts.made)
                except OutOfSync as error:
                    attempts.broke_off(0)
                    problem = error.error
                if attempts.used_up:
                    raise problem

    async def ask(self, make: Callable[[int], Request], kind: type[R]) -> R:
        """Sends the request that `make` builds from an id; returns its answer. BoardRefused if the board refuses."""
        answer = await self._answer_to(make)
        if isinstance(answer, messages.Status) and answer.code != Status.OK:
            raise failures.refused(self.url, answer)
        if not isinstance(answer, kind):
            raise ProtocolError(f"{self.url}: the board answers with the wrong message ({type(answer).__name__})")
        return answer

    async def command(self, make: Callable[[int], Request]) -> None:
        """A request that is answered by a status alone."""
        await self.ask(make, messages.Status)

    async def send(self, frame_type: FrameType, payload: bytes) -> None:
        """Streams DATA or SAMPLE. OutOfSync if the board reports an error meanwhile."""
        await self.driver.send(frame_type, payload)
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, messages.Status) and item.code != Status.OK:
                raise OutOfSync(failures.refused(self.url, item))

    async def next(self) -> Response | bytes:
        """The next message, or the payload of the next DATA. LinkInterrupted if the session ends first."""
        session = self.driver.counters.sessions
        await self._wait_for(lambda: bool(self._inbox) or not self._is_open(session))
        if not self._is_open(session):
            raise LinkInterrupted
        item = self._inbox.popleft()
        if isinstance(item, MessageError):
            raise ProtocolError(f"{self.url}: the board's answer cannot be read: {item.message}")
        return item

    async def _wait_for(self, arrived: Callable[[], bool]) -> None:
        """L5.2, L5.3: a silent board is given up soon, a slow one late. BoardSilent says which of both it was."""
        now_s = asyncio.get_running_loop().time
        given_up_s = now_s() + self._patience.answer_s
        counters = self.driver.counters
        while not arrived():
            heard = counters.frames_in
            left_s = min(self._patience.silence_s, given_up_s - now_s())
            try:
                async with asyncio.timeout(left_s):
                    await self.driver.until(lambda: arrived() or counters.frames_in != heard)  # noqa: B023 - awaited here
            except TimeoutError:
                what = failures.no_answer(self._patience, slow=now_s() >= given_up_s)
                raise failures.silent(self.url, what, self._printed) from None

    async def _answer_to(self, make: Callable[[int], Request]) -> Response:
        self._request_id = self._request_id % 0xFFFF + 1
        request_id = self._request_id
        await self.driver.send(FrameType.MSG, messages.encode(make(request_id)))
        while True:
            answer = await self.next()
            if not isinstance(answer, bytes) and getattr(answer, "id", None) == request_id:
                return answer

    def _is_open(self, session: int) -> bool:
        return self.driver.phase is link.LinkPhase.OPEN and self.driver.counters.sessions == session

    async def _open_session(self, otherwise: str) -> None:
        """Waits for a session, saying HELLO if nobody does; `otherwise` is the sentence if none comes."""
        try:
            async with asyncio.timeout(self._patience.greeting_s):
                await self._greet()
        except TimeoutError:
            raise failures.silent(self.url, otherwise, self._printed) from None
        if self._version_problem:
            raise failures.version_error(self.url, self._version_problem)
        self._inbox.clear()

    async def _greet(self) -> None:
        """Returns when there is a session; a link that counts as lost is tried again (L5.1)."""
        while self.driver.phase is not link.LinkPhase.OPEN:
            if self.driver.phase in (link.LinkPhase.IDLE, link.LinkPhase.LOST):
                self.driver.connect()
            with suppress(LinkInterrupted):
                await self.driver.wait_open()

    def _receive_message(self, payload: bytes) -> None:
        try:
            message = messages.decode_response(payload)
        except MessageError as error:
            self.rejections.add(Reason.FORMAT, self.url, error.message)
            self._keep(self._inbox, error)
            return
        if isinstance(message, Prediction | Recognition):
            self._keep(self.predictions, message)
        else:
            self._keep(self._inbox, message)

    def _keep(self, unread: MutableSequence[T], item: T) -> None:
        """P3: a board that says more than anybody reads is not heard to the end."""
        if len(unread) < MOST_UNREAD:
            unread.append(item)
        else:
            self.rejections.add(Reason.FLOOD, self.url, "more messages than are read")

    def _receive_event(self, event: link.LinkEvent) -> None:
        match event:
            case link.Received(frame_type=FrameType.MSG, payload=payload):
                self._receive_message(payload)
            case link.Received(payload=payload):
                self._keep(self._inbox, payload)
            case link.SessionOpened(hello=hello):
                self._version_problem = protocol_problem(hello.major, hello.minor)
            case link.Noise(text=text):
                self._printed = text
        self._on_event(event)
