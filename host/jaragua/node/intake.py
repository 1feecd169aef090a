"""What a message from the broker asks of a node: bytes are believed only here, after every check. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua.errors import ProtocolError
from jaragua.node.device import AdaptOrder, TrainOrder
from jaragua.node.pull import WHOLE_WAY
from jaragua.node.session import Incoming
from jaragua.wire.messages import AdaptCommand, RunState, StopCommand, TrainCommand, UpdateAck, decode
from jaragua.wire.topics import TopicKind, build, parse

# What fits the outbox, and is far beyond any run.
_LARGEST_NUMBER = 2**31 - 1
_LONGEST_TOPIC_BYTES = 0xFFFF
_MOST_LOCAL_LAYERS = 1_000


@dataclass(frozen=True)
class BlobArrived:
    """Bytes on the topic of a blob; whether they are that blob is for `Blobs` to say."""

    sha256_hex: str
    payload: bytes


@dataclass(frozen=True)
class DifferenceArrived:
    """Bytes on the topic of a difference; what they make is for `Starts` to say."""

    sha256_hex: str
    payload: bytes


Request = RunState | UpdateAck | BlobArrived | DifferenceArrived | TrainOrder | AdaptOrder | StopCommand


def read(message: Incoming) -> Request:
    """The request in a message of one of a node's subscriptions; ProtocolError if it is none that can be served."""
    topic = parse(message.topic)
    if topic.kind is TopicKind.RUN:
        return decode(RunState, message.payload)
    if topic.kind is TopicKind.ACK:
        ack = decode(UpdateAck, message.payload)
        _check_key(ack)
        return ack
    if topic.kind is TopicKind.BLOB:
        return BlobArrived(topic.sha256, message.payload)
    if topic.kind is TopicKind.DIFFERENCE:
        return DifferenceArrived(topic.sha256, message.payload)
    if topic.kind is TopicKind.COMMAND:
        return _read_command(topic.verb, message)
    raise ProtocolError("a node does not read this topic")


def _read_command(verb: str, message: Incoming) -> Request:
    if verb == "train":
        command = decode(TrainCommand, message.payload)
        _check_key(command)
        _check_difference(command)
        return TrainOrder(command)
    if verb == "adapt":
        return AdaptOrder(decode(AdaptCommand, message.payload), _response_topic(message), message.correlation)
    if verb == "stop":
        return decode(StopCommand, message.payload)
    raise ProtocolError(f"there is no command {verb!r}")


def _check_key(message: TrainCommand | UpdateAck) -> None:
    """Refuse now what could not be kept or published when the work is done (M2)."""
    build(TopicKind.UPDATE, "fleet", node="node", run=message.run, round=message.round)  # raises TopicError
    if isinstance(message, TrainCommand) and (message.pull or 0) > WHOLE_WAY:
        raise ProtocolError(f"a pull of {message.pull} is more than the whole way")
    if max(message.round, message.attempt) > _LARGEST_NUMBER:
        raise ProtocolError(f"round {message.round}, attempt {message.attempt} is out of range")


def _check_difference(command: TrainCommand) -> None:
    if command.bits not in (None, 8, 16):
        raise ProtocolError(f"a difference has 8 or 16 bits, not {command.bits}")
    if command.share is not None and not 0 < command.share <= 1:
        raise ProtocolError(f"a share of {command.share:g} is not in 0 to 1")
    if (command.local or 0) > _MOST_LOCAL_LAYERS:
        raise ProtocolError(f"{command.local} local layers are out of range")


def _response_topic(message: Incoming) -> str:
    topic = message.response_topic or ""
    if not topic or set(topic) & set("+#\0") or len(topic.encode()) > _LONGEST_TOPIC_BYTES:
        raise ProtocolError("an adapt command needs a response topic that can be published to")
    return topic
