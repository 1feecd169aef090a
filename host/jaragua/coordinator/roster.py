"""Who is there: the states of nodes and devices as they come from the broker, made into changes (M7, M8). Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from jaragua.wire.messages import DeviceState, NodeState

#: States in which a device (or its node) can be given work.
_PRESENT = frozenset({"ready", "training"})
#: States in which a device is gone without having said goodbye, and its work with it.
_LOST = frozenset({"lost", "stale"})


class Presence(Enum):
    """What the coordinator makes of a device."""

    PRESENT = "present"
    LOST = "lost"
    AWAY = "away"


@dataclass(frozen=True)
class Change:
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
    told: Presence = Presence.AWAY
    told_place: tuple[str, int] = ("", 0)
    """Node and epoch of the last change."""


class Roster:
    """All nodes and devices of a fleet. `architectures`: devices built for another network are not present."""

    def __init__(self, architectures: Collection[bytes] | None = None) -> None:
        self._architectures = architectures
        self._nodes: dict[str, _Node] = {}
        self._devices: dict[str, _Device] = {}

    def node_state(self, node: str, state: NodeState) -> list[Change]:
        """Take in a node's state; M8: what is older than what is known is out of date."""
        known = self._nodes.get(node)
        if known is not None and state.epoch < known.epoch:
            return []
        self._nodes[node] = _Node(state.state, state.epoch)
        return self._changes([name for name, device in self._devices.items() if device.node == node])

    def device_state(self, node: str, device: str, state: DeviceState) -> list[Change]:
        """Take in a device's state. A board that moved to another node belongs to where it is present."""
        known = self._devices.get(device)
        if known is None:
            self._devices[device] = _Device(node, state)
        elif known.node == node or state.state in _PRESENT:
            known.node, known.state = node, state
        return self._changes([device])

    def forget(self, node: str, device: str) -> list[Change]:
        """A device's retained state was cleared: it has been taken out of the fleet."""
        known = self._devices.get(device)
        if known is None or known.node != node:
            return []
        del self._devices[device]
        return [] if known.told is Presence.AWAY else [Change(device, node, Presence.AWAY)]

    def present(self) -> dict[str, str]:
        """Device -> node of all that can be given work."""
        return {name: one.node for name, one in self._devices.items() if self._presence(one) is Presence.PRESENT}

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
        again = presence is device.told is Presence.PRESENT and place != device.told_place
        if presence is device.told and not again:
            return None
        device.told, device.told_place = presence, place
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
        return device.told if device.state.epoch < node.epoch else Presence.PRESENT

    def _fits(self, device: _Device) -> bool:
        return self._architectures is None or device.state.architecture in self._architectures
