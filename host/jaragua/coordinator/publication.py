"""Which starts are on the broker and which are in the store, and what reading them costs (M10, R11)."""

from __future__ import annotations

from jaragua.coordinator.fleet import Fleet
from jaragua.coordinator.starts import Start, StartMaker
from jaragua.store import Initialisation, RunRecord, Store, StoredStart


class Starts:
    """The starts of one run, in the order of its rounds."""

    def __init__(self, maker: StartMaker, store: Store, record: RunRecord, current: Initialisation) -> None:
        self._maker = maker
        self._store = store
        self._run = record.run
        first = maker.first(store.initialisation(record.run, 0).vector)
        self._chain = [_stored(first, 0), *store.starts(record.run)] if first.payload else []
        """Of the start of round n + 1 at n; empty if there are no differences."""
        last = self._chain[-1] if self._chain else None
        self.newest = Start(last.blob, last.payload, last.total) if last else maker.first(current.vector)

    def after(self, current: Initialisation) -> Start:
        """What the next round starts from."""
        return self._maker.next(self.newest, current.vector)

    def record_of(self, start: Start, rounds_done: int) -> StoredStart | None:
        """What is to be stored of it: nothing of a packed initialisation."""
        return _stored(start, rounds_done) if start.payload else None

    def publish(self, fleet: Fleet) -> None:
        """Put the newest start on the broker, and the differences that lead to it."""
        fleet.publish_blob(self.newest.blob)
        for one in self._leading():
            fleet.publish_difference(one.sha256, one.payload)

    def move_to(self, start: Start, fleet: Fleet) -> None:
        """The next round starts here; what is of no use any more leaves the broker."""
        before, led = self.newest, self._leading()
        self.newest = start
        fleet.publish_blob(start.blob)
        if start.payload:
            self._chain.append(_stored(start, len(self._chain)))
        if before.sha256 == start.sha256:
            return
        fleet.clear_blob(before.sha256)
        if start.payload:
            fleet.publish_difference(start.sha256, start.payload)
        for one in led:
            if one not in self._leading():
                fleet.clear_difference(one.sha256)

    def withdraw(self, fleet: Fleet) -> None:
        """Take the differences off the broker; the newest blob stays."""
        for one in self._leading():
            fleet.clear_difference(one.sha256)

    def replace_by(self, blob: bytes, fleet: Fleet) -> None:
        """After the last round: the model itself in place of what devices start from."""
        if blob != self.newest.blob:
            fleet.publish_blob(blob)
            fleet.clear_blob(self.newest.sha256)
        self.withdraw(fleet)
        self.newest, self._chain = Start(blob), []

    def bytes_for(self, node: str, round_number: int) -> int:
        """What a node reads to have the start of the open round: what it missed, a blob at most."""
        if not self._chain:
            return len(self.newest.blob)
        known = self._store.last_round_of_node(self._run, node, round_number)
        has = self._chain[known - 1].total if known else 0
        return min(self.newest.total - has, len(self.newest.blob))

    def _leading(self) -> list[StoredStart]:
        """Those from which it is shorter to read differences than the newest blob."""
        least = self.newest.total - len(self.newest.blob)
        found: dict[bytes, StoredStart] = {}
        for one in reversed(self._chain):
            if one.total - len(one.payload) < least:
                break
            found.setdefault(one.sha256, one)
        return list(found.values())


def _stored(start: Start, rounds_done: int) -> StoredStart:
    return StoredStart(rounds_done, start.sha256, start.blob, start.payload, start.total)
