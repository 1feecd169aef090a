"""Presence of nodes and devices: turns their states from the broker into changes (M7, M8). Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from jaragua.bases.value import Value
from jaragua.wire.messages import DeviceState, NodeState
from jaragua.wire.rejections import LONGEST_TEXT, Reason, RejectedError

#: P3, M8: what a coordinator keeps of a fleet. A newcomer takes the place of one that is gone, or is refused.
MOST_NODES: Final = 16_384
MOST_DEVICES: Final = 16_384
#: M8: how far the epoch of a peer may be ahead of the receiver's clock.
EPOCH_AHEAD_MS: Final = 24 * 3600 * 1000

#: States in which a device (or its node) can be given work.
_PRESENT = frozenset({"ready", "training"})
#: States in which a device is gone without having said goodbye, and its work with it. A node that was killed and
#: starts again says `init` before its devices are `ready`: they stay members (R6).
_LOST = frozenset({"lost", "stale", "init"})
_MS_BETWEEN_SEARCHES: Final = 1000


class CrowdError(RejectedError):
    """More nodes or devices than a coordinator keeps."""

    reason = Reason.CROWD


class EpochError(RejectedError):
    """An epoch that no clock can have given."""

    reason = Reason.EPOCH


class ClaimError(RejectedError):
    """A node says that it has a device which is at another node (G20)."""

    reason = Reason.STRANGER


class Presence(Enum):
    """What the coordinator makes of a device."""

    PRESENT = "present"
    LOST = "lost"
    AWAY = "away"


class Change(Value):
    """A device's presence is now this. `again`: it was present before, and has connected anew without being lost."""

    device: str
    node: str
    presence: Presence
    again: bool = False


@dataclass
class _Node:
    state: str
    epoch: int


@dataclass
class _Device:
    node: str
    state: DeviceState
    claim: tuple[str, DeviceState] | None = None
    """G20: the last node that claims it, and what that says; it counts once `node` lets go."""
    announced: Presence = Presence.AWAY
    announced_place: tuple[str, int] = ("", 0)
    """Node and epoch of the last change."""


