"""What becomes of the flash-commands that a gateway gets: checked, written down, carried out one at a time."""

from __future__ import annotations

import asyncio
import platform
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol

from jaragua.boards import environment
from jaragua.errors import JaraguaError, UsageError
from jaragua.gateway.flashing.journal import Journal, Record
from jaragua.gateway.flashing.work import FlashWork
from jaragua.node.intake import FlashRequest
from jaragua.node.node import Node
from jaragua.node.program import ended
from jaragua.upload import fits
from jaragua.upload.methods import form_for
from jaragua.wire.messages import FlashCommand, FlashReport, Identity

#: How long an image may take to come from the broker.
_FETCH_S: Final = 60.0
#: P3: commands whose last report is remembered (M44).
_MOST_REMEMBERED: Final = 64
#: The last reports of a command (M43).
LAST_PHASES: Final = frozenset({"done", "same", "refused", "failed"})


class BoardPort(Protocol):
    """The part of a port's worker that is needed."""

    @property
    def url(self) -> str: ...

    @property
    def device_name(self) -> str: ...

    @property
    def environment(self) -> str: ...

    def remember(self, device: str, environment: str) -> None: ...

    def flash(self, work: FlashWork) -> None: ...


class RefusedError(JaraguaError):
    """A command that is not carried out; nothing has changed."""


@dataclass
class _Course:
    """How far a command is."""

    request: FlashRequest
    reports: list[FlashReport] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    last: FlashReport | None = None
    """How it ended; it is sent when the journal says the same."""


class Flasher:
    """The flash-commands of one gateway. `run` carries them out until it is cancelled."""

    def __init__(self, node: Node, ports: Sequence[BoardPort]) -> None:
        settings = node.settings
        self._node = node
        self._ports = ports
        self._journal = Journal(settings.data_dir / f"flash-{settings.fleet}-{settings.node}")
        self._courses: OrderedDict[bytes, _Course] = OrderedDict()
        self._under_way: dict[str, _Course] = {}
        self._waiting: asyncio.Queue[_Course | Record] = asyncio.Queue()
        node.on_flash = self.take
        self._recall()

    def take(self, request: FlashRequest) -> None:
        """A command has come (M44)."""
        known = self._courses.get(request.command.id)
        if known is not None:
            for report in known.reports[-1:]:
                self._node.say_flash(request, report)
            return
        other = self._under_way.get(request.command.device)
        if other is not None:
            self._node.say_flash(request, _refusal(request, "another image is on its way to it"))
            return
        self._waiting.put_nowait(self._begin(request))

    async def run(self) -> None:
        """One after the other (M42)."""
        task: asyncio.Task[None] | None = None
        try:
            while True:
                item = await self._waiting.get()
                course = item if isinstance(item, _Course) else self._begin(item.request)
                task = asyncio.create_task(self._one(course, resumed=isinstance(item, Record)))
                await task
        finally:
            if task is not None:
                await ended(task)

    def _recall(self) -> None:
        """M45: what an earlier process did not end."""
        ports = {port.url: port for port in self._ports}
        for record in self._journal.records():
            port = ports.get(record.port)
            if port is None:
                continue
            port.remember(record.device, record.request.command.environment)
            if not record.failed:
                self._waiting.put_nowait(record)

    def _begin(self, request: FlashRequest) -> _Course:
        course = self._courses[request.command.id] = _Course(request)
        self._under_way[request.command.device] = course
        while len(self._courses) > _MOST_REMEMBERED:
            self._courses.popitem(last=False)
        others = len(self._under_way) > 1
        self._say(course, "waiting", "for the image of another board" if others else "for its image")
        return course

    async def _one(self, course: _Course, *, resumed: bool) -> None:
        device = course.request.command.device
        try:
            port = self._port_of(device)
            image, start = await self._files(course.request, port, resumed=resumed)
            await self._put(course, port, image, start, resumed=resumed)
        except JaraguaError as error:
            self._say(course, "refused", f"{error.message} ({error.hint})" if error.hint else error.message)
            await asyncio.to_thread(self._journal.end, device)
        del self._under_way[device]
        if course.last is not None:
            self._send(course, course.last)

    def _port_of(self, device: str) -> BoardPort:
        for port in self._ports:
            if port.device_name == device:
                return port
        raise RefusedError(f"gateway {self._node.settings.node} has no board {device}")

    async def _files(self, request: FlashRequest, port: BoardPort, *, resumed: bool) -> tuple[bytes, bytes]:
        """Image and start, checked (M41). Raises: JaraguaError."""
        command = request.command
        form = _form(port, command.environment)
        if resumed:
            image, start = await asyncio.to_thread(self._journal.files, command.device, _ending(port, command))
        else:
            _check_size(command.size)
            image = await self._node.images.fetch(command.image, _FETCH_S)
            start = b"" if command.start is None else await self._node.images.fetch(command.start, _FETCH_S)
        if len(image) != command.size:
            raise RefusedError(f"the image has {len(image):,} bytes, the command says {command.size:,}")
        await asyncio.to_thread(fits.check, image, environment(command.environment), form, platform.machine())
        return image, start

    async def _put(self, course: _Course, port: BoardPort, image: bytes, start: bytes, *, resumed: bool) -> None:
        request = course.request
        if resumed:
            request = FlashRequest(_without_force(request), request.response_topic, request.correlation)
        record = Record(port.url, request)
        path = await asyncio.to_thread(self._journal.begin, record, image, start, _ending(port, request.command))
        port.flash(FlashWork(request.command, path, start, partial(self._say, course)))
        await course.ended.wait()
        if course.last is not None and course.last.phase == "failed":
            await asyncio.to_thread(self._journal.fail, record)
            port.remember(request.command.device, request.command.environment)
        else:
            await asyncio.to_thread(self._journal.end, request.command.device)

    def _say(
        self,
        course: _Course,
        phase: str,
        reason: str | None = None,
        before: Identity | None = None,
        after: Identity | None = None,
    ) -> None:
        command = course.request.command
        report = FlashReport(command.id, command.device, phase, reason, said_by(before), said_by(after))
        if phase in LAST_PHASES:
            course.last = course.last or report
            course.ended.set()
        else:
            self._send(course, report)

    def _send(self, course: _Course, report: FlashReport) -> None:
        course.reports.append(report)
        self._node.say_flash(course.request, report)


