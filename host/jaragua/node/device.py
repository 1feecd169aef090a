"""One device of a node: its state on the broker and its orders, one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from jaragua.errors import JaraguaError
from jaragua.models import NO_IMAGE, WITHOUT_BOARDS, is_in_zoo
from jaragua.node.trainer import Trainer, TrainerGone, TrainerRestarted
from jaragua.wire.messages import AdaptCommand, DeviceState, TrainCommand
from jaragua.wire.rejections import Reason
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan

LOGGER = logging.getLogger(__name__)

DeviceKind = Literal["cortex-m4", "pi"]
StateName = Literal["init", "ready", "training", "sleeping", "disconnected", "lost", "stale"]
#: P3: orders that wait for a device.
MOST_ORDERS = 64
# A board that goes away each time it is given the same order is not helped by another try.
_MOST_TRIES = 5


@dataclass(frozen=True)
class TrainOrder:
    """A train-command on its way through a device."""

    command: TrainCommand


@dataclass(frozen=True)
class AdaptOrder:
    """An adapt-command, and where its answer goes."""

    command: AdaptCommand
    response_topic: str
    correlation: bytes | None


Order = TrainOrder | AdaptOrder


class Office(Protocol):
    """What a device needs of its node."""

    async def perform(self, trainer: Trainer, order: Order) -> None:
        """Carry the order out and hand the result on."""
        ...

    def refuse(self, order: Order, why: str, reason: Reason = Reason.COMMAND) -> None:
        """Tell whoever asked that it will not be done, and count it."""
        ...

    def is_of_the_run(self, order: Order) -> bool:
        """Whether an order belongs to what the coordinator says of the run: it goes before others."""
        ...

    def state_changed(self, device: Device) -> None:
        """Publish the device's state."""
        ...


class Device:
    """A device under its name in the fleet. A board's model and architecture are its image's, a Pi's the run's."""

    def __init__(self, office: Office, name: str, kind: DeviceKind, model: str, architecture: bytes) -> None:
        self.name = name
        self.kind = kind
        self.update_command = ""  # what puts another image on the board
        self.format: str | None = None  # "f32" of one that computes in float32 (M9)
        self.lacks: Callable[[str, Plan], str | None] = lambda model, plan: None  # why a Pi cannot follow the run
        self._office = office
        self._model = model
        self._architecture = architecture
        self._state: StateName = "init"
        self._reason: str | None = None
        self._stale_reason: str | None = None
        self._orders: deque[Order] = deque()
        self._current: Order | None = None
        self._tries = 0
        self._wake = asyncio.Event()

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
    def stale_reason(self) -> str | None:
        """Why the device cannot take part (in one sentence with the command that helps), or None."""
        return self._stale_reason

    def set_state(self, state: StateName, reason: str | None = None) -> None:
        """Change the state and publish it, if it is another one."""
        if (state, reason) != (self._state, self._reason):
            self._state, self._reason = state, reason
            self._office.state_changed(self)

    def link_broken(self, reason: str) -> None:
        """The link to an idle device is gone for now; with an order under way, the order finds out by itself."""
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
            self._office.state_changed(self)

    def mark_stale(self, reason: str | None) -> None:
        """Leave the device out (its orders are refused), or take it in again with None. Said once."""
        if reason == self._stale_reason:
            return
        self._stale_reason = reason
        if reason:
            LOGGER.warning("%s is left out: %s", self.name, reason)
            self._refuse_all(reason)
        self._office.state_changed(self)

    def expect(self, model: str, plan: Plan) -> None:
        """The run computes this network: a Pi follows, a board built for another one is stale."""
        if self.kind == "pi":
            self.set_identity(model, plan.architecture)
            self.mark_stale(self.lacks(model, plan))
            return
        matches = plan.architecture == self._architecture
        self.mark_stale(None if matches else self._wrong_architecture(model))

    def submit(self, order: Order) -> None:
        """Take an order; one that is waiting or under way already is not taken twice.

        A bounded number waits (P3): for one of the run another has to go.
        """
        order = order if self.format == "f32" else _in_integers(order)
        if self._stale_reason:
            self._office.refuse(order, self._stale_reason)
        elif order != self._current and order not in self._orders:
            self._orders.append(order)
            self._wake.set()
            if len(self._orders) > MOST_ORDERS:
                self._give_up_one()

    def _give_up_one(self) -> None:
        """The newest of those that are not of the run; if all are, the newest."""
        of_the_run = self._office.is_of_the_run
        surplus = next((order for order in reversed(self._orders) if not of_the_run(order)), self._orders[-1])
        self._orders.remove(surplus)
        self._office.refuse(surplus, f"{MOST_ORDERS} orders wait for {self.name} already", Reason.FLOOD)

    def drop(self, unwanted: Callable[[Order], bool]) -> None:
        """Forget waiting orders; the one under way ends by itself."""
        self._orders = deque(order for order in self._orders if not unwanted(order))

    async def serve(self, trainer: Trainer) -> None:
        """Carry out orders until the trainer is gone (TrainerGone); the order under way is kept for the next."""
        while True:
            self.set_state("ready", self._reason if self._state in ("ready", "training") else None)
            order = await self._next()
            self.set_state("training")
            failure = await self._try(trainer, order)
            self.set_state("ready", failure)

    async def _next(self) -> Order:
        while self._current is None:
            if self._orders:
                self._current, self._tries = self._first(), 0
            else:
                self._wake.clear()
                await self._wake.wait()
        return self._current

    def _first(self) -> Order:
        """Take the order that is next: of those of the run the oldest, else the oldest."""
        first = next(filter(self._office.is_of_the_run, self._orders), self._orders[0])
        self._orders.remove(first)
        return first

    async def _try(self, trainer: Trainer, order: Order) -> str | None:
        """One attempt; the sentence why it failed, if it did."""
        self._tries += 1
        try:
            await self._office.perform(trainer, order)
        except (TrainerGone, TrainerRestarted) as error:
            if self._tries >= _MOST_TRIES:
                self._fail(order, error)
            if isinstance(error, TrainerGone):
                raise
            LOGGER.info("%s: %s; begun again", self.name, error)
            return None
        except (JaraguaError, CompileError) as error:
            return self._fail(order, error)
        self._current = None
        return None

    def _fail(self, order: Order, error: JaraguaError | CompileError) -> str:
        self._current = None
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        self._office.refuse(order, reason)
        return reason

    def _refuse_all(self, reason: str) -> None:
        while self._orders:
            self._office.refuse(self._orders.popleft(), reason)

    def _wrong_architecture(self, wanted: str) -> str:
        told = f"its image computes the network of '{self._model}', the run that of '{wanted}'"
        if is_in_zoo(wanted):
            return f"{told}; update it: JARAGUA_MODEL={wanted} {self.update_command}"
        return f"{told}, a task of one's own, and {NO_IMAGE}: {WITHOUT_BOARDS}"


def _in_integers(order: Order) -> Order:
    """The order without a start in float32, which is for other devices (M9)."""
    if order.command.start is None:
        return order
    if isinstance(order, TrainOrder):
        return replace(order, command=replace(order.command, start=None))
    return replace(order, command=replace(order.command, start=None))
