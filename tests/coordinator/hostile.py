"""Messages that a stranger may send to a coordinator: any bytes, any CBOR, and genuine messages with a fault."""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable
from typing import Any

import cbor2

from jaragua.wire import messages
from jaragua.wire.messages import Message, UpdateHeader
from jaragua.wire.topics import TopicKind, build

NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), True, False)
FLOATS = (0.0, -0.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"), 3.4e38)
TEXTS = ("", "\0", "ready", "lost", "x" * 100, "x" * 70_000, "\x1b[2J\n", "ä\u202e", "../../etc/passwd", "\0.toml")
BYTES = (b"", bytes(8), bytes(32), bytes(33), b"\xff" * 5000)


def value(draw: random.Random, depth: int = 0) -> Any:
    """Any value that CBOR can hold, some of them nested more deeply than a reader may follow."""
    kind = draw.randrange(8 if depth < 40 else 5)
    if kind < 5:
        return draw.choice((NUMBERS, FLOATS, TEXTS, BYTES, (None,))[kind])
    if kind == 5:
        return [value(draw, depth + 10) for _ in range(draw.randrange(4))]
    if kind == 6:
        return {draw.choice(("state", "epoch", "", 1, b"k")): value(draw, depth + 10) for _ in range(draw.randrange(4))}
    return cbor2.CBORTag(draw.choice((0, 2, 4, 5, 30, 35, 258, 2**32)), value(draw, depth + 10))


def cbor(draw: random.Random) -> bytes:
    """Any CBOR."""
    try:
        return cbor2.dumps(value(draw))
    except (cbor2.CBOREncodeError, TypeError, ValueError):
        return b"\xf7"


def nested(draw: random.Random) -> bytes:
    """Heads that promise what does not follow: lengths up to 2^64 - 1, depths beyond every stack."""
    head = draw.choice((b"\x9b", b"\xbb", b"\x7b", b"\x5b", b"\xdb"))
    return draw.choice(
        (head + b"\xff" * 8, b"\x81" * 4000, b"\x9f" * 4000, b"\xa1\x60" * 2000, b"\x9b" + bytes(7) + b"\x08")
    )


def wrong_field(draw: random.Random, genuine: Message) -> bytes:
    """A genuine message of which one field has another value, is missing, or is one too many."""
    fields: dict[str, Any] = cbor2.loads(messages.encode(genuine))
    name = draw.choice([*fields, "another"])
    if draw.randrange(6) == 0:
        fields.pop(name, None)
    else:
        fields[name] = value(draw)
    try:
        return cbor2.dumps(fields)
    except (cbor2.CBOREncodeError, TypeError, ValueError):
        return b"\xa0"


def damaged(draw: random.Random, genuine: bytes) -> bytes:
    """Some bytes changed, cut off, or doubled."""
    data = bytearray(genuine)
    for _ in range(draw.randrange(1, 4)):
        if data:
            data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data[: draw.randrange(len(data) + 1)] if draw.randrange(3) == 0 else data * draw.choice((1, 1, 2)))


def payload(draw: random.Random, genuine: Message) -> bytes:
    """In the place of a genuine message."""
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: draw.randbytes(draw.choice((0, 1, 2, 30, 300, 5000))),
        lambda: cbor(draw),
        lambda: nested(draw),
        lambda: wrong_field(draw, genuine),
        lambda: wrong_field(draw, genuine),
        lambda: damaged(draw, messages.encode(genuine)),
        lambda: messages.encode(genuine),
    )
    return draw.choice(makers)()


def update(draw: random.Random, header: UpdateHeader, blob: bytes) -> bytes:
    """In the place of a genuine update."""
    if draw.randrange(4) == 0:
        return damaged(draw, messages.pack_update(header, blob))
    if draw.randrange(4) == 0:
        blob = damaged(draw, blob)
    if draw.randrange(3) == 0:
        header = dataclasses.replace(
            header, **{draw.choice(("samples", "instructions", "bytes")): draw.choice((0, 1, 2**31, 2**63, 2**64 - 1))}
        )
    encoded = payload(draw, header) if draw.randrange(2) else wrong_field(draw, header)
    length = draw.choice((len(encoded), len(encoded), len(encoded), 0, 0xFFFF))
    return struct.pack("<H", min(length, 0xFFFF)) + encoded + blob


def topic(draw: random.Random, fleet: str, kind: TopicKind, run: str) -> str:
    """A topic of a kind the coordinator reads, of someone known or invented, or one that is none."""
    if draw.randrange(12) == 0:
        return draw.choice(
            ("", "jaragua", f"jaragua/2/{fleet}/run", f"jaragua/1/{fleet}/node/\x1b[2J/$state", "x" * 60_000)
        )
    parts = {
        "node": draw.choice(("gateway-1", "pi-1", f"n-{draw.randrange(10**9)}")),
        "device": draw.choice(("board-1", "board-4", f"d-{draw.randrange(10**9)}")),
        "run": draw.choice((run, "another")),
        "round": draw.choice((0, 1, 2, 9_999_999_999)),
        "asker": "0f",
        "since": draw.choice((0, 1, 2**53 - 1)),
    }
    return build(kind, fleet, **{name: part for name, part in parts.items() if "{" + name + "}" in kind.value})
