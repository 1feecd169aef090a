"""The fleet as a deployment finds it: what the broker keeps, and the graph of its descriptions (S8.1, S8.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jaragua.coordinator.selection import ImageRoom
from jaragua.deploy.plan import Presence
from jaragua.directory.service import Directory
from jaragua.flash.fleet.needs import FleetBoard
from jaragua.node.connection.url import BrokerUrl
from jaragua.observe.fleet_view import FleetView
from jaragua.observe.observer import now_ms
from jaragua.observe.retained import retained
from jaragua.semantics.graph.store import GraphStore, GraphTakenError
from jaragua.wire.topics import TopicError, TopicKind, parse, pattern

_STATES: Final = (TopicKind.NODE_STATE, TopicKind.DEVICE_STATE)
_DESCRIPTIONS: Final = (TopicKind.NODE_DESCRIPTION, TopicKind.DEVICE_DESCRIPTION)


class Snapshot:
    """What the broker keeps of a fleet."""

    def __init__(self, messages: Mapping[str, bytes]) -> None:
        self.presence: dict[tuple[str, str], Presence] = {}
        """State of each (node, device)."""
        self.descriptions = {topic: payload for topic, payload in messages.items() if _kind(topic) in _DESCRIPTIONS}
        view = FleetView()
        for topic, payload in messages.items():
            if _kind(topic) in (*_STATES, TopicKind.DEVICE_DESCRIPTION):
                view.take(topic, payload, now_ms())
        for name, device in view.devices.items():
            node = view.nodes.get(device.node)
            board = FleetBoard(device.node, name, device.facts)
            room = ImageRoom(board.accumulates, board.prototypes, board.has_gradients)
            self.presence[device.node, name] = Presence(device.state, node.state if node else "", device.reason, room)

    @classmethod
    async def of(cls, url: BrokerUrl, fleet: str) -> Snapshot:
        """Read it. Raises: BrokerError."""
        return cls(await retained(url, [pattern(kind, fleet) for kind in (*_STATES, *_DESCRIPTIONS)]))


@contextmanager
def open_graph(folder: Path, fleet: str) -> Iterator[tuple[GraphStore, Directory | None]]:
    """The graph, and who keeps it current here: None if another process does (S8.6). Raises: StoreError, ToolError."""
    try:
        store = GraphStore(folder)
    except GraphTakenError:
        with GraphStore(folder, read_only=True) as reading:
            yield reading, None
        return
    with store:
        yield store, Directory(store, fleet)


def _kind(topic: str) -> TopicKind | None:
    try:
        return parse(topic).kind
    except TopicError:
        return None
