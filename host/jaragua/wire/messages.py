"""Every message of `messages.cddl` as a frozen dataclass, checked against that file when it is written and read.

The class `JobBegin` is the rule `job-begin`; its fields are the rule's in the same order, `-` written `_`. The tag that
begins a serial message is read from the file. What does not match raises MessageError with message and field.

    data = encode(JobBegin(id=1, job=7, kind=JobKind.TRAIN, base=b"", …))   serial and MQTT alike
    message = decode_response(data)                                         serial: Status | Identity | BlobState | …
    command = decode(TrainCommand, payload)                                 MQTT: the topic says which
"""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
import re
import struct
from functools import cache
from typing import Any, ClassVar, Final, TypeVar, get_args

import cbor2

from jaragua.bases.value import Value
from jaragua.wire.cbor import pattern_read, plain_cbor, quick_read, schema
from jaragua.wire.cbor.quick_check import Fits
from jaragua.wire.cbor.schema import MessageError

__all__ = [
    "MessageError",
    "decode",
    "decode_request",
    "decode_response",
    "encode",
    "pack_update",
    "unpack_difference",
    "unpack_update",
]

_HEADER_LENGTH: Final = struct.Struct("<H")


class Message(Value):
    """What all messages share."""

    #: Serial messages are arrays that begin with a tag, MQTT payloads maps.
    is_array: ClassVar[bool] = False


class SerialMessage(Message):
    """A message of the serial link: `[tag, …]`."""

    is_array: ClassVar[bool] = True


class NumberedMessage(SerialMessage):
    """A request, or what answers it."""

    id: int
    """Of the request; its answers repeat it."""


# ---- host to board ---------------------------------------------------------------------------------------------------


class Identify(NumberedMessage):
    """L4.1."""


class BlobBegin(NumberedMessage):
    """L4.2."""

    sha256: bytes
    size_bytes: int


class BlobEnd(NumberedMessage):
    """L4.2."""

    sha256: bytes


class JobBegin(NumberedMessage):
    """L4.4. `base`: hash of the staged blob, or empty to go on with the working weights. Rate: A5.2; seed: A8.5.

    batch: samples of a step (A11.1); clip: A11.7; loss_threshold: A11.8. temperature: A12.4, mantissa 0 for none;
    fresh, rejection: L4.13.
    """

    job: int
    kind: int
    base: bytes
    rate_mantissa: int
    rate_exponent: int
    samples: int
    seed: int
    batch: int
    clip: int
    loss_threshold: int
    temperature_mantissa: int = 0
    temperature_exponent: int = 0
    fresh: bool = False
    rejection: int = 1 << 15


class JobEnd(NumberedMessage):
    """L4.4."""

    job: int


class UpdateRead(NumberedMessage):
    """L4.7."""

    job: int
    offset: int


class HealthRead(NumberedMessage):
    """L4.8."""


class Cancel(NumberedMessage):
    """Ends a job before its last sample."""

    job: int


class OnlineBegin(NumberedMessage):
    """L4.11. `base` as in JobBegin; what follows `samples`: docs/reference/online.md, O2 to O7."""

    job: int
    base: bytes
    rate_mantissa: int
    rate_exponent: int
    samples: int
    fresh: bool
    known: int
    standardise: bool
    warm_up: int
    horizon: int
    replays: int
    slack: int
    threshold: int


class OnlineRead(NumberedMessage):
    """L4.11."""


class Forget(NumberedMessage):
    """Forget all samples of a class (L4.13)."""

    label: int


class PrototypeRead(NumberedMessage):
    """Ask for a class's prototype from number `offset` on (L4.13)."""

    label: int
    offset: int


class BlobSignature(NumberedMessage):
    """The coordinator's signature of a blob (G33). `root`: the blob's topic without the hash."""

    sha256: bytes
    generation: int
    counter: int
    root: str
    signature: bytes


# ---- board to host ---------------------------------------------------------------------------------------------------


