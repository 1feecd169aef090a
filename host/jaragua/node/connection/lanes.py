"""What gates share: so many messages a second of each kind, and a first look at CBOR. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from jaragua.bases.value import Value
from jaragua.token_bucket import TokenBucket

#: CBOR (RFC 8949, 3.1): a text of up to 23 bytes has its length in the head; one of up to 255 has it in the next byte.
_TEXT: Final = 0x60
_SHORTEST_TEXT_WITH_LENGTH: Final = 24
_TEXT_WITH_LENGTH: Final = 0x78
#: Buckets of single topics that are remembered; a full one is like one that is not remembered.
_MOST_BUCKETS: Final = 8192


class Lane(Value):
    """A share of a receiver's time: so many messages a second, and so many at once after a quiet time."""

    name: str
    """Unlike that of any other lane of the receiver."""
    a_second: float
    at_once: float
    what: str
    """The messages, as the table of docs/reference/protocol.md names them."""


#: What no gate has a share for: enough to count it under its reason.
OTHERS: Final = Lane("others", a_second=10, at_once=20, what="all else")


class Lanes:
    """The shares of one receiver. A lane is one for all, or one for each key."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, Hashable], TokenBucket | float] = {}
        """Or when the only message so far has come, in seconds: of most topics there is one."""

    def has_room(self, lane: Lane, now_s: float, key: Hashable = None) -> bool:
        """Whether another message may take the lane, and take it."""
        name = (lane.name, key)
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._buckets.clear()
            self._buckets[name] = now_s
            return lane.at_once >= 1
        if isinstance(bucket, float):
            first_s, bucket = bucket, TokenBucket(lane.a_second, lane.at_once)
            bucket.take(first_s)
            self._buckets[name] = bucket
        return bucket.take(now_s)


def cbor_text(text: str) -> bytes:
    """A text of at most 255 bytes, as CBOR has it."""
    data = text.encode()
    if len(data) < _SHORTEST_TEXT_WITH_LENGTH:
        return bytes([_TEXT | len(data)]) + data
    return bytes([_TEXT_WITH_LENGTH, len(data)]) + data


def text_of(head: bytes, key: bytes) -> str:
    """The text under a key of a CBOR map somewhere in `head`, "" if there is none. key: `cbor_text` of it."""
    at = head.find(key)
    if at < 0 or (at := at + len(key)) >= len(head):
        return ""
    first = head[at]
    if _TEXT <= first < _TEXT + _SHORTEST_TEXT_WITH_LENGTH:
        begin, count = at + 1, first - _TEXT
    elif first == _TEXT_WITH_LENGTH and at + 1 < len(head):
        begin, count = at + 2, head[at + 1]
    else:
        return ""
    return head[begin : begin + count].decode("ascii", "replace")