class Roster:
    """All nodes and devices of a fleet. `architectures`: devices built for another network are not present."""

    def __init__(self, architectures: Collection[bytes] | None = None) -> None:
        self.is_stranger: Callable[[str], bool] = lambda device: False
        """R15: whose place a newcomer may take when there is none left."""
        self.is_named: Callable[[str, str], bool] = lambda node, device: False
        """G20.3: whether the operator has named the device with the node."""
        self._bound: dict[str, str] = {}
        """G20.4: nodes by device, from before this process."""
        self._architectures = architectures
        self._nodes: dict[str, _Node] = {}
        self._looked_for_room_ms = 0
        self._devices: dict[str, _Device] = {}
        self._at: dict[str, set[str]] = {}
        """Devices by node."""

    def node_state(self, node: str, state: NodeState, now_ms: int) -> list[Change]:
        """Take in a node's state. M8: a `lost` that is older than what is known is out of date; all else is the newest.

        now_ms: Unix milliseconds. Raises: CrowdError, EpochError.
        """
        _check_epoch(state.epoch, now_ms)
        known = self._nodes.get(node)
        if known is not None and state.state == "lost" and state.epoch < known.epoch:
            return []
        if known is None:
            self._make_room_for_node(node, now_ms)
        self._nodes[node] = _Node(state.state, state.epoch)
        there = list(self._at.get(node, ()))
        for device in there:
            self._let_go(device)
        return self._changes(there)

    def bind(self, nodes: Mapping[str, str]) -> list[Change]:
        """G20.4: the nodes that devices had before this process began; whoever came first since gives way to them."""
        self._bound = dict(nodes)
        for device, node in nodes.items():
            known = self._devices.get(device)
            if known is not None and known.claim is not None and known.claim[0] == node:
                self._move(device, known, *known.claim)
        return self._changes([device for device in nodes if device in self._devices])

    def device_state(self, node: str, device: str, state: DeviceState, now_ms: int) -> list[Change]:
        """Take in a device's state. A board that moved to another node belongs there once its own has let go (G20).

        now_ms: Unix milliseconds. Raises: CrowdError, EpochError, ClaimError.
        """
        _check_epoch(state.epoch, now_ms)
        known = self._devices.get(device)
        changes: list[Change] = []
        # Of a device only what is asked for is kept: texts may be long.
        state = replace(state, reason=(state.reason or "")[:LONGEST_TEXT], model="")
        if known is None:
            changes = self._make_room_for_device(device)
            self._devices[device] = _Device(node, state)
            self._at.setdefault(node, set()).add(device)
        elif known.node == node:
            known.state = state
            self._let_go(device)
        elif state.state in _PRESENT:
            self._claim(device, known, node, state)
        elif known.claim is not None and known.claim[0] == node:
            known.claim = None
        return changes + self._changes([device])

    def _claim(self, device: str, known: _Device, node: str, state: DeviceState) -> None:
        """G20. Raises: ClaimError while the device's own node has it."""
        if not self._is_held(known) or self._bound.get(device) == node or self.is_named(node, device):
            self._move(device, known, node, state)
            return
        known.claim = node, state
        raise ClaimError(f"{device} is at {known.node}, which has not let go of it; {node} says it has it")

    def _is_held(self, known: _Device) -> bool:
        """Whether its node is there, and says that the device is."""
        node = self._nodes.get(known.node)
        return node is not None and node.state in _PRESENT and known.state.state in _PRESENT

    def _let_go(self, device: str) -> None:
        """G20.2: give it to the node that claims it, if its own does not have it any more."""
        known = self._devices[device]
        if known.claim is not None and not self._is_held(known):
            self._move(device, known, *known.claim)

    def _move(self, device: str, known: _Device, node: str, state: DeviceState) -> None:
        self._leave(known.node, device)
        self._at.setdefault(node, set()).add(device)
        known.node, known.state, known.claim = node, state, None
        self._bound.pop(device, None)

    def _make_room_for_node(self, node: str, now_ms: int) -> None:
        """One that is gone, and that no device is at, is forgotten. Raises: CrowdError if there is none.

        In a flood it is looked for once a second: that takes longer than to refuse a message.
        """
        if len(self._nodes) < MOST_NODES:
            return
        if abs(now_ms - self._looked_for_room_ms) < _MS_BETWEEN_SEARCHES:
            raise CrowdError(f"{node} would be one node more than {MOST_NODES}")
        self._looked_for_room_ms = now_ms
        gone = [name for name, one in self._nodes.items() if name not in self._at and one.state not in _PRESENT]
        if not gone:
            raise CrowdError(f"{node} would be one node more than {MOST_NODES}")
        del self._nodes[gone[0]]

    def _make_room_for_device(self, device: str) -> list[Change]:
        """One that is gone, or a stranger that never answered, is forgotten. Raises: CrowdError if there is none."""
        if len(self._devices) < MOST_DEVICES:
            return []
        gone = next((name for name, one in self._devices.items() if one.announced is not Presence.PRESENT), None)
        place = gone or next((name for name in self._devices if self.is_stranger(name)), None)
        if place is None:
            raise CrowdError(f"{device} would be one device more than {MOST_DEVICES}")
        return self.forget(self._devices[place].node, place)

    def forget(self, node: str, device: str) -> list[Change]:
        """A device's retained state was cleared: it has been taken out of the fleet."""
        known = self._devices.get(device)
        if known is None:
            return []
        if known.claim is not None and known.claim[0] == node:
            known.claim = None
        if known.node != node:
            return []
        if known.claim is not None:
            self._move(device, known, *known.claim)
            return self._changes([device])
        del self._devices[device]
        self._leave(node, device)
        return [] if known.announced is Presence.AWAY else [Change(device, node, Presence.AWAY)]

    def _leave(self, node: str, device: str) -> None:
        self._at[node].discard(device)
        if not self._at[node]:
            del self._at[node]

    def present(self) -> dict[str, str]:
        """Device -> node of all that can be given work."""
        return {name: one.node for name, one in self._devices.items() if self._presence(one) is Presence.PRESENT}

    def knows(self, node: str, device: str = "") -> bool:
        """Whether the node has said something, or the device at that node."""
        if not device:
            return node in self._nodes
        known = self._devices.get(device)
        return known is not None and known.node == node

    def kind(self, device: str) -> str:
        """The kind of a device, "" if it was never seen."""
        known = self._devices.get(device)
        return known.state.kind if known is not None else ""

    def architecture(self, device: str) -> bytes:
        """What a device computes, b"" if it was never seen."""
        known = self._devices.get(device)
        return known.state.architecture if known is not None else b""

    def format(self, device: str) -> str:
        """ "f32" if a device computes in float32 (M9), "" if in the blob's integers."""
        known = self._devices.get(device)
        return (known.state.format or "") if known is not None else ""

    def reason(self, device: str) -> str:
        """What a device says went wrong with its last work, "" if it says nothing."""
        known = self._devices.get(device)
        return (known.state.reason or "") if known is not None else ""

    def unfit(self) -> list[str]:
        """Devices that are there but built for another network, sorted."""
        return sorted(
            name for name, one in self._devices.items() if one.state.state in _PRESENT and not self._fits(one)
        )

    def _changes(self, names: list[str]) -> list[Change]:
        return [change for name in sorted(names) if (change := self._change(name)) is not None]

    def _change(self, name: str) -> Change | None:
        device = self._devices[name]
        presence, place = self._presence(device), (device.node, device.state.epoch)
        again = presence is device.announced is Presence.PRESENT and place != device.announced_place
        if presence is device.announced and not again:
            return None
        device.announced, device.announced_place = presence, place
        return Change(name, device.node, presence, again)

    def _presence(self, device: _Device) -> Presence:
        node = self._nodes.get(device.node)
        if device.state.state in _LOST or (node is not None and node.state == "lost"):
            return Presence.LOST
        if device.state.state not in _PRESENT or not self._fits(device):
            return Presence.AWAY
        if node is None or node.state not in _PRESENT:
            return Presence.AWAY
        # The node has connected anew and has not yet said how its device is: what is known of it still holds.
        return device.announced if device.state.epoch < node.epoch else Presence.PRESENT

    def _fits(self, device: _Device) -> bool:
        return self._architectures is None or device.state.architecture in self._architectures


def _check_epoch(epoch: int, now_ms: int) -> None:
    """Raises: EpochError if it is more than a day ahead of the clock, in milliseconds."""
    if epoch > now_ms + EPOCH_AHEAD_MS:
        raise EpochError(f"the epoch {epoch} is more than a day ahead of this clock")