class Status(NumberedMessage):
    """L4.9. `code`: `definitions.Status`, text in `definitions.STATUS_TEXTS`."""

    code: int
    detail: int


class Identity(NumberedMessage):
    """L4.1: all that is known of a board. `operators`: bits, `definitions.Operator`; prototypes: classes (L4.13)."""

    major: int
    minor: int
    firmware: str
    build: bytes
    board: str
    uid: bytes
    model: str
    architecture: bytes
    blob_bytes: int
    inputs: int
    outputs: int
    classifier: bool
    staged: bytes
    working: bytes
    mtu: int
    window: int
    reset_cause: int
    ram_bytes: int
    flash_bytes: int
    arena_bytes: int
    operators: int
    prototypes: int = 0


class BlobState(NumberedMessage):
    """L4.2."""

    offset: int
    complete: bool


class JobState(NumberedMessage):
    """L4.4, L4.5. `state`: `definitions.JobPhase`. Real loss sum = loss_sum * 2**-loss_exponent (A4.4)."""

    job: int
    kind: int
    state: int
    done: int
    correct: int
    loss_sum: int
    loss_exponent: int
    instructions: int
    blob_crc: int

    @property
    def loss(self) -> float:
        """Mean loss of a sample: nats, or squared error summed over the outputs. 0 before the first sample."""
        return _mean_loss(self)


class Prediction(SerialMessage):
    """L4.6. `outputs`: int16 each, as A3.3 gives them; number `offset` of the sample's and those that follow."""

    job: int
    index: int
    offset: int
    outputs: tuple[int, ...]


class Health(NumberedMessage):
    """L4.8: the board's own counters (L3.5), memory, and the wear of its flash (K9)."""

    uptime_ms: int
    frames_in: int
    frames_out: int
    bytes_in: int
    bytes_out: int
    retransmits: int
    naks: int
    bad_crc: int
    duplicates: int
    rtt_ms: int
    stack_free_bytes: int
    stack_bytes: int
    saves: int
    most_saves: int
    erases: int
    trained: int


class Progress(SerialMessage):
    """L4.8."""

    job: int
    done: int
    samples: int
    correct: int
    loss_sum: int
    loss_exponent: int

    @property
    def loss(self) -> float:
        """Mean loss so far; see JobState.loss."""
        return _mean_loss(self)


class OnlineState(NumberedMessage):
    """L4.11, O8: where a board's learner stands, since it began. `known`: a bit an output; samples count from 1."""

    samples: int
    correct: int
    recent: int
    known: int
    opened: int
    opened_at: int
    opened_label: int
    drifts: int
    drift_at: int
    mean_loss: int
    excess: int


class Recognition(SerialMessage):
    """L4.13: the class that a sample was recognised as, and squared distances (A12.3). relative: Q15 (A12.7)."""

    job: int
    index: int
    label: int
    distance: int
    runner_up: int
    relative: int
    accepted: bool


class Prototype(NumberedMessage):
    """L4.13. `samples`: of the class. `numbers`: int16 each, from the offset asked for on (A12.2)."""

    samples: int
    numbers: tuple[int, ...]


Request = (
    Identify
    | BlobBegin
    | BlobEnd
    | JobBegin
    | JobEnd
    | UpdateRead
    | HealthRead
    | Cancel
    | OnlineBegin
    | OnlineRead
    | Forget
    | PrototypeRead
    | BlobSignature
)
Response = (
    Status | Identity | BlobState | JobState | Prediction | Health | Progress | OnlineState | Recognition | Prototype
)


# ---- MQTT ------------------------------------------------------------------------------------------------------------


class HostState(Message):
    """The coordinator is there, or is not."""

    online: bool
    ts: int
    epoch: int
    since: int


class HostClaim(Message):
    """Which coordinator serves a fleet (R10). says: ask, serve, take or yield."""

    says: str
    who: bytes
    since: int
    nonce: bytes
    to: bytes | None = None
    key: bytes | None = None


