"""R30.2, R30.3: what an aggregator says of updates is what the coordinator would say of them alone."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import jaragua_models
from jaragua.coordinator.aggregator import frames
from jaragua.coordinator.aggregator.checker import Checker, Incoming, KnownRound, form_of
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.strategies import ClientWork
from jaragua.wire.messages import UpdateHeader

CODEC = ModelCodec(jaragua_models.get("sine"))
START = CODEC.initial(1)
BLOB = CODEC.pack(START)


def _incoming(content: bytes = BLOB, **changes: object) -> Incoming:
    header = UpdateHeader(
        run="run-1",
        round=2,
        device="board-1",
        attempt=1,
        base=hashlib.sha256(BLOB).digest(),
        encoding="blob",
        samples=4,
        loss=0.5,
        metric="mse",
        score=0.5,
        instructions=0,
        bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
    )
    return Incoming("pi-1", replace(header, **changes), content, len(content) + 300)


def _checker() -> Checker:
    found = Checker("run-1", Formats(CODEC, alone=False), ClientWork(0.01))
    starts = {
        form_of("blob", CODEC): hashlib.sha256(BLOB).digest(),
        form_of("f32", CODEC): hashlib.sha256(CODEC.pack_floats(START)).digest(),
    }
    found.learn({2: KnownRound(starts, 8)})
    return found


def test_r30_3_content_is_checked_for_known_rounds_alone() -> None:
    floats = CODEC.pack_floats(START)
    updates = [
        _incoming(),
        _incoming(samples=9),
        _incoming(round=1),
        _incoming(run="run-2"),
        _incoming(BLOB[:-1]),
        _incoming(BLOB[:-1] + b"!", sha256=bytes(32)),
        _incoming(floats, encoding="f32", base=hashlib.sha256(floats).digest()),
        _incoming(floats, encoding="f32"),
        _incoming(base=bytes(32)),
    ]
    found = _checker().checked(updates)
    assert [one[:4] for one in found] == [tuple(one) for one in updates]
    results = [None if one.verdict is None else (one.verdict.result, one.verdict.retry) for one in found]
    bad = ("rejected", True)
    assert results == [("stored", False), bad, None, None, bad, bad, ("stored", False), bad, bad]
    reasons = [one.verdict.reason for one in found if one.verdict is not None]
    assert "number of samples is 9" in reasons[1]
    assert "SHA-256" in reasons[3]
    assert "which its start is not" in reasons[5]


def test_r30_2_a_round_that_is_over_is_forgotten() -> None:
    checker = _checker()
    checker.learn({3: KnownRound({form_of("blob", CODEC): bytes(32)}, 8)})
    assert [one.verdict for one in checker.checked([_incoming()])] == [None]


def test_r30_2_frames_carry_updates_and_orders_unchanged() -> None:
    wanted = _checker().checked([_incoming(), _incoming(samples=9), _incoming(round=1)])

    async def through_a_pipe() -> tuple[object, ...]:
        stream = asyncio.StreamReader()
        stream.feed_data(frames.frame((frames.UPDATES, [frames.packed(one) for one in wanted])))
        stream.feed_data(frames.frame((frames.READY,))[:-1])  # cut off, as by the end of its process
        stream.feed_eof()
        return await frames.read(stream), await frames.read(stream)

    first, last = asyncio.run(through_a_pipe())
    assert isinstance(first, tuple)
    assert [frames.unpacked(one) for one in first[1]] == wanted
    assert last is None
