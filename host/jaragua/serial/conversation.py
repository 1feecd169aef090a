"""Requests and answers over a link: one open at a time, begun again when the session is lost under them (L2, L4)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from jaragua.errors import BoardError, ProtocolError
from jaragua.serial import failures
from jaragua.serial.driver import LinkDriver, LinkInterrupted
from jaragua.serial.transport import open_transport
from jaragua.wire import link, messages
from jaragua.wire.definitions import FrameType, Status, protocol_problem
from jaragua.wire.messages import Prediction, Request, Response

T = TypeVar("T")
R = TypeVar("R", bound=Response)

#: A board answers every request (L4.9); the slowest answer hashes a blob.
_ANSWER_S: Final = 15.0
#: How often one request is begun before it is given up.
_MOST_ATTEMPTS: Final = 10


class OutOfStep(Exception):
    """The board stands elsewhere than the host thought: ask it where, and go on there. `error`: if that is no help."""

    def __init__(self, error: BoardError) -> None:
        super().__init__(error.message)
        self.error = error


class Conversation:
    """One board on an open port. `on_event` gets every event of the link that is no answer."""

    def __init__(self, url: str, baud: int, silence_s: float, on_event: Callable[[link.LinkEvent], None]) -> None:
        """`silence_s`: for how long HELLO may stay unanswered."""
        self.url = url
        #: They come whenever the board has one, between answers.
        self.predictions: list[Prediction] = []
        self._baud = baud
        self._silence_s = silence_s
        self._on_event = on_event
        self._inbox: deque[Response | bytes] = deque()
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
        self._driver = LinkDriver(await open_transport(self.url, self._baud), self._receive_event)
        self._driver.start()
        await self._open_session("no board of Jaragua answers")

    async def close(self) -> None:
        """Closes the port if it is open."""
        if self._driver is not None:
            await self._driver.close()

    async def resumed(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Runs `operation`, and again after each interruption: it asks the board where it stands and goes on there."""
        problem: BoardError | None = None
        async with self._lock:
            for _ in range(_MOST_ATTEMPTS):
                try:
                    await self._open_session("the board does not answer any more")
                    return await operation()
                except LinkInterrupted:
                    problem = failures.interrupted(self.url, _MOST_ATTEMPTS)
                except OutOfStep as error:
                    problem = error.error
        assert problem is not None
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
        """Streams DATA or SAMPLE. OutOfStep if the board reports an error meanwhile."""
        await self.driver.send(frame_type, payload)
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, messages.Status) and item.code != Status.OK:
                raise OutOfStep(failures.refused(self.url, item))

    async def next(self) -> Response | bytes:
        """The next message, or the payload of the next DATA. LinkInterrupted if the session ends first."""
        session = self.driver.counters.sessions
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self.driver.until(lambda: bool(self._inbox) or not self._is_open(session))
        except TimeoutError:
            raise failures.silent(self.url, "the board took a request and does not answer it", self._printed) from None
        if not self._is_open(session):
            raise LinkInterrupted
        return self._inbox.popleft()

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
        if self.driver.phase in (link.LinkPhase.IDLE, link.LinkPhase.LOST):
            self.driver.connect()
        try:
            async with asyncio.timeout(self._silence_s):
                await self.driver.wait_open()
        except (TimeoutError, LinkInterrupted):
            raise failures.silent(self.url, otherwise, self._printed) from None
        if self._version_problem:
            raise failures.version_error(self.url, self._version_problem)
        self._inbox.clear()

    def _receive_message(self, message: Response) -> None:
        if isinstance(message, Prediction):
            self.predictions.append(message)
        else:
            self._inbox.append(message)

    def _receive_event(self, event: link.LinkEvent) -> None:
        match event:
            case link.Received(frame_type=FrameType.MSG, payload=payload):
                self._receive_message(messages.decode_response(payload))
            case link.Received(payload=payload):
                self._inbox.append(payload)
            case link.SessionOpened(hello=hello):
                self._version_problem = protocol_problem(hello.major, hello.minor)
            case link.Noise(text=text):
                self._printed = text
        self._on_event(event)
