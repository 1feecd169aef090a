"""One port of a gateway: find the board on it, serve it, and begin again whenever it goes away."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from jaragua.boards import environments, kind_of
from jaragua.errors import BoardError, PortError
from jaragua.gateway.board_log import BoardLog
from jaragua.gateway.board_trainer import BoardRequests, BoardTrainer, translated
from jaragua.gateway.flashing.work import FlashWork, begin_with, carry_out
from jaragua.gateway.port_tap import PortTap
from jaragua.node.description import DeviceFacts, facts_of_board
from jaragua.node.device import Device
from jaragua.node.node import Node
from jaragua.node.program import until_first_ends
from jaragua.node.training.trainer import Progress, TrainerGone
from jaragua.semantics.things.device_facts import NOTHING_STATED
from jaragua.serial.board import BoardEvent, Listener
from jaragua.serial.failures import BoardBabbles, BoardSilent, BoardVersionError, update_command
from jaragua.serial.patience import patience_of
from jaragua.upload.methods import form_for
from jaragua.wire import messages
from jaragua.wire.definitions import Operator
from jaragua.wire.link.link import Logged, SessionEnded
from jaragua.wire.messages import Identity

LOGGER = logging.getLogger(__name__)

_BACKOFF_FIRST_SECONDS = 0.2
_BACKOFF_CEILING_SECONDS = 5.0
#: How often an idle board is asked for its health, which is also how a dead link is noticed.
PROBE_SECONDS = 5.0
#: How long a port stays closed that sent bytes and no frames (L5.7).
BABBLE_PAUSE_SECONDS = 30.0
_ID_CHARACTERS = 32
_UID_CHARACTERS = 8


class OpenBoard(Protocol):
    """Opens a board: a context that yields it, identified. Errors: those of `serial.Board`."""

    def __call__(
        self, url: str, on_event: Callable[[BoardEvent], None], listener: Listener | None = None, /
    ) -> AbstractAsyncContextManager[BoardRequests]: ...


@dataclass(frozen=True)
class PortSettings:
    """A port and, if the user names it, the device on it. `required`: its absence at the start ends the gateway."""

    url: str
    device_id: str | None = None
    required: bool = False


def device_id_of(node: str, uid: bytes) -> str:
    """The name of a board nobody named: `<node>-<the first 8 hex digits of its unique id>`."""
    return f"{node[: _ID_CHARACTERS - _UID_CHARACTERS - 1]}-{uid.hex()[:_UID_CHARACTERS]}"


def device_id_of_port(node: str, url: str) -> str:
    """The name of a board that could not say its unique id."""
    slug = re.sub(r"[^a-z0-9]+", "-", url.lower()).strip("-")
    return f"{node}-{slug}"[:_ID_CHARACTERS].rstrip("-")


class PortWorker:
    """Serves one port for as long as the gateway lives.

    claimed: device id -> port, shared by the workers of a gateway, so that two boards never go by one name.
    """

    def __init__(
        self, node: Node, settings: PortSettings, open_board: OpenBoard, claimed: dict[str, str], tap: PortTap
    ) -> None:
        self._node = node
        self._tap = tap
        self._settings = settings
        self._open_board = open_board
        self._claimed = claimed
        self._device: Device | None = None
        self._session_ended = asyncio.Event()
        self._was_open = False
        self._pause_seconds = _BACKOFF_FIRST_SECONDS
        self._babbled = False
        self._board_log = BoardLog()
        self._last_complaint = ""
        self._identity: Identity | None = None
        self._remembered = ("", "")
        self._work: FlashWork | None = None
        self._has_work = asyncio.Event()

    # ---- images (M41 to M45) ----

    @property
    def url(self) -> str:
        """The port."""
        return self._settings.url

    @property
    def device_name(self) -> str:
        """The board's name in the fleet, as far as it is known; "" before it said anything."""
        return self._device.name if self._device is not None else self._settings.device_id or self._remembered[0]

    @property
    def environment(self) -> str:
        """What the board said that it is, now or before a failed upload; "" if it never did."""
        return self._identity.board if self._identity is not None else self._remembered[1]

    def remember(self, device: str, environment: str) -> None:
        """Which board it was, as an earlier process has written down."""
        self._remembered = (device, environment)

    def flash(self, work: FlashWork) -> None:
        """Carry it out, as soon as the board's job has ended; `work.say` tells how far it is."""
        self._work = work
        self._has_work.set()

    def _take_work(self) -> FlashWork | None:
        work, self._work = self._work, None
        self._has_work.clear()
        return work

    async def _flash(self, work: FlashWork) -> None:
        """With the port closed."""
        device = self._device
        if device is not None:
            device.set_state("sleeping", "it gets a new image")
        try:
            await carry_out(work, self._settings.url, self._opened_to_ask, patience_of(None))
        finally:
            if device is not None:
                device.release()
        self._pause_seconds = _BACKOFF_FIRST_SECONDS

    @asynccontextmanager
    async def _opened_to_ask(self) -> AsyncIterator[BoardRequests]:
        async with self._open_board(self._settings.url, lambda event: None, self._tap) as board:
            board.signature_of = self._node.signature_of
            yield board

    async def _until_port_is_wanted(self, board: BoardRequests, device: Device) -> None:
        """Returns when an image needs the port, and no job is under way; says so if the board has the image already."""
        while True:
            await self._has_work.wait()
            work = self._work
            assert work is not None
            work.before = board.identity
            try:
                if await self._is_free(device, work) and await self._needs_the_port(board, work):
                    work.asked = True
                    return
            except BaseException:
                device.release()
                raise
            self._take_work()
            device.release()

    @staticmethod
    async def _is_free(device: Device, work: FlashWork) -> bool:
        with suppress(TimeoutError):
            if device.is_busy:
                work.say("waiting", "for the job under way", work.before)
            async with asyncio.timeout(work.command.patience):
                await device.hold()
                return True
        work.say("refused", f"its job did not end within {work.command.patience} s; nothing was changed", work.before)
        return False

    @staticmethod
    async def _needs_the_port(board: BoardRequests, work: FlashWork) -> bool:
        if not work.is_there(board.identity):
            return True
        if work.start:
            with translated():
                await begin_with(board, work.start)
        work.say("same", before=work.before, after=board.identity)
        return False

    # ---- life ----

    async def run(self) -> None:
        """Runs until it is cancelled. PortError: a required port is absent at the start."""
        while True:
            if self._work is not None and self._work.asked and (work := self._take_work()) is not None:
                await self._flash(work)
            try:
                async with AsyncExitStack() as stack:
                    board = await self._open(stack)
                    if board is not None:
                        await self._serve(board)
                        continue
            except (BoardError, PortError) as error:
                if isinstance(error, PortError) and self._settings.required and not self._was_open:
                    raise
                self._lost(error)
                await self._work_within(self._pause())
            else:
                await self._has_work.wait()  # a board of another protocol (L2.4): only another image helps
            if self._work is not None:
                self._work.asked = True

    async def _work_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_work.wait(), seconds)

    def _pause(self) -> float:
        """Seconds until the port is tried again, longer each time."""
        pause_seconds = BABBLE_PAUSE_SECONDS if self._babbled else self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, _BACKOFF_CEILING_SECONDS)
        return pause_seconds

    async def _open(self, stack: AsyncExitStack) -> BoardRequests | None:
        """The board on the port; None if it speaks another protocol, which is said."""
        try:
            board = await stack.enter_async_context(self._open_board(self._settings.url, self._on_event, self._tap))
            board.signature_of = self._node.signature_of
        except BoardVersionError as error:
            self._leave_out(error)
            return None
        except BoardSilent:
            self._was_open = True
            raise
        self._was_open, self._pause_seconds = True, _BACKOFF_FIRST_SECONDS
        return board

    async def _serve(self, board: BoardRequests) -> None:
        device = self._device = self._introduce(board.identity)
        self._tap.meet(device.name, board.identity)
        LOGGER.info("%s: %s with model '%s'", self._settings.url, device.name, board.identity.model)
        self._last_complaint = ""
        self._session_ended.clear()
        await until_first_ends(
            device.serve(BoardTrainer(board)),
            self._watch(board, device),
            self._until_port_is_wanted(board, device),
        )

    def _introduce(self, identity: Identity) -> Device:
        """The device of the board that answered, claimed for this port. BoardError: another port has that name."""
        name = self._settings.device_id or device_id_of(self._node.settings.node, identity.uid)
        owner = self._claimed.setdefault(name, self._settings.url)
        if owner != self._settings.url:
            raise BoardError(
                f"the boards on {owner} and {self._settings.url} both go by the name {name}",
                "name each port's board with --id",
            )
        self._identity = identity
        facts = facts_of_board(name, identity, self._node.settings.stated.get(name, NOTHING_STATED))
        facts = replace(facts, facts={**facts.facts, **self._form_of_images(identity.board)})
        device = self._node.add_device(name, kind_of(identity.board), facts, identity.model, identity.architecture)
        device.update_command = update_command(self._settings.url)
        device.needs_signatures = bool(identity.operators >> Operator.SIGNED & 1)
        self._node.expect_of(device)
        return device

    def _form_of_images(self, board: str) -> dict[str, str]:
        """What an upload to this port takes: of a board that is emulated another file than of a real one."""
        known = {one.name: one for one in environments()}
        return {"imageForm": form_for(known[board], self._settings.url)} if board in known else {}

    async def _watch(self, board: BoardRequests, device: Device) -> None:
        """Notice a dead link (TrainerGone) and a restarted board, while it works and while it is idle."""
        while True:
            restarted = await self._session_ends_within(PROBE_SECONDS)
            with translated():
                if restarted:
                    await self._meet_again(board, device)
                else:
                    self._on_health(await board.health())

    async def _session_ends_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._session_ended.wait(), seconds)
        except TimeoutError:
            return False
        self._session_ended.clear()
        return True

    async def _meet_again(self, board: BoardRequests, device: Device) -> None:
        """After a restart the board may run another image: it is asked again."""
        device.link_broken("the board was restarted or gave up the link")
        identity = await board.identify()
        if self._introduce(identity) is not device:
            raise TrainerGone(f"there is another board on {self._settings.url} now")
        self._tap.meet(device.name, identity)
        device.link_mended()

    def _on_event(self, event: BoardEvent) -> None:
        if isinstance(event, SessionEnded):
            self._session_ended.set()
        elif isinstance(event, messages.Health):
            self._on_health(event)
        elif isinstance(event, messages.Progress):
            self._on_progress(event)
        elif isinstance(event, Logged):
            self._board_log.say(self._name(), event.level, event.text)

    def _on_health(self, health: messages.Health) -> None:
        self._tap.healthy(health)
        if self._device is not None:
            counters = dataclasses.asdict(health)
            del counters["id"]
            self._node.telemetry_of(self._device).health(counters)

    def _on_progress(self, event: messages.Progress) -> None:
        if self._device is not None:
            progress = Progress(event.done, event.samples, event.correct, event.loss)
            self._node.telemetry_of(self._device).progress(progress)

    def _lost(self, error: BoardError | PortError) -> None:
        self._babbled = isinstance(error, BoardBabbles) or isinstance(error.__cause__, BoardBabbles)
        if self._device is not None:
            self._device.set_state("lost", error.message)
        self._tap.gone(error.message)
        self._complain(error)

    def _leave_out(self, error: BoardVersionError) -> None:
        """A board of another protocol is shown as stale (by its port if it has no name yet) and let be."""
        device = self._device or self._unknown_device()
        device.mark_stale(f"{error.message} ({error.hint})" if error.hint else error.message)

    def _unknown_device(self) -> Device:
        node = self._node.settings.node
        name = self._settings.device_id or device_id_of_port(node, self._settings.url)
        return self._node.add_device(
            name, "board", DeviceFacts(f"{node}/{self._settings.url}", name), "unknown", bytes(8)
        )

    def _complain(self, error: BoardError | PortError) -> None:
        """Say a trouble once, not at every try."""
        if error.message != self._last_complaint:
            self._last_complaint = error.message
            hint = f" ({error.hint})" if error.hint else ""
            LOGGER.warning("%s: %s%s; it is tried again", self._name(), self._without_port(error), hint)

    def _without_port(self, error: BoardError | PortError) -> str:
        """What stands in front of the sentence already names the port or its board."""
        return error.message.removeprefix(f"{self._settings.url}: ")

    def _name(self) -> str:
        return self._device.name if self._device else self._settings.url
