"""The blobs of the fleet on the node's side: fetched once, believed only if their SHA-256 agrees (A6)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import Protocol

from jaragua.errors import BrokerError, ProtocolError
from jaragua.node.weights.shared_work import SharedWork
from jaragua.wire.messages import BlobSignature
from jaragua.wire.topics import TopicKind, build

_CAPACITY = 8
# Blobs are retained before a command names them: one that does not come soon was cleared.
FETCH_SECONDS = 10.0


class Subscriber(Protocol):
    """The part of a session that a fetch needs."""

    async def subscribe(self, topic_filter: str) -> None: ...

    async def unsubscribe(self, topic_filter: str) -> None: ...


class Blobs:
    """The last few blobs, by hash; the least recently used one goes first."""

    def __init__(self, subscriber: Subscriber, fleet: str, capacity: int = _CAPACITY) -> None:
        """capacity: blobs that are kept."""
        self._capacity = capacity
        self._subscriber = subscriber
        self._fleet = fleet
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._signatures: dict[bytes, BlobSignature] = {}
        """Of blobs that are kept."""
        self._awaited: dict[bytes, asyncio.Future[bytes]] = {}
        self._fetches = SharedWork()

    async def fetch(self, sha256: bytes, timeout_seconds: float = FETCH_SECONDS, *, signed: bool = False) -> bytes:
        """The blob with that hash. BrokerError: it did not come; ProtocolError: its topic holds something else.

        signed: for a device that verifies signatures (G32): a blob that was made here of differences is fetched, too.
        """
        kept = self.kept(sha256)
        if kept is not None and (not signed or sha256 in self._signatures):
            return kept
        return await self._fetches.result(sha256, lambda: self._fetch(sha256, timeout_seconds))

    def offer(self, sha256_hex: str, payload: bytes, signature: BlobSignature | None = None) -> None:
        """What came on a blob topic; an empty payload says that the blob was cleared."""
        sha256 = bytes.fromhex(sha256_hex)
        waiting = self._awaited.get(sha256)
        if waiting is None or waiting.done() or not payload:
            return
        if hashlib.sha256(payload).digest() == sha256:
            if signature is not None:
                self._signatures[sha256] = signature
            self.keep(sha256, payload)
            waiting.set_result(payload)
        else:
            waiting.set_exception(
                ProtocolError(
                    f"the blob {sha256_hex[:12]}… on the broker has other bytes than its name says; it is not used",
                    "start the coordinator again: it publishes its blobs anew",
                )
            )

    def kept(self, sha256: bytes) -> bytes | None:
        """The blob with that hash if it is here."""
        found = self._kept.get(sha256)
        if found is not None:
            self._kept.move_to_end(sha256)
        return found

    def keep(self, sha256: bytes, blob: bytes) -> None:
        """Take in a blob that has that hash."""
        self._kept[sha256] = blob
        while len(self._kept) > self._capacity:
            gone, _ = self._kept.popitem(last=False)
            self._signatures.pop(gone, None)

    def signature_of(self, sha256: bytes) -> BlobSignature | None:
        """The coordinator's signature of a kept blob, if it had one."""
        return self._signatures.get(sha256)

    async def _fetch(self, sha256: bytes, timeout_seconds: float) -> bytes:
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited[sha256] = waiting
        topic = build(TopicKind.BLOB, self._fleet, sha256=sha256.hex())
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._subscriber.subscribe(topic)
                return await waiting
        except TimeoutError as error:
            raise BrokerError(
                f"the blob {sha256.hex()[:12]}… is not on the broker",
                "check that the coordinator runs and is connected to the same broker",
            ) from error
        finally:
            del self._awaited[sha256]
            await self._subscriber.unsubscribe(topic)
