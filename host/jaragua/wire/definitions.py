"""The protocol's numbers, read from `definitions.toml` on import: none is written a second time here."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Any, Final

_TABLES: Final[dict[str, Any]] = tomllib.loads((files(__package__) / "definitions.toml").read_text(encoding="utf-8"))


def _number(table: str, name: str) -> int:
    return int(_TABLES[table][name])


PROTOCOL_MAJOR: Final = _number("protocol", "major")
PROTOCOL_MINOR: Final = _number("protocol", "minor")

HEADER_BYTES: Final = _number("limits", "header_bytes")
CRC_BYTES: Final = _number("limits", "crc_bytes")
MAX_PAYLOAD_BYTES: Final = _number("limits", "max_payload_bytes")
MAX_FRAME_BYTES: Final = _number("limits", "max_frame_bytes")
MAX_ENCODED_BYTES: Final = _number("limits", "max_encoded_bytes")
MAX_WINDOW: Final = _number("limits", "max_window")
HELLO_BYTES: Final = _number("limits", "hello_bytes")
HASH_BYTES: Final = _number("limits", "hash_bytes")
PREDICTION_OUTPUTS: Final = _number("limits", "prediction_outputs")
FRAME_OVERHEAD_BYTES: Final = _number("limits", "frame_overhead_bytes")
MIN_SEGMENT_BYTES: Final = _number("limits", "min_segment_bytes")
SEGMENT_BALANCE_BYTES: Final = _number("limits", "segment_balance_bytes")

RTO_FIRST_MS: Final = _number("timing_ms", "rto_first")
RTO_FLOOR_MS: Final = _number("timing_ms", "rto_floor")
RTO_CEILING_MS: Final = _number("timing_ms", "rto_ceiling")
HEALTH_PERIOD_MS: Final = _number("timing_ms", "health_period")

TIMEOUTS_UNTIL_LOST: Final = _number("counts", "timeouts_until_lost")
FLIGHT_ON_NOISE: Final = _number("counts", "flight_on_noise")
PROGRESS_SAMPLES: Final = _number("counts", "progress_samples")


class FrameType(IntEnum):
    """L1.2."""

    HELLO = _number("frame_types", "hello")
    MSG = _number("frame_types", "msg")
    DATA = _number("frame_types", "data")
    SAMPLE = _number("frame_types", "sample")
    ACK = _number("frame_types", "ack")
    NAK = _number("frame_types", "nak")
    LOG = _number("frame_types", "log")
    EVENT = _number("frame_types", "event")
    RESET = _number("frame_types", "reset")


#: L1.2: numbered, acknowledged, sent again.
SEQUENCED: Final = frozenset({FrameType.MSG, FrameType.DATA, FrameType.SAMPLE})


class LogLevel(IntEnum):
    """L3.6."""

    ERROR = _number("log_levels", "error")
    WARNING = _number("log_levels", "warning")
    INFO = _number("log_levels", "info")
    DEBUG = _number("log_levels", "debug")


class JobKind(IntEnum):
    """L4.6."""

    TRAIN = _number("job_kinds", "train")
    EVALUATE = _number("job_kinds", "evaluate")
    INFER = _number("job_kinds", "infer")
    ONLINE = _number("job_kinds", "online")


class JobPhase(IntEnum):
    """L4.5: the `state` of a job-state message."""

    UNKNOWN = _number("job_states", "unknown")
    RUNNING = _number("job_states", "running")
    DONE = _number("job_states", "done")
    CANCELLED = _number("job_states", "cancelled")


@dataclass(frozen=True, slots=True)
class OperatorText:
    """One row of the table of operator bits: whether it is `of` a "model" or of the "board", and what it means."""

    name: str
    bit: int
    of: str
    meaning: str


#: identity.operators: name -> bit and meaning.
OPERATOR_TEXTS: Final[dict[str, OperatorText]] = {row["name"]: OperatorText(**row) for row in _TABLES["operator"]}
_OPERATOR_BITS: Final = {name: row.bit for name, row in OPERATOR_TEXTS.items()}


class Operator(IntEnum):
    """Bit numbers of identity.operators."""

    DENSE = _OPERATOR_BITS["dense"]
    RELU = _OPERATOR_BITS["relu"]
    SOFTMAX_CROSS_ENTROPY = _OPERATOR_BITS["softmax_cross_entropy"]
    MEAN_SQUARED_ERROR = _OPERATOR_BITS["mean_squared_error"]
    CONV = _OPERATOR_BITS["conv"]
    DEPTHWISE = _OPERATOR_BITS["depthwise"]
    MAX_POOL = _OPERATOR_BITS["max_pool"]
    AVERAGE_POOL = _OPERATOR_BITS["average_pool"]
    ADD = _OPERATOR_BITS["add"]
    ACTIVATION = _OPERATOR_BITS["activation"]
    ACCUMULATION = _OPERATOR_BITS["accumulation"]
    ONLINE = _OPERATOR_BITS["online"]


class ResetCause(IntEnum):
    """L2.3 (payload of RESET) and identity.reset-cause."""

    UNKNOWN = _number("reset_causes", "unknown")
    POWER_ON = _number("reset_causes", "power_on")
    PIN = _number("reset_causes", "pin")
    WATCHDOG = _number("reset_causes", "watchdog")
    SOFTWARE = _number("reset_causes", "software")
    FAULT = _number("reset_causes", "fault")
    SESSION = _number("reset_causes", "session")
    LINK_LOST = _number("reset_causes", "link_lost")


@dataclass(frozen=True, slots=True)
class StatusText:
    """One row of the table of status codes (L4.9)."""

    name: str
    number: int
    meaning: str
    remedy: str


#: L4.9: number -> what it means and what to do.
STATUS_TEXTS: Final[dict[int, StatusText]] = {row["number"]: StatusText(**row) for row in _TABLES["status"]}
_STATUS_NUMBERS: Final = {row.name: number for number, row in STATUS_TEXTS.items()}


class Status(IntEnum):
    """The codes the host acts upon by name; every other one is only shown (`STATUS_TEXTS`)."""

    OK = _STATUS_NUMBERS["ok"]
    MALFORMED = _STATUS_NUMBERS["malformed"]
    UNSUPPORTED = _STATUS_NUMBERS["unsupported"]
    BAD_SIZE = _STATUS_NUMBERS["bad_size"]
    BAD_OFFSET = _STATUS_NUMBERS["bad_offset"]
    BAD_HASH = _STATUS_NUMBERS["bad_hash"]
    INCOMPLETE = _STATUS_NUMBERS["incomplete"]
    NO_TRANSFER = _STATUS_NUMBERS["no_transfer"]
    NO_BLOB = _STATUS_NUMBERS["no_blob"]
    NO_JOB = _STATUS_NUMBERS["no_job"]
    BUSY = _STATUS_NUMBERS["busy"]
    BAD_SAMPLE = _STATUS_NUMBERS["bad_sample"]
    NOT_BOUND = _STATUS_NUMBERS["not_bound"]


def status_text(number: int) -> StatusText:
    """The row of status `number`; a made-up one for a number of a later version."""
    unknown = StatusText(f"status {number}", number, "A status this version does not know.", "Update the host.")
    return STATUS_TEXTS.get(number, unknown)


def protocol_problem(major: int, minor: int) -> str:
    """L2.4: why a board of protocol `major.minor` cannot be worked with, "" if it can."""
    host, board = f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}", f"{major}.{minor}"
    if major != PROTOCOL_MAJOR or not PROTOCOL_MINOR - 1 <= minor <= PROTOCOL_MINOR:
        return f"the board speaks protocol {board}, this host {host}"
    return ""
