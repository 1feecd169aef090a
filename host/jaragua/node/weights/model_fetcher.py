"""The blobs that training starts from, made of differences where those are shorter than the blob (M10)."""

from __future__ import annotations

import asyncio
import hashlib
import logging

from jaragua.errors import BrokerError, ProtocolError
from jaragua.node.weights import differences
from jaragua.node.weights.blobs import FETCH_SECONDS, Blobs, Subscriber
from jaragua.node.weights.shared_work import SharedWork
from jaragua.wire.messages import ModelDelta, unpack_difference
from jaragua.wire.topics import TopicKind, build
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan

LOGGER = logging.getLogger(__name__)

#: A start that is to be made, and how: payloads from the newest back.
_DeltaHistory = list[tuple[bytes, ModelDelta, bytes]]


class ModelFetcher:
    """Reads back from the start that is wanted to one that is known, or to the run's seed, and makes it from there."""

    def __init__(self, subscriber: Subscriber, fleet: str, blobs: Blobs) -> None:
        self._subscriber = subscriber
        self._fleet = fleet
        self._blobs = blobs
        self._awaited: dict[str, asyncio.Future[bytes]] = {}
        self._reading = SharedWork()
        self._making = SharedWork()
        self._totals: dict[bytes, int] = {}
        """For each cached start: bytes of all payloads up to it."""

    async def fetch(self, sha256: bytes, plan: Plan) -> bytes:
        """The blob with that hash. Errors: those of `Blobs.fetch`."""
        kept = self._blobs.kept(sha256)
        if kept is not None:
            return kept
        return await self._making.result(sha256, lambda: self._made_or_fetched(sha256, plan))

    def offer(self, sha256_hex: str, payload: bytes) -> None:
        """What came on the topic of a difference; an empty payload says that it was cleared."""
        waiting = self._awaited.get(sha256_hex)
        if waiting is not None and not waiting.done() and payload:
            waiting.set_result(payload)

    async def _made_or_fetched(self, sha256: bytes, plan: Plan) -> bytes:
        try:
            made = await self._made(sha256, plan)
        except (BrokerError, ProtocolError, CompileError) as error:
            LOGGER.info("start %s… is fetched whole: %s", sha256.hex()[:12], error)
            made = None
        return await self._blobs.fetch(sha256) if made is None else made

    async def _made(self, sha256: bytes, plan: Plan) -> bytes | None:
        """None if the blob itself is shorter than all that would have to be read."""
        delta_history: _DeltaHistory = []
        wanted, read_bytes, left_bytes, blob = sha256, 0, 0, None
        while blob is None:
            payload = await self._read(wanted)
            header, data = unpack_difference(payload)
            read_bytes += len(payload)
            if not delta_history:
                left_bytes = self._bytes_to(sha256, header.total + len(payload))
            if max(read_bytes, left_bytes) > plan.blob_bytes:
                return None
            delta_history.append((wanted, header, data))
            wanted = header.base
            blob = self._blobs.kept(wanted) if wanted else b""
        for name, header, data in reversed(delta_history):
            blob = differences.blob_from(plan, header, data, blob)
            _check(name, blob)
            self._blobs.keep(name, blob)
        return blob

    def _bytes_to(self, sha256: bytes, total: int) -> int:
        """Bytes of deltas between the cached model and this one."""
        self._totals = {kept: bytes_to for kept, bytes_to in self._totals.items() if self._blobs.kept(kept)}
        known = max(self._totals.values(), default=0)
        self._totals[sha256] = total
        return total - known

    async def _read(self, sha256: bytes) -> bytes:
        """Two starts that are made at once may follow from the same one: it is read once for both."""
        return await self._reading.result(sha256, lambda: self._payload(sha256))

    async def _payload(self, sha256: bytes) -> bytes:
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited[sha256.hex()] = waiting
        try:
            topic = build(TopicKind.DIFFERENCE, self._fleet, sha256=sha256.hex())  # TopicError: a peer's `base` is none
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    await self._subscriber.subscribe(topic)
                    return await waiting
            except TimeoutError as error:
                raise BrokerError(f"the difference {sha256.hex()[:12]}… is not on the broker") from error
            finally:
                await self._subscriber.unsubscribe(topic)
        finally:
            del self._awaited[sha256.hex()]


def _check(sha256: bytes, blob: bytes) -> None:
    if hashlib.sha256(blob).digest() != sha256:
        raise ProtocolError("what the differences make has another SHA-256")
