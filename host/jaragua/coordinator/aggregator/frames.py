"""What a coordinator and its aggregators say to each other over a pipe: values in frames with their length.

`marshal` is the quickest way between two processes of one interpreter, and makes nothing but plain values. Nothing that
came from the network is read with it: an aggregator parses that, and says what it found.
"""

from __future__ import annotations

import asyncio
import marshal
import struct
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

from jaragua.coordinator.rounds.validation import Verdict
from jaragua.wire.messages import UpdateHeader

_LENGTH: Final = struct.Struct("<I")
_VALUES_OF_HEADER: Final = attrgetter(*(field.name for field in fields(UpdateHeader)))

#: First elements of messages. To an aggregator:
SETUP, ROUND, EXPECT = "setup", "round", "expect"
#: From an aggregator:
READY, UPDATES, REJECTED = "ready", "updates", "rejected"


class CheckedUpdate(NamedTuple):
    """An update that an aggregator read. verdict: on its content, None: it knows nothing of the update's round."""

    node: str
    header: UpdateHeader
    blob: bytes
    payload_bytes: int
    verdict: Verdict | None


def frame(message: tuple[Any, ...]) -> bytes:
    """A message as it goes into a pipe."""
    data = marshal.dumps(message)
    return _LENGTH.pack(len(data)) + data


async def read(stream: asyncio.StreamReader) -> tuple[Any, ...] | None:
    """The next message; None at the end of the pipe."""
    try:
        length = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))[0]
        message: tuple[Any, ...] = marshal.loads(await stream.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message


def packed(update: CheckedUpdate) -> tuple[Any, ...]:
    """As plain values."""
    verdict = update.verdict
    said = None if verdict is None else (verdict.result, verdict.reason, verdict.retry)
    return update.node, _VALUES_OF_HEADER(update.header), update.blob, update.payload_bytes, said


def unpacked(values: tuple[Any, ...]) -> CheckedUpdate:
    """The reverse of `packed`."""
    node, header, blob, payload_bytes, said = values
    return CheckedUpdate(node, UpdateHeader(*header), blob, payload_bytes, None if said is None else Verdict(*said))
