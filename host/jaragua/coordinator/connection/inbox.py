"""What waits for the coordinator: bounded for each peer and in all (P3), and fair between peers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from jaragua.coordinator.connection.fleet import Arrived, FleetEvent, PresenceChanged
from jaragua.coordinator.connection.roster import Change

#: P3: updates of one node, and the bytes of one node's and of all nodes' updates that wait to be validated.
MOST_UPDATES: Final = 1024
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_BYTES_IN_ALL: Final = 64 * 1024 * 1024
#: R19: of one transaction.
MOST_IN_A_GROUP: Final = 512
MOST_BYTES_IN_A_GROUP: Final = 4 * 1024 * 1024


class Inbox:
    """Changes of devices first, the newest of each; then updates, of each node in turn."""

    def __init__(self) -> None:
        self._changes: dict[str, Change] = {}
        self._lanes: dict[str, deque[Arrived]] = {}
        self._bytes: dict[str, int] = {}
        self._bytes_in_all = 0
        self._count = 0
        """Updates that wait."""
        self._filled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Updates that wait, and one for all changes of devices."""
        return self._count + bool(self._changes)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all updates that wait."""
        return self._bytes_in_all

    def put(self, event: FleetEvent) -> bool:
        """Take it in; False if its peer has as much waiting as it may: then it is dropped."""
        if isinstance(event, PresenceChanged):
            for change in event.changes:
                self._changes[change.device] = change
        elif not self._has_room(event):
            return False
        else:
            lane = self._lanes.get(event.node)
            if lane is None:
                lane = self._lanes[event.node] = deque()
            lane.append(event)
            self._bytes[event.node] = self._bytes.get(event.node, 0) + event.payload_bytes
            self._bytes_in_all += event.payload_bytes
            self._count += 1
        self._filled.set()
        return True

    def forget_changes(self) -> None:
        """Whoever reads from now on knows where every device is."""
        self._changes.clear()

    def take(self) -> FleetEvent | None:
        """The next, None if there is none."""
        if self._changes:
            changes, self._changes = list(self._changes.values()), {}
            return PresenceChanged(changes)
        if not self._lanes:
            self._filled.clear()
            return None
        node = next(iter(self._lanes))
        lane = self._lanes.pop(node)
        event = lane.popleft()
        self._count -= 1
        self._bytes[node] -= event.payload_bytes
        self._bytes_in_all -= event.payload_bytes
        if lane:
            self._lanes[node] = lane  # behind the others
        else:
            del self._bytes[node]
        return event

    async def next(self) -> FleetEvent:
        """The next, when there is one."""
        while (event := self.take()) is None:
            await self._filled.wait()
        return event

    def group(self, first: Arrived) -> list[Arrived]:
        """`first` and what waits behind it, of each node in turn: what one transaction may hold (R19)."""
        found, count_bytes = [first], first.payload_bytes
        while not self._changes and len(found) < MOST_IN_A_GROUP and count_bytes < MOST_BYTES_IN_A_GROUP:
            event = self.take()
            if not isinstance(event, Arrived):
                break
            found.append(event)
            count_bytes += event.payload_bytes
        return found

    def _has_room(self, update: Arrived) -> bool:
        """An update as long as the bound is taken when nothing else of its node waits."""
        lane = self._lanes.get(update.node, ())
        own = self._bytes.get(update.node, 0)
        if len(lane) >= MOST_UPDATES or (lane and own + update.payload_bytes > MOST_BYTES):
            return False
        return self.waiting_bytes + update.payload_bytes <= MOST_BYTES_IN_ALL or not self._lanes
