"""What a message from the broker asks of a node: bytes are believed only here, after every check. Pure."""

from __future__ import annotations

from typing import TypeVar

from jaragua.bases.value import Value
from jaragua.errors import ProtocolError
from jaragua.node import questions
from jaragua.node.connection.session import Incoming
from jaragua.node.device import AdaptJob, TrainJob
from jaragua.node.questions import Question
from jaragua.node.training import ranges
from jaragua.trust.signing import signature_of
from jaragua.wire.messages import (
    AdaptCommand,
    BlobSignature,
    FlashCommand,
    RunState,
    SecureCommand,
    StatisticsCommand,
    StopCommand,
    TrainCommand,
    UpdateAck,
    decode,
)
from jaragua.wire.topics import Topic, TopicError, TopicKind, is_id, parse

M = TypeVar("M", RunState, UpdateAck, TrainCommand, AdaptCommand, SecureCommand, StatisticsCommand, StopCommand)

#: Of an adapt, a statistics or a flash command; both are kept until it is answered.
LONGEST_RESPONSE_TOPIC_BYTES = 1024
LONGEST_CORRELATION_BYTES = 256
_LONGEST_NAME = 200
_MOST_PATIENCE_S = 86_400


class NotPossible(ProtocolError):
    """An adapt command that can be answered, with a field outside its range."""

    def __init__(self, job: AdaptJob, message: str) -> None:
        super().__init__(message)
        self.job = job


class BlobArrived(Value):
    """Bytes on the topic of a blob; whether they are that blob is for `Blobs` to say."""

    sha256_hex: str
    payload: bytes
    signature: BlobSignature | None = None
    """The coordinator's, if it signed the blob."""


class DifferenceArrived(Value):
    """Bytes on the topic of a difference; what they make is for `ModelFetcher` to say."""

    sha256_hex: str
    payload: bytes


class StatisticsAsked(Value):
    """A statistics command, and where its answer goes (M20)."""

    command: StatisticsCommand
    response_topic: str
    correlation: bytes | None


class FlashRequest(Value):
    """A flash-command, and where its reports go (M43)."""

    command: FlashCommand
    response_topic: str
    correlation: bytes | None


Request = (
    RunState
    | UpdateAck
    | BlobArrived
    | DifferenceArrived
    | TrainJob
    | AdaptJob
    | SecureCommand
    | StatisticsAsked
    | StopCommand
    | FlashRequest
    | Question
)


def read(message: Incoming) -> Request:
    """The request in a message of one of a node's subscriptions.

    Raises: NotPossible or NoQuestionError if it can be answered, another ProtocolError if it cannot be served.
    """
    topic = parse(message.topic)
    if topic.kind is TopicKind.RUN:
        return _checked(decode(RunState, message.payload))
    if topic.kind is TopicKind.ACK:
        return _read_ack(topic, message.payload)
    if topic.kind is TopicKind.BLOB:
        return BlobArrived(topic.sha256, message.payload, signature_of(message.topic, dict(message.properties)))
    if topic.kind is TopicKind.DIFFERENCE:
        return DifferenceArrived(topic.sha256, message.payload)
    if topic.kind is TopicKind.QUESTION:
        return questions.read(topic, message.payload)
    if topic.kind is TopicKind.COMMAND:
        return _read_command(topic.verb, message)
    raise TopicError("a node does not read this topic")


def _read_ack(topic: Topic, payload: bytes) -> UpdateAck:
    ack = _checked(decode(UpdateAck, payload))
    if (ack.run, ack.round) != (topic.run, topic.round):
        raise TopicError("the acknowledgement is of another run or round than its topic says")
    return ack


def _read_command(verb: str, message: Incoming) -> Request:
    if verb == "train":
        return TrainJob(_checked(decode(TrainCommand, message.payload)))
    if verb == "adapt":
        return _read_adapt(message)
    if verb == "secure":
        return _checked(decode(SecureCommand, message.payload))
    if verb == "statistics":
        asked = _checked(decode(StatisticsCommand, message.payload))
        _check_correlation(message)
        return StatisticsAsked(asked, _response_topic(message), message.correlation)
    if verb == "stop":
        return _checked(decode(StopCommand, message.payload))
    if verb == "flash":
        return _read_flash(message)
    raise TopicError(f"there is no command {verb!r}")


def _read_flash(message: Incoming) -> FlashRequest:
    command = decode(FlashCommand, message.payload)
    for name in ("environment", "model"):
        text = getattr(command, name)
        if not 0 < len(text) <= _LONGEST_NAME or not text.isprintable():
            raise ProtocolError(f"{name} is not a name of at most {_LONGEST_NAME} printable characters")
    if not is_id(command.device) or command.patience > _MOST_PATIENCE_S:
        raise ProtocolError(f"device is no id, or patience is above {_MOST_PATIENCE_S} s")
    _check_correlation(message)
    topic = message.response_topic or ""
    if parse(topic).kind is not TopicKind.FLASHED:
        raise ProtocolError("a flash command needs a response topic host/flashed/<asker>")
    return FlashRequest(command, topic, message.correlation)


def _read_adapt(message: Incoming) -> AdaptJob:
    command = decode(AdaptCommand, message.payload)
    _check_correlation(message)
    job = AdaptJob(command, _response_topic(message), message.correlation)
    try:
        _checked(command)
    except ProtocolError as error:
        raise NotPossible(job, error.message) from error
    return job


def _check_correlation(message: Incoming) -> None:
    if len(message.correlation or b"") > LONGEST_CORRELATION_BYTES:
        raise ProtocolError(f"the correlation data have more than {LONGEST_CORRELATION_BYTES} bytes")


def _checked(message: M) -> M:
    ranges.check(message)
    return message


def _response_topic(message: Incoming) -> str:
    topic = message.response_topic or ""
    if not topic or set(topic) & set("+#\0") or len(topic.encode()) > LONGEST_RESPONSE_TOPIC_BYTES:
        raise ProtocolError(
            "a command that is answered needs a response topic that can be published to, "
            f"of at most {LONGEST_RESPONSE_TOPIC_BYTES} bytes"
        )
    return topic
