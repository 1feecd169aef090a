"""P1 for serial frames: whatever comes from a port, a request ends in a named error or goes on; never anything else.

Arbitrary bytes, and valid frames of every type with every message of the protocol, changed in a few bytes, go into the
real `Board`, the gateway's handler of events, and the monitor's lines. The seed is printed.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from common.identity import IDENTITY
from jaragua.errors import JaraguaError
from jaragua.serial import Board, lines
from jaragua.serial.board import BoardEvent
from jaragua.serial.patience import Patience
from jaragua.wire.cbor import schema
from jaragua.wire.definitions import PROTOCOL_MAJOR, PROTOCOL_MINOR, FrameType
from jaragua.wire.link import link
from jaragua.wire.link.frames import Frame, Hello, Splitter, pack, unpack
from jaragua.wire.messages import Health, JobState, Progress, decode_request, decode_response, encode

HASTY = Patience(greeting_s=30, silence_s=0.2, answer_s=0.5)
TAGS = sorted(schema.tag(name) for name in (*schema.choices("request"), *schema.choices("response")))
VALUES: tuple[Any, ...] = (0, 1, 255, 2**32 - 1, 2**64 - 1, -1, b"", bytes(32), "", "x", "\x1b[2J", True, None, 1e308)


def wild_message(rng: random.Random) -> bytes:
    """A message of any tag with any values, or a good one with bytes changed."""
    if rng.random() < 0.5:
        values = [rng.choice(VALUES) for _ in range(rng.randrange(30))]
        return cbor2.dumps([rng.choice(TAGS), *values])[:240]
    good = bytearray(encode(rng.choice(GOOD)))
    for _ in range(rng.randrange(4)):
        good[rng.randrange(len(good))] = rng.randrange(256)
    return bytes(good)


GOOD = (
    IDENTITY,
    Health(1, *range(16)),
    JobState(1, 7, 0, 2, 4, 1, 9, 11, 0, 0),
    Progress(1, 2, 3, 1, 5, 11),
)


def wild_frame(rng: random.Random, seq: int, ack: int) -> bytes:
    """A frame of any type in the session, its payload wild, perhaps a segment, perhaps damaged."""
    payload = wild_message(rng) if rng.random() < 0.8 else rng.randbytes(rng.randrange(241))
    kind = rng.choice([FrameType.MSG, FrameType.MSG, FrameType.DATA, *range(16)])
    session = 9 if rng.random() < 0.95 else rng.randrange(65536)
    segment = kind in (FrameType.MSG, FrameType.DATA) and payload and rng.random() < 0.2
    rest = rng.randrange(241 - len(payload)) if segment else 0
    frame = bytearray(
        pack(Frame(kind, payload, seq % 256, ack % 256, session, rest=rest, ack_offset=rng.choice((0, 7))))
    )
    if rng.random() < 0.2:
        frame[rng.randrange(len(frame))] = rng.randrange(256)
    return bytes(frame)


async def hostile_board(rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greets as a board does, identifies itself once, then answers every frame with wild ones and noise."""
    splitter, seq = Splitter(), 0
    while data := await reader.read(4096):
        for piece in splitter.feed(data):
            frame = unpack(piece)
            if frame.type == FrameType.HELLO:
                hello = Hello(Hello.unpack(frame.payload).nonce, 8, PROTOCOL_MAJOR, PROTOCOL_MINOR).pack()
                writer.write(pack(Frame(FrameType.HELLO, hello, session=9)))
                seq = 0
            elif frame.type == FrameType.MSG and seq == 0:
                identity = encode(replace(IDENTITY, id=decode_request(frame.payload).id))
                writer.write(pack(Frame(FrameType.MSG, identity, 0, frame.seq + 1, 9)))
                seq = 1
            elif frame.type == FrameType.MSG:
                for _ in range(8):
                    writer.write(wild_frame(rng, seq, frame.seq + 1))
                    seq += rng.random() < 0.7
                writer.write(rng.randbytes(rng.randrange(300)))
    writer.close()


async def ask_everything(board: Board, rng: random.Random) -> int:
    """Requests of every kind; how many of them ended in a named error. Anything else is raised."""
    samples = [bytes(6)] * 4
    refused = 0
    for ask in (
        board.health,
        board.identify,
        lambda: board.upload(bytes(64)),
        lambda: board.train(board.new_job(), samples, (16384, 20), bytes(64)),
        lambda: board.infer(board.new_job(), samples),
        lambda: board.read_update(JobState(1, 7, 0, 2, 4, 1, 9, 11, 0, 0)),
        board.online_state,
    ):
        try:
            await ask()
        except JaraguaError:
            refused += 1
    return refused


@pytest.mark.parametrize("case", range(4))
def test_p1_a_hostile_board_ends_requests_in_named_errors_and_nothing_else(seed: int, case: int) -> None:
    rng = random.Random(seed * 10 + case)
    events: list[BoardEvent] = []

    async def main() -> int:
        server = await asyncio.start_server(lambda r, w: hostile_board(rng, r, w), "127.0.0.1", 0)
        url = "socket://{}:{}".format(*server.sockets[0].getsockname())
        async with Board(url, events.append, patience=HASTY) as board:
            refused = await ask_everything(board, rng)
            counters = board.counters
            assert counters.bad_crc + counters.bad_frames + counters.unknown_frames + sum(board.rejected.values())
        server.close()
        return refused

    assert asyncio.run(main()) > 0


def greeted(host: link.Link, now_ms: float) -> list[lines.Line]:
    """A new session with the host."""
    host.connect(now_ms)
    nonce = Hello.unpack(unpack(host.take_output().strip(b"\x00")).payload).nonce
    answer = Frame(FrameType.HELLO, Hello(nonce, 8, PROTOCOL_MAJOR, PROTOCOL_MINOR).pack(), session=9)
    return [lines.of_event(event) for event in host.receive(pack(answer), now_ms)]


def test_p1_the_link_and_the_monitor_take_any_bytes(seed: int) -> None:
    rng, host = random.Random(seed), link.Link(1)
    shown: list[lines.Line] = []
    for step in range(3000):
        now_ms = float(step)
        if step % 30 == 0:
            shown += greeted(host, now_ms)
            seq = 0
        delivered = host.counters.delivered
        data = wild_frame(rng, seq, 0) if rng.random() < 0.9 else rng.randbytes(50)
        shown += [lines.of_event(event) for event in host.receive(data, now_ms)]
        host.take_output()
        host.poll(now_ms)
        seq += host.counters.delivered - delivered
    assert host.counters.bad_crc + host.counters.bad_frames > 0
    assert any(line.kind == "malformed" for line in shown)


def test_p1_every_message_is_decoded_or_rejected_by_name(seed: int) -> None:
    rng, rejected = random.Random(seed), 0
    for _ in range(5000):
        try:
            decode_response(wild_message(rng))
        except JaraguaError:
            rejected += 1
    assert rejected > 1000
