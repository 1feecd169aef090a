"""M10 on the node's side: starts made of differences, and of blobs where those are shorter or nothing else is there."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from fleet_bench import run
from hypothesis import given
from hypothesis import strategies as st

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.model_version import ModelVersion, ModelVersionMaker
from jaragua.errors import ProtocolError
from jaragua.node.weights import model_fetcher
from jaragua.node.weights.blobs import Blobs
from jaragua.node.weights.differences import blob_from, with_delta
from jaragua.node.weights.model_fetcher import ModelFetcher
from jaragua.strategies import ClientWork
from jaragua.wire.messages import BlobSignature, pack_update, unpack_difference
from jaragua.wire.topics import TopicKind, parse

CODEC = ModelCodec(jaragua_models.get("sine"))
SEED = 5
WORK = ClientWork(0.1, local_layers=1, download_fraction=0.25, delta_bits=8)


def versions_of_a_run(rounds: int) -> list[ModelVersion]:
    """The starts of a run whose initialisation walks at random."""
    maker, draw = ModelVersionMaker(CODEC, WORK, SEED), np.random.default_rng(1)
    vector = CODEC.initial(SEED)
    made = [maker.first(vector)]
    for _ in range(rounds):
        vector = vector + draw.normal(scale=0.02, size=len(vector))
        made.append(maker.next(made[-1], vector))
    return made


@dataclass
class Broker:
    """Has what a coordinator retained, and counts what is read of it."""

    published: list[ModelVersion]
    read: list[tuple[str, int]] = field(default_factory=list)
    offer: Callable[[str, str, bytes], None] = lambda kind, name, payload: None

    async def subscribe(self, topic_filter: str) -> None:
        topic = parse(topic_filter)
        for start in self.published:
            if start.sha256.hex() == topic.sha256:
                kind = "blob" if topic.kind is TopicKind.BLOB else "diff"
                payload = start.blob if kind == "blob" else start.payload
                self.read.append((kind, len(payload)))
                asyncio.get_running_loop().call_soon(self.offer, kind, topic.sha256, payload)

    async def unsubscribe(self, topic_filter: str) -> None:
        pass


@dataclass
class Reader:
    """A node's way to starts."""

    broker: Broker

    def __post_init__(self) -> None:
        self.blobs = Blobs(self.broker, "home")
        self.fetcher = ModelFetcher(self.broker, "home", self.blobs)
        self.broker.offer = self._offer

    def _offer(self, kind: str, name: str, payload: bytes) -> None:
        (self.blobs if kind == "blob" else self.fetcher).offer(name, payload)

    def fetch(self, start: ModelVersion) -> list[tuple[str, int]]:
        """What had to be read for a start."""
        self.broker.read.clear()
        assert run(self.fetcher.fetch(start.sha256, CODEC.plan)) == start.blob
        return list(self.broker.read)


def test_m10_every_start_is_made_from_the_seed_and_differences_alone() -> None:
    made = versions_of_a_run(5)
    reader = Reader(Broker(made))
    for start in made:
        assert reader.fetch(start) == [("diff", len(start.payload))]
    assert reader.fetch(made[-1]) == []


def test_m10_who_missed_rounds_reads_back_to_what_it_has() -> None:
    made = versions_of_a_run(3)
    reader = Reader(Broker(made))
    reader.fetch(made[0])
    assert reader.fetch(made[3]) == [("diff", len(start.payload)) for start in reversed(made[1:])]
    assert sum(size for _, size in reader.fetch(made[2])) == 0


def test_m10_who_missed_too_much_reads_the_blob_and_goes_on_from_it() -> None:
    made = versions_of_a_run(30)
    reader = Reader(Broker(made))
    assert reader.fetch(made[29])[1:] == [("blob", CODEC.blob_bytes)]
    assert reader.fetch(made[30]) == [("diff", len(made[30].payload))]


def test_m10_what_makes_another_blob_is_not_believed() -> None:
    made = versions_of_a_run(1)
    wrong = ModelVersion(made[1].blob, made[1].payload[:-1] + bytes([made[1].payload[-1] ^ 1]), made[1].total)
    reader = Reader(Broker([made[0], wrong]))
    reader.fetch(made[0])
    assert ("blob", CODEC.blob_bytes) in reader.fetch(wrong)


def test_m10_several_devices_that_ask_at_once_read_once() -> None:
    made = versions_of_a_run(1)
    reader = Reader(Broker(made))

    async def three() -> set[bytes]:
        return set(await asyncio.gather(*(reader.fetcher.fetch(made[1].sha256, CODEC.plan) for _ in range(3))))

    assert run(three()) == {made[1].blob}
    assert len(reader.broker.read) == 2