def said_by(identity: Identity | None) -> dict[str, str] | None:
    """What a board said of itself, as a report has it."""
    if identity is None:
        return None
    return {
        "board": identity.board,
        "uid": identity.uid.hex(),
        "firmware": identity.firmware,
        "build": identity.build.hex(),
        "model": identity.model,
        "architecture": identity.architecture.hex(),
    }


def _refusal(request: FlashRequest, why: str) -> FlashReport:
    return FlashReport(request.command.id, request.command.device, "refused", why)


def _form(port: BoardPort, wanted: str) -> str:
    """The form of an image for the board on a port. Raises: RefusedError if it is of another environment."""
    if not port.environment:
        raise RefusedError("the board has not said which board it is", "flash it on its port with `jaragua flash`")
    if wanted != port.environment:
        raise RefusedError(f"the image is for {wanted}, the board is {port.environment}")
    try:
        return form_for(environment(wanted), port.url)
    except UsageError as error:
        raise RefusedError(error.message, "update this gateway's jaragua") from error


def _ending(port: BoardPort, command: FlashCommand) -> str:
    """How the file of an image ends: a process has no ending."""
    board = environment(command.environment)
    return "" if board.core == "host" else form_for(board, port.url)


def _check_size(size: int) -> None:
    if not 0 < size <= fits.MOST_BYTES:
        raise RefusedError(f"an image of {size:,} bytes is not possible: 1 to {fits.MOST_BYTES:,} are (M40)")


def _without_force(request: FlashRequest) -> FlashCommand:
    return replace(request.command, force=False)