class RunState(Message):
    """Where a run stands."""

    run: str
    round: int
    rounds: int
    phase: str
    model: str
    network: str
    hash: bytes
    deadline: int
    quorum: int
    input: bytes | None = None


class NodeState(Message):
    """A gateway or a Pi; its will is `lost` (M7)."""

    state: str
    epoch: int
    kind: str


class DeviceState(Message):
    """One device of a node. format: "f32" if it computes in float32 (M9), None if in the blob's integers."""

    state: str
    epoch: int
    kind: str
    model: str
    architecture: bytes
    reason: str | None = None
    format: str | None = None


class TrainCommand(Message):
    """Train on the device's own few-shot task drawn with `seed` (M3). proximal_decay: strategies.md, FedProx;
    start: M9.

    batch: samples of a step, 0 for all of a pass, None for one (A11.1).
    bits, fraction, local, stored: what was learned is wanted as a difference (M10); until: R13.
    loss_threshold: A11.8, None disables; replay_buffer_size: samples held, None for
    all. temperature: of prototypes as last layer (A12.4), None for none; enrolled_shots: of each class, None for all;
    episode_queries: of each class in an episode, None without episodes (M18.2).
    sum: the update is masked (M32), None for one in clear; grid, clip: U9, None without clipping; noise: U10.3.
    """

    run: str
    round: int
    device: str
    attempt: int
    hash: bytes
    learning_rate: float
    ways: int
    shots: int
    passes: int
    seed: int
    deadline: int
    batch: int | None = None
    proximal_decay: int | None = None
    start: bytes | None = None
    bits: int | None = None
    fraction: float | None = None
    local: int | None = None
    stored: int | None = None
    until: int | None = None
    loss_threshold: float | None = None
    replay_buffer_size: int | None = None
    error_clip: float | None = None
    temperature: float | None = None
    enrolled_shots: int | None = None
    episode_queries: int | None = None
    sum: str | None = None
    grid: int | None = None
    clip: int | None = None
    noise: int | None = None


class AdaptCommand(Message):
    """Evaluate a model on the device's held-out task (M4).

    start: M9; loss_threshold to episode_queries: as in a train-command.
    """

    run: str
    device: str
    trial: int
    hash: bytes
    learning_rate: float
    ways: int
    shots: int
    passes: int
    queries: int
    seed: int
    start: bytes | None = None
    loss_threshold: float | None = None
    replay_buffer_size: int | None = None
    error_clip: float | None = None
    temperature: float | None = None
    enrolled_shots: int | None = None
    episode_queries: int | None = None


class AdaptResult(Message):
    """Figures only (M4, M5).

    classes: names of the task's labels. confusion: of each class (row) how often it was answered as each other, and
    last as none of them. enrolled: samples in the prototype of each label. Empty where the task has none (M30).
    """

    run: str
    device: str
    trial: int
    hash: bytes
    ok: bool
    metric: str
    before: float
    after: float
    queries: int
    instructions: int
    reason: str | None = None
    classes: tuple[str, ...] | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    enrolled: tuple[int, ...] | None = None


class StatisticsCommand(Message):
    """Ask for the sums of a device's rows, from column `first` on (M20). run: name of the run that is to begin."""

    run: str
    device: str
    first: int


class StatisticsResult(Message):
    """The sums of some columns, as `Statistics.to_json` (M20). owner: whose rows; columns: how many there are."""

    run: str
    device: str
    first: int
    ok: bool
    owner: str
    columns: int
    sums: bytes
    reason: str | None = None


class StopCommand(Message):
    """End what the run still asks of this node."""

    run: str


class FlashCommand(Message):
    """Put an image on a board (M40 to M47). build to prototypes: what the board says when it runs.

    patience: seconds for the job under way; start: hash of weights to begin with.
    """

    id: bytes
    device: str
    environment: str
    image: bytes
    size: int
    build: bytes
    model: str
    architecture: bytes
    accumulate: bool
    prototypes: int
    force: bool
    patience: int
    start: bytes | None = None