def test_m10_starts_that_follow_from_one_another_are_made_at_once() -> None:
    """Both read the first difference: who asks for it second takes nothing from who asked first."""
    made = versions_of_a_run(2)
    reader = Reader(Broker(made))

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(*(reader.fetcher.fetch(start.sha256, CODEC.plan) for start in reversed(made)))

    assert run(all_at_once()) == [start.blob for start in reversed(made)]


@pytest.mark.parametrize(
    "changes",
    [
        *({"local": local} for local in (len(CODEC.plan.shapes), 1000, 2**64 - 1)),
        *({"base": base} for base in (b"", b"x", bytes(32))),
        *({"total": total} for total in (0, 2**64 - 1)),
        *({"exponents": data} for data in (b"", b"\xff", zlib.compress(bytes(10**6)))),
        {"base": b"", "seed": 2**64 - 1},
    ],
    ids=str,
)
def test_p1_a_difference_that_says_anything_ends_in_the_blob(
    changes: dict[str, Any],
) -> None:
    made = versions_of_a_run(1)
    header, data = unpack_difference(made[1].payload)
    wrong = ModelVersion(made[1].blob, pack_update(replace(header, **changes), data), made[1].total)
    with short_wait():
        reader = Reader(Broker([made[0], wrong]))
        reader.fetch(made[0])
        assert reader.fetch(wrong)
    assert reader.fetcher._awaited == reader.fetcher._reading._tasks == {}


@given(place=st.integers(0, 10_000), junk=st.binary(max_size=4))
def test_p1_a_damaged_difference_ends_in_the_blob(place: int, junk: bytes) -> None:
    made = versions_of_a_run(1)
    place %= len(made[1].payload)
    payload = made[1].payload[:place] + junk + made[1].payload[place + 1 :]
    with short_wait():
        reader = Reader(Broker([made[0], ModelVersion(made[1].blob, payload, made[1].total)]))
        reader.fetch(made[0])
        assert reader.fetch(made[1])


@contextmanager
def short_wait() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(model_fetcher, "FETCH_SECONDS", 0.05)
        yield


def test_m10_the_local_layer_is_that_of_the_seed_in_every_start() -> None:
    made = versions_of_a_run(4)
    local = sum(np.prod(shape) for shape in CODEC.plan.shapes[-1])
    first, last = (CODEC.unpacked(start.blob)[-int(local) :] for start in (made[0], made[-1]))
    np.testing.assert_allclose(first, last, atol=1e-3)


def test_m10_exponents_that_are_none_are_refused() -> None:
    header, data = unpack_difference(versions_of_a_run(1)[1].payload)
    with pytest.raises(ProtocolError, match="exponents of a start"):
        blob_from(CODEC.plan, type(header)(header.base, 0, b"\xff\xff", 1), data, CODEC.pack(CODEC.initial(1)))


def test_m10_a_start_comes_ever_nearer_to_an_initialisation_that_rests() -> None:
    """What is left out is part of the next difference."""
    maker, start = ModelVersionMaker(CODEC, WORK, SEED), versions_of_a_run(1)[0]
    vector = CODEC.unpacked(start.blob) + np.random.default_rng(2).normal(scale=0.1, size=len(CODEC.initial(SEED)))
    for _ in range(12):
        start = maker.next(start, vector)
    shared = len(vector) - int(sum(np.prod(shape) for shape in CODEC.plan.shapes[-1]))
    assert np.abs(CODEC.unpacked(start.blob) - vector)[:shared].max() < 2e-3
    assert hashlib.sha256(start.blob).digest() == start.sha256
    assert with_delta(CODEC.plan, vector, 1, unpack_difference(start.payload)[1]).shape == vector.shape


def test_g32_3_a_blob_made_of_differences_is_fetched_whole_for_a_board_that_verifies() -> None:
    """And its signature is kept as long as the blob."""
    blob = b"a start"
    sha256 = hashlib.sha256(blob).digest()
    signature = BlobSignature(0, sha256, 7, 1, "jaragua/1/home/blob/", bytes(64))

    class Signed:
        """A broker with that blob, which the coordinator signed."""

        reads = 0

        async def subscribe(self, topic_filter: str) -> None:
            Signed.reads += 1
            asyncio.get_running_loop().call_soon(blobs.offer, sha256.hex(), blob, signature)

        async def unsubscribe(self, topic_filter: str) -> None:
            pass

    blobs = Blobs(Signed(), "home", capacity=1)

    async def story() -> None:
        blobs.keep(sha256, blob)  # made of differences
        assert await blobs.fetch(sha256) == blob
        assert (Signed.reads, blobs.signature_of(sha256)) == (0, None)
        for _ in range(2):
            assert await blobs.fetch(sha256, signed=True) == blob
        assert (Signed.reads, blobs.signature_of(sha256)) == (1, signature)
        blobs.keep(bytes(32), b"another")
        assert blobs.signature_of(sha256) is None

    run(story())
