"""The protocol's numbers, read from `definitions.toml` on import: none is written a second time here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Any, Final

_TABLES: Final[dict[str, Any]] = tomllib.loads((files(__package__) / "definitions.toml").read_text(encoding="utf-8"))


def _number(table: str, name: str) -> int:
    return int(_TABLES[table][name])


def _numbers(table: Mapping[str, int], *names: str) -> tuple[int, ...]:
    """Of members of an enumeration, in their order."""
    return tuple(table[name] for name in names)


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
MODEL_NAME_BYTES: Final = _number("limits", "model_name_bytes")
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

    HELLO, MSG, DATA, SAMPLE, ACK, NAK, LOG, EVENT, RESET = _numbers(
        _TABLES["frame_types"], "hello", "msg", "data", "sample", "ack", "nak", "log", "event", "reset"
    )


#: L1.2: numbered, acknowledged, sent again.
SEQUENCED: Final = frozenset({FrameType.MSG, FrameType.DATA, FrameType.SAMPLE})


class LogLevel(IntEnum):
    """L3.6."""

    ERROR, WARNING, INFO, DEBUG = _numbers(_TABLES["log_levels"], "error", "warning", "info", "debug")


class JobKind(IntEnum):
    """L4.6."""

    TRAIN, EVALUATE, INFER, ONLINE = _numbers(_TABLES["job_kinds"], "train", "evaluate", "infer", "online")
    ENROL, RECOGNISE, TRAIN_ENROLLED = _numbers(_TABLES["job_kinds"], "enrol", "recognise", "train_enrolled")


class JobPhase(IntEnum):
    """L4.5: the `state` of a job-state message."""

    UNKNOWN, RUNNING, DONE, CANCELLED = _numbers(_TABLES["job_states"], "unknown", "running", "done", "cancelled")


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

    DENSE, RELU, SOFTMAX_CROSS_ENTROPY, MEAN_SQUARED_ERROR = _numbers(
        _OPERATOR_BITS, "dense", "relu", "softmax_cross_entropy", "mean_squared_error"
    )
    CONV, DEPTHWISE, MAX_POOL, AVERAGE_POOL = _numbers(_OPERATOR_BITS, "conv", "depthwise", "max_pool", "average_pool")
    ADD, ACTIVATION, ACCUMULATION, ONLINE = _numbers(_OPERATOR_BITS, "add", "activation", "accumulation", "online")
    PROTOTYPES, SIGNED, PROTOTYPE_GRADIENTS = _numbers(_OPERATOR_BITS, "prototypes", "signed", "prototype_gradients")


class ResetCause(IntEnum):
    """L2.3 (payload of RESET) and identity.reset-cause."""

    UNKNOWN, POWER_ON, PIN, WATCHDOG, SOFTWARE, FAULT, SESSION, LINK_LOST = _numbers(
        _TABLES["reset_causes"], "unknown", "power_on", "pin", "watchdog", "software", "fault", "session", "link_lost"
    )


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

    OK, MALFORMED, UNSUPPORTED = _numbers(_STATUS_NUMBERS, "ok", "malformed", "unsupported")
    BAD_SIZE, BAD_OFFSET, BAD_HASH, INCOMPLETE = _numbers(
        _STATUS_NUMBERS, "bad_size", "bad_offset", "bad_hash", "incomplete"
    )
    NO_TRANSFER, NO_BLOB, NO_JOB = _numbers(_STATUS_NUMBERS, "no_transfer", "no_blob", "no_job")
    BUSY, BAD_SAMPLE, NOT_BOUND, NOT_SIGNED = _numbers(_STATUS_NUMBERS, "busy", "bad_sample", "not_bound", "not_signed")


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
