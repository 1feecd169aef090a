"""What the coordinator publishes carries its signature, and nobody can send it again later (G10, G11). Pure.

Signed are the topic, the SHA-256 of the payload, a generation that rises with each process of the coordinator, and a
counter that rises with each message of a process.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from jaragua.bases.value import Value
from jaragua.wire.messages import BlobSignature
from jaragua.wire.rejections import Reason, RejectedError
from jaragua.wire.topics import ACCESS, Party, TopicError, TopicKind, parse

#: Names of the user properties (MQTT 5.0, 3.3.2.3.7).
STAMP, SIGNATURE = "jaragua-stamp", "jaragua-signature"
_DOMAIN: Final = b"jaragua signed message 1\0"
_STAMP: Final = struct.Struct(">QQ")
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
#: Topics whose newest counters are remembered.
_MOST_TOPICS: Final = 256


class Freshness(Enum):
    """How messages of a topic may follow one another."""

    RISING = auto()
    """Each is signed after the one before; one that comes again in the same words does no harm (MQTT 5.0, 4.4)."""
    OF_GENERATION = auto()
    """Content that is named by its hash, at any time while its generation lasts."""


_FRESHNESS: Final = {TopicKind.BLOB: Freshness.OF_GENERATION, TopicKind.DIFFERENCE: Freshness.OF_GENERATION}


class Stamp(Value):
    """When a message was signed, as an order without clocks."""

    generation: int
    counter: int


class SignatureError(RejectedError):
    """A message without the coordinator's signature."""

    reason = Reason.SIGNATURE


class ReplayError(RejectedError):
    """A message that the coordinator signed earlier, for another moment."""

    reason = Reason.REPLAY


def signed_bytes(topic: str, payload: bytes, stamp: Stamp) -> bytes:
    """What a signature is made of."""
    name = topic.encode()
    numbers = _STAMP.pack(stamp.generation, stamp.counter)
    return b"".join((_DOMAIN, numbers, struct.pack(">H", len(name)), name, hashlib.sha256(payload).digest()))


class Signer:
    """Signs for one process of the coordinator. key: 32 secret bytes; generation: above all earlier ones."""

    def __init__(self, key: bytes, generation: int) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self._generation = generation
        self._counter = 0

    def properties(self, topic: str, payload: bytes) -> list[tuple[str, str]]:
        """The user properties of a message that is published now."""
        self._counter += 1
        stamp = Stamp(self._generation, self._counter)
        signature = self._key.sign(signed_bytes(topic, payload, stamp))
        return [(STAMP, f"{stamp.generation}.{stamp.counter}"), (SIGNATURE, base64.b64encode(signature).decode())]


@dataclass
class _Seen:
    """The newest stamp of a topic."""

    stamp: Stamp


class Verifier:
    """Checks messages with the coordinator's public key. floor: the newest stamp that earlier processes have seen.

    least: by topic, a stamp that messages there must at least have, beside the floor.
    """

    def __init__(self, public_key: bytes, floor: Stamp, least: Mapping[str, Stamp] | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self._floor = floor
        self._newest: dict[str, Stamp] = dict(least or {})

    @property
    def floor(self) -> Stamp:
        """No rising message below it is taken: the newest announcement of a run."""
        return self._floor

    def newest(self, topic: str) -> Stamp:
        """Of the messages of a topic that were taken, the stamp of the last; the floor if there is none."""
        return self._newest.get(topic, self._floor)

    def check(self, topic: str, payload: bytes, properties: Mapping[str, str]) -> None:
        """Raises: SignatureError, ReplayError. An empty payload clears a retained message, and says nothing."""
        kind = _kind(topic)
        if kind is None or not payload:
            return
        stamp = self._verified(topic, payload, properties)
        if _FRESHNESS.get(kind, Freshness.RISING) is Freshness.OF_GENERATION:
            if stamp.generation < self._floor.generation:
                raise ReplayError(f"it was signed in generation {stamp.generation}, before {self._floor.generation}")
            return
        newest = max(self._floor, self._newest.get(topic, self._floor), key=_key_of)
        if _key_of(stamp) < _key_of(newest):
            raise ReplayError(f"it was signed as {_shown(stamp)}, before {_shown(newest)}")
        self._remember(kind, topic, stamp)

    def _verified(self, topic: str, payload: bytes, properties: Mapping[str, str]) -> Stamp:
        from cryptography.exceptions import InvalidSignature

        stamp, signature = _parsed(properties)
        try:
            self._key.verify(signature, signed_bytes(topic, payload, stamp))
        except InvalidSignature:
            raise SignatureError("its signature is not the coordinator's") from None
        return stamp

    def _remember(self, kind: TopicKind, topic: str, stamp: Stamp) -> None:
        if kind is TopicKind.RUN:
            self._floor = stamp
            return
        if topic not in self._newest and len(self._newest) >= _MOST_TOPICS:
            del self._newest[next(iter(self._newest))]
        self._newest[topic] = stamp


def _kind(topic: str) -> TopicKind | None:
    """The kind of a topic that the coordinator alone writes and nodes read; None of all others."""
    try:
        kind = parse(topic).kind
    except TopicError:
        return None
    return kind if ACCESS[kind].writers == {Party.COORDINATOR} and Party.NODE in ACCESS[kind].readers else None


def _parsed(properties: Mapping[str, str]) -> tuple[Stamp, bytes]:
    """Raises: SignatureError."""
    if STAMP not in properties or SIGNATURE not in properties:
        raise SignatureError("it is not signed")
    try:
        generation, counter = (int(part) for part in properties[STAMP].split("."))
        signature = base64.b64decode(properties[SIGNATURE], validate=True)
    except ValueError as error:
        raise SignatureError("its signature cannot be read") from error
    if not (0 <= generation < 2**64 and 0 <= counter < 2**64) or len(signature) != _SIGNATURE_BYTES:
        raise SignatureError("its signature cannot be read")
    return Stamp(generation, counter), signature


def signature_of(topic: str, properties: Mapping[str, str]) -> BlobSignature | None:
    """What a board is told of a blob with these properties (G33); None if its signature cannot be read."""
    try:
        stamp, signature = _parsed(properties)
    except SignatureError:
        return None
    root, _, name = topic.rpartition("/")
    return BlobSignature(0, bytes.fromhex(name), stamp.generation, stamp.counter, f"{root}/", signature)


def _key_of(stamp: Stamp) -> tuple[int, int]:
    return stamp.generation, stamp.counter


def _shown(stamp: Stamp) -> str:
    return f"{stamp.generation}.{stamp.counter}"
