"""Which devices of a fleet train a model, with which build, and what is done to each (S8.1, S8.2). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from jaragua import boards
from jaragua.coordinator.selection import NO_ROOM, ImageRoom
from jaragua.semantics.matching.conditions import Constraint
from jaragua.semantics.matching.decide import IN_ROUNDS, Verdict, decide_for_run
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord

_PI: Final = "pi"
#: States (M6) of a device that cannot be asked for anything now.
_AWAY: Final = frozenset({"", "init", "lost", "disconnected"})
_UNDESCRIBED: Final = "the graph does not describe it (`jaragua devices --refused` may say why)"


class Action(Enum):
    """What happens to a device before the run; the value is the word of the plan."""

    KEEP = "keep"
    FLASH = "flash"
    COMPILE = "compile"


@dataclass(frozen=True)
class Presence:
    """What the broker says of a device: its state, that of its node, the reason it gives, and what its image has."""

    state: str
    node_state: str
    reason: str = ""
    room: ImageRoom = NO_ROOM


@dataclass(frozen=True)
class Chosen:
    """A device that trains. image: what its image is built for, as JARAGUA_MODEL takes it."""

    device: str
    node: str
    board: str
    build: BuildRecord
    buffers: int
    image: str
    action: Action


@dataclass(frozen=True)
class Excluded:
    """A device that does not train, and why."""

    device: str
    node: str
    board: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All devices of the fleet, by name."""

    chosen: tuple[Chosen, ...]
    excluded: tuple[Excluded, ...] = field(default=())

    @property
    def flashed(self) -> tuple[Chosen, ...]:
        """Those that need another image."""
        return tuple(one for one in self.chosen if one.action is Action.FLASH)


def planned(
    devices: Iterable[DeviceRecord],
    model: ModelRecord,
    conditions: tuple[Constraint, ...],
    presence: Mapping[tuple[str, str], Presence],
    name: str,
    parts: Collection[str] = IN_ROUNDS,
    room: ImageRoom = NO_ROOM,
) -> Plan:
    """The plan for the devices of one fleet.

    presence: of each (node, device) that the broker knows. name: the model as the user named it, a name or a file.
    parts: what a device of the run may train (S3.2). room: what the run needs of images.
    """
    chosen: list[Chosen] = []
    excluded: list[Excluded] = []
    described = {(one.node or "", one.name): one for one in devices}
    for node, device in sorted(presence.keys() | described.keys(), key=lambda one: (one[1], one[0])):
        record = described.get((node, device))
        if record is None:
            excluded.append(Excluded(device, node, "", (_UNDESCRIBED,)))
            continue
        verdict = decide_for_run(record, model, conditions, parts)
        found = _evaluated(verdict, presence.get((node, device), Presence("", "")), name, room)
        if isinstance(found, Chosen):
            chosen.append(found)
        else:
            excluded.append(found)
    return Plan(tuple(chosen), tuple(excluded))


def image_of(name: str, build: BuildRecord) -> str | None:
    """What an image with that build is built for; None for a task of the user's own in another arithmetic."""
    if build.is_own:
        return name
    if name.endswith(".toml"):
        return None
    return f"{name.partition('@')[0]}@{form_of(build)}"


def form_of(build: BuildRecord) -> str:
    """Of a model, as its name has it behind @ (R35.1)."""
    return build.arithmetic if build.trains == "all" else f"{build.arithmetic}-{build.trains}"


def _evaluated(verdict: Verdict, presence: Presence, name: str, room: ImageRoom) -> Chosen | Excluded:
    device, build = verdict.device, verdict.build
    image = None if build is None else image_of(name, build)
    action = _action(verdict, presence, room)
    reasons = [*verdict.reasons, *_absence(presence), *_unbuildable(verdict, image, action)]
    reasons += [*_own_reason(verdict, presence)]
    node, board = device.node or "", device.board or ""
    if reasons or build is None or image is None:
        return Excluded(device.name, node, board, tuple(reasons))
    return Chosen(device.name, node, board, build, verdict.buffers, image, action)


def _action(verdict: Verdict, presence: Presence, room: ImageRoom) -> Action:
    if verdict.device.kind == _PI:
        return Action.COMPILE
    return Action.KEEP if verdict.is_ready and presence.room.holds(room) else Action.FLASH


def _absence(presence: Presence) -> Iterable[str]:
    if presence.node_state in _AWAY:
        yield f"its node is not connected (state: {presence.node_state or 'unknown'})"
    elif presence.state in _AWAY:
        reason = f": {presence.reason}" if presence.reason else ""
        yield f"it is not connected (state: {presence.state or 'unknown'}{reason})"


def _unbuildable(verdict: Verdict, image: str | None, action: Action) -> Iterable[str]:
    if not verdict.fits or action is not Action.FLASH:
        return
    if verdict.is_ready and not verdict.device.reflash:
        yield "its image has no room for the prototypes or sums of the run, and its owner states reflash = false"
    known = {one.name for one in boards.environments()}
    if verdict.device.board not in known:
        yield f"no image can be built for a board {verdict.device.board} (`jaragua boards --known` lists them)"
    if image is None and verdict.build is not None:
        yield f"an image of a task of your own has the form of its file, and only {form_of(verdict.build)} fits"


def _own_reason(verdict: Verdict, presence: Presence) -> Iterable[str]:
    """A device that computes the model and is stale all the same says why: no row of the data is of it, for example."""
    if verdict.fits and verdict.is_ready and presence.state == "stale":
        yield presence.reason or "its node says that it cannot take part"
