"""Which starts are on the broker and which are in the store, and what reading them costs (M10, R11)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from jaragua.bases.lazy_sequence import LazySequence
from jaragua.coordinator.connection.fleet import Fleet
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.model_version import ModelVersion, ModelVersionMaker
from jaragua.store import Initialisation, RunRecord, Store, StoredVersion
from jaragua.strategies import Vector

_FORMS_REMEMBERED = 16


class ModelPublisher:
    """The starts of one run, in the order of its rounds."""

    def __init__(self, maker: ModelVersionMaker, store: Store, record: RunRecord, current: Initialisation) -> None:
        self._maker = maker
        self._store = store
        self._kept: dict[bytes, bytes] = {}
        """Blobs of earlier rounds that are still on the broker, by their hash."""
        self._run = record.run
        self._made: dict[tuple[int, str], bytes] = {}
        self._hashes: dict[int, bytes] = {}
        self._forms: dict[int, set[bytes]] = {}
        """Hashes of other forms on the broker, by round."""
        first = maker.first(store.initialisation(record.run, 0).vector)
        self._delta_history = [_stored(first, 0), *store.starts(record.run)] if first.payload else []
        """Element n belongs to the start of round n + 1; empty without differences."""
        self._with_payload = 0
        """The first of them that has its payload."""
        last = self._delta_history[-1] if self._delta_history else None
        self.newest = ModelVersion(last.blob, last.payload, last.total) if last else maker.first(current.vector)

    def after(self, current: Initialisation) -> ModelVersion:
        """What the next round starts from."""
        return self._maker.next(self.newest, current.vector)

    def record_of(self, start: ModelVersion, rounds_done: int) -> StoredVersion | None:
        """What is to be stored of it: nothing of a packed initialisation."""
        return _stored(start, rounds_done) if start.payload else None

    def blob_of(self, round_number: int) -> bytes:
        """What the devices of a round started from; of an earlier round the packed initialisation."""
        if self.sha256_of(round_number) == self.newest.sha256:
            return self.newest.blob
        return self._form(round_number, "packed", lambda vector: self._maker.first(vector).blob)

    def sha256_of(self, round_number: int) -> bytes:
        """The hash of what the devices of a round started from."""
        if self._delta_history:
            return self._delta_history[round_number - 1].sha256
        if round_number not in self._hashes:
            _forget_oldest(self._hashes)
            self._hashes[round_number] = self._store.initialisation(self._run, round_number - 1).blob_hash
        return self._hashes[round_number]

    def float_of(self, round_number: int) -> bytes:
        """What the devices of a round that compute in float32 started from (M9)."""
        return self._form(round_number, "f32", self._maker.in_float32)

    def in_format(self, round_number: int, codec: ModelCodec) -> bytes:
        """What the devices of a round whose weights have another format than the model's started from (R14)."""
        return self._form(round_number, codec.architecture.hex(), codec.pack)

    def base_of(self, round_number: int, encoding: str, codec: ModelCodec) -> bytes:
        """What an update of a round is compared with."""
        if encoding == "f32":
            return self.float_of(round_number)
        return self.blob_of(round_number) if self._maker.makes(codec) else self.in_format(round_number, codec)

    def publish_form(self, round_number: int, form: bytes, fleet: Fleet) -> bytes:
        """Put another form of a round's start on the broker, until the round is no longer at work; its hash."""
        sha256 = fleet.publish_blob(form)
        self._kept[sha256] = form
        self._forms.setdefault(round_number, set()).add(sha256)
        return sha256

    def _form(self, round_number: int, name: str, make: Callable[[Vector], bytes]) -> bytes:
        """Another form of a round's start; the last few are remembered."""
        key = round_number, name
        if key not in self._made:
            _forget_oldest(self._made)
            self._made[key] = make(self._store.initialisation(self._run, round_number - 1).vector)
        return self._made[key]

    def publish(self, fleet: Fleet, earlier: Collection[int] = ()) -> None:
        """Put the newest start on the broker, and the differences that lead to it; earlier: rounds still at work."""
        fleet.publish_blob(self.newest.blob)
        for number in earlier if not self._delta_history else ():
            self._kept[self.sha256_of(number)] = blob = self.blob_of(number)
            fleet.publish_blob(blob)
        for one in self._leading():
            fleet.publish_difference(one.sha256, one.payload)

    def move_to(self, start: ModelVersion, fleet: Fleet) -> None:
        """The next round starts here; the blobs of earlier ones stay until `clear`."""
        before, led = self.newest, self._leading()
        self.newest = start
        fleet.publish_blob(start.blob)
        if start.payload:
            self._delta_history.append(replace(_stored(start, len(self._delta_history)), blob=b""))
            self._forget_payloads()
        if before.sha256 == start.sha256:
            return
        self._kept[before.sha256] = before.blob
        if start.payload:
            fleet.publish_difference(start.sha256, start.payload)
        for one in led:
            if one not in self._leading():
                fleet.clear_difference(one.sha256)

    def clear(self, fleet: Fleet, following: int = 0, still: Collection[int] = ()) -> None:
        """Take blobs of earlier rounds off the broker.

        following: the round that begins now, 0 if none does. still: rounds that devices still work on.
        """
        wanted = {self.newest.sha256, *(self.sha256_of(number) for number in still)}
        self._forms = {number: found for number, found in self._forms.items() if number in still or number == following}
        wanted = wanted.union(*self._forms.values())
        for sha256 in set(self._kept) - wanted:
            del self._kept[sha256]
            fleet.clear_blob(sha256)

    def withdraw(self, fleet: Fleet) -> None:
        """Take the differences off the broker; the newest blob stays."""
        for one in self._leading():
            fleet.clear_difference(one.sha256)

    def replace_by(self, blob: bytes, fleet: Fleet) -> None:
        """After the last round: the model itself in place of what devices start from."""
        self._kept[self.newest.sha256] = self.newest.blob
        fleet.publish_blob(blob)
        self.withdraw(fleet)
        self.newest, self._delta_history, self._forms = ModelVersion(blob), [], {}
        self.clear(fleet)

    @property
    def has_differences(self) -> bool:
        """Whether starts follow from one another (M10)."""
        return bool(self._delta_history)

    def bytes_for(self, node: str, round_number: int) -> int:
        """What a node reads to have the start of the open round: what it missed, a blob at most."""
        if not self._delta_history:
            return len(self.newest.blob)
        known = self._store.last_round_of_node(self._run, node, round_number)
        has = self._delta_history[known - 1].total if known else 0
        return min(self.newest.total - has, len(self.newest.blob))

    def _forget_payloads(self) -> None:
        """R32.2: of starts from which nobody reads differences any more the sizes are left."""
        least = self.newest.total - len(self.newest.blob)
        while self._with_payload < len(self._delta_history):
            one = self._delta_history[self._with_payload]
            if one.total >= least:
                return
            self._delta_history[self._with_payload] = replace(one, payload=b"")
            self._with_payload += 1

    def _leading(self) -> list[StoredVersion]:
        """Those from which it is shorter to read differences than the newest blob."""
        least = self.newest.total - len(self.newest.blob)
        found: dict[bytes, StoredVersion] = {}
        for one in reversed(self._delta_history):
            if one.total - len(one.payload) < least:
                break
            found.setdefault(one.sha256, one)
        return list(found.values())


def _forget_oldest(remembered: dict[Any, bytes]) -> None:
    while len(remembered) >= _FORMS_REMEMBERED:
        del remembered[next(iter(remembered))]


def _stored(start: ModelVersion, rounds_done: int) -> StoredVersion:
    return StoredVersion(rounds_done, start.sha256, start.blob, start.payload, start.total)


class Hashes(LazySequence[bytes]):
    """Hashes that are computed when they are asked for: most updates are of the first form."""

    def __init__(self, first: bytes, *others: Callable[[], bytes]) -> None:
        """others: make the forms."""
        self._first = first
        self._others = others

    def __len__(self) -> int:
        return 1 + len(self._others)

    def __getitem__(self, place: Any) -> Any:
        return self._first if place == 0 else super().__getitem__(place)

    def item(self, place: int) -> bytes:
        """The hash of the form at that place."""
        return hashlib.sha256(self._others[place - 1]()).digest() if place else self._first