class FlashReport(Message):
    """How far a flash-command is (M43). before, after: of the board's identity, as text."""

    id: bytes
    device: str
    phase: str
    reason: str | None = None
    before: dict[str, str] | None = None
    after: dict[str, str] | None = None


class SecureCommand(Message):
    """A question of a secure sum (M32). The key is that of the device's update."""

    run: str
    round: int
    device: str
    attempt: int
    stage: str
    body: bytes


class UpdateHeader(Message):
    """What stands before the weights of an update (M2, M9); key: (run, round, device, attempt)."""

    run: str
    round: int
    device: str
    attempt: int
    base: builtins.bytes
    encoding: str
    samples: int
    loss: float
    metric: str
    score: float
    instructions: int
    bytes: int
    sha256: builtins.bytes


class ModelDelta(Message):
    """How a start follows from the one before (M10). exponents: deflated blob whose weights are all zero."""

    base: bytes
    total: int
    exponents: bytes
    local: int
    seed: int | None = None


class UpdateAck(Message):
    """The coordinator's word on an update, after its commit (M2)."""

    run: str
    round: int
    device: str
    attempt: int
    result: str
    reason: str


class Telemetry(Message):
    """Health and progress of a device, for whoever watches."""

    ts: int
    health: dict[str, int] | None = None
    progress: dict[str, int | float] | None = None


M = TypeVar("M", bound=Message)


def _mean_loss(figures: JobState | Progress) -> float:
    return float(figures.loss_sum) * 2.0**-figures.loss_exponent / figures.done if figures.done else 0.0


def rule_name(kind: type[Message]) -> str:
    """The name in `messages.cddl`: JobBegin -> job-begin."""
    return _dashed(kind.__name__)


@cache
def _dashed(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def field_name(rule_field: str) -> str:
    """The Python name of a field of the file: rate-mantissa -> rate_mantissa."""
    return rule_field.replace("-", "_")


def rule_field(name: str) -> str:
    """The reverse of `field_name`."""
    return name.replace("_", "-")


def encode(message: Message) -> bytes:
    """CBOR; MessageError if a field is outside what `messages.cddl` allows."""
    name = rule_name(type(message))
    value = _to_array(message, name) if message.is_array else _to_map(message, name)
    schema.check(name, value)
    return cbor2.dumps(value)


class Template:
    """Messages that differ in a few fields: the others are checked and encoded once. Of messages that are maps."""

    def __init__(self, message: Message, *differing: str) -> None:
        """differing: the Python names of the fields; `message` has any values in them."""
        self._name = name = rule_name(type(message))
        entries = _to_map(message, name)
        schema.check(name, entries)
        fields = {rule_field(one): one for one in differing}
        self._example = {field: value for field, value in entries.items() if field not in fields}
        self._count = len(self._example)
        self._fields: list[tuple[bytes, int, str, bytes, Fits]] = []
        """In the order of the rule: what stands before a differing field, its bit, name and key, and what it may be."""
        before = b""
        for field, one, _ in _fields_of(name, type(message)):
            if field in fields:
                key, bit = plain_cbor.dumps(field), 1 << len(self._fields)
                self._fields.append((before, bit, one, key, schema.field_fits(name)[field]))
                before = b""
            elif field in entries:
                before += _entries({field: entries[field]})
        self._last = before
        self._known = {sum(bit for _, bit, one, *_ in self._fields if rule_field(one) in entries)}
        """Which differing fields messages had that were checked as a whole."""

    def encode(self, **values: object) -> bytes:
        """The message with these values of the differing fields. Raises: MessageError, as `encode`."""
        count, there, parts = self._count, 0, [b""]
        for before, bit, name, key, fits in self._fields:
            value = values[name]
            if value is None:
                parts.append(before)
                continue
            if type(value) not in _PLAIN_TYPES:
                value = _plain(value)
            if not fits(value):
                schema.check(self._name, self._example | self._different(values))
            count, there = count + 1, there | bit
            parts += before, key, plain_cbor.dumps(value)
        if there not in self._known:
            schema.check(self._name, self._example | self._different(values))
            self._known.add(there)
        parts[0] = _map_head(count)
        parts.append(self._last)
        return b"".join(parts)

    def _different(self, values: dict[str, object]) -> dict[str, object]:
        return {rule_field(name): _plain(values[name]) for _, _, name, *_ in self._fields if values[name] is not None}


#: CBOR (RFC 8949, 3.1): a map of fewer entries has their number in its first byte.
_MAP: Final = 0xA0
_SHORTEST_MAP_WITH_LENGTH: Final = 24


def _map_head(count: int) -> bytes:
    return bytes([_MAP | count]) if count < _SHORTEST_MAP_WITH_LENGTH else bytes([_MAP | 24, count])


def _entries(values: dict[str, object]) -> bytes:
    """A map without its head."""
    return cbor2.dumps(values)[len(_map_head(len(values))) :]


def decode(kind: type[M], data: bytes) -> M:
    """The message of class `kind` in `data`; MessageError if it does not match `messages.cddl`."""
    values = _quick_reader(kind)(data)
    return _build(kind, plain_cbor.loads(data)) if values is None else _made(kind, values)


def decode_request(data: bytes) -> Request:
    """A message of a host; MessageError if it is none."""
    message: Request = _decode_tagged("request", data)
    return message


def decode_response(data: bytes) -> Response:
    """A message of a board; MessageError if it is none."""
    message: Response = _decode_tagged("response", data)
    for part in dataclasses.fields(message):
        value = getattr(message, part.name)
        if isinstance(value, str) and not value.isprintable():
            raise MessageError(f"{rule_name(type(message))}.{part.name}: it holds control characters")
    return message


def pack_update(header: UpdateHeader | ModelDelta, blob: bytes) -> bytes:
    """The payload of an update, or of the difference of a start: `u16 length | header CBOR | bytes`."""
    encoded = encode(header)
    return _HEADER_LENGTH.pack(len(encoded)) + encoded + blob


def unpack_update(payload: bytes) -> tuple[UpdateHeader, bytes]:
    """Header and blob; MessageError if the lengths or the SHA-256 do not agree."""
    header, blob = _split(UpdateHeader, payload)
    if len(blob) != header.bytes:
        raise MessageError(f"update: {len(blob)} bytes of weights follow, the header says {header.bytes}")
    if hashlib.sha256(blob).digest() != header.sha256:
        raise MessageError("update: the weights have not the SHA-256 of the header")
    return header, blob


def header_of_update(payload: bytes) -> UpdateHeader:
    """The header of an update; MessageError if it is none. The bytes that follow are not looked at."""
    return _split(UpdateHeader, payload)[0]


def unpack_difference(payload: bytes) -> tuple[ModelDelta, bytes]:
    """What stands on `diff/<sha256>`; MessageError if it is none. What it makes is checked by its SHA-256."""
    return _split(ModelDelta, payload)


def _split(kind: type[M], payload: bytes) -> tuple[M, bytes]:
    if len(payload) < _HEADER_LENGTH.size:
        raise MessageError("update: the payload is cut off")
    end = _HEADER_LENGTH.size + _HEADER_LENGTH.unpack_from(payload)[0]
    if end > len(payload):
        raise MessageError("update: the header is cut off")
    return decode(kind, payload[_HEADER_LENGTH.size : end]), payload[end:]


#: Of most fields.
_PLAIN_TYPES: Final = frozenset({str, bytes, int, float, bool})


def _plain(value: object) -> object:
    """A value as cbor2 would read it back: enums as numbers, tuples as lists."""
    if type(value) in _PLAIN_TYPES:
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _to_array(message: Message, name: str) -> list[object]:
    return [schema.tag(name), *(_plain(getattr(message, field_name(field))) for field in schema.fields(name))]


def _to_map(message: Message, name: str) -> dict[str, object]:
    entries: dict[str, object] = {}
    for field, attribute, is_float in _fields_of(name, type(message)):
        value = getattr(message, attribute)
        if value is not None:
            entries[field] = float(value) if is_float else _plain(value)
    return entries


def _fields_of(name: str, kind: type[Any]) -> tuple[tuple[str, str, bool], ...]:
    """Each field of a map, its attribute, and whether it is a float, which a whole number becomes."""
    if kind not in _FIELDS:
        _FIELDS[kind] = _found_fields(name, kind)
    return _FIELDS[kind]


_FIELDS: Final[dict[type[Any], tuple[tuple[str, str, bool], ...]]] = {}


def _found_fields(name: str, kind: type[Any]) -> tuple[tuple[str, str, bool], ...]:
    floats = {rule_field(field.name) for field in dataclasses.fields(kind) if str(field.type).startswith("float")}
    return tuple((field, field_name(field), field in floats) for field in schema.fields(name))


@cache
def _kinds(choice: str) -> dict[int, type[Message]]:
    classes = {rule_name(kind): kind for kind in (*get_args(Request), *get_args(Response))}
    return {schema.tag(name): classes[name] for name in schema.choices(choice)}


def _decode_tagged(choice: str, data: bytes) -> Any:
    value = plain_cbor.loads(data)
    if not isinstance(value, list) or not value or type(value[0]) is not int:
        raise MessageError(f"{choice}: not an array that begins with a number")
    kind = _kinds(choice).get(value[0])
    if kind is None:
        raise MessageError(f"{choice}: no message has the number {value[0]}")
    return _build(kind, value)


def _build(kind: type[M], value: Any) -> M:
    name = rule_name(kind)
    schema.check(name, value)
    pairs = zip(schema.fields(name), value[1:], strict=True) if kind.is_array else value.items()
    names = _attributes(name)
    return kind(**{names[field]: _frozen(item) for field, item in pairs})


def _quick_reader(kind: type[Any]) -> quick_read.MapReader:
    """Reads most messages of a class; None of one that is to be looked at more closely."""
    if kind not in _QUICK_READERS:
        rules, rule = schema.rules(), schema.rules()[rule_name(kind)]
        _QUICK_READERS[kind] = _one_of(pattern_read.map_reader(rules, rule), quick_read.map_reader(rules, rule))
    return _QUICK_READERS[kind]


def _one_of(first: quick_read.MapReader | None, second: quick_read.MapReader | None) -> quick_read.MapReader:
    """What the first reads, or else the second."""
    if first is None or second is None:
        return first or second or (lambda data: None)

    def read(data: bytes) -> dict[str, Any] | None:
        values = first(data)
        return second(data) if values is None else values

    return read


_QUICK_READERS: Final[dict[type[Any], quick_read.MapReader]] = {}


def _made(kind: type[M], values: dict[str, Any]) -> M:
    """A message of values that were checked. The frozen class's own way of setting each of them takes far longer."""
    message = object.__new__(kind)
    if kind not in _RENAMED:
        _RENAMED[kind] = _renamed(kind)
    renamed, absent = _RENAMED[kind]
    for field, name in renamed:
        if field in values:
            values[name] = values.pop(field)
    message.__dict__.update(absent, **values)
    return message


def _renamed(kind: type[Any]) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Fields of the file whose attribute is called otherwise, and the values of fields that may be absent."""
    names = _attributes(rule_name(kind))
    absent = {one.name: one.default for one in dataclasses.fields(kind) if one.default is not dataclasses.MISSING}
    return [(field, name) for field, name in names.items() if field != name], absent


_RENAMED: Final[dict[type[Any], tuple[list[tuple[str, str]], dict[str, Any]]]] = {}


def _frozen(value: Any) -> Any:
    """Arrays as tuples, at every depth."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@cache
def _attributes(name: str) -> dict[str, str]:
    return {field: field_name(field) for field in schema.fields(name)}
