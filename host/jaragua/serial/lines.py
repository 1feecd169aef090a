"""Events of a link as lines: pure functions from an event to words and fields.

Monitors show lines, and gateways tell them over a tap.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from jaragua.wire import messages
from jaragua.wire.definitions import (
    FrameType,
    JobKind,
    JobPhase,
    LogLevel,
    Operator,
    ResetCause,
    status_text,
)
from jaragua.wire.link import link
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.messages import MessageError
from jaragua.wire.wear import wear_of


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to show. `kind` leads the line, `text` is for a person, `fields` are for a program."""

    kind: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)
    level: LogLevel = LogLevel.INFO


def of_event(event: link.LinkEvent) -> Line:
    """The line of an event."""
    match event:
        case link.SessionOpened(session=session, hello=hello):
            text = f"session 0x{session:04x} is open, protocol {hello.major}.{hello.minor}, window {hello.window}"
            return Line("session", text, {"session": session, **_fields(hello)})
        case link.SessionEnded(cause=cause):
            return Line(
                "session", f"the session has ended: {name_of(ResetCause, cause)}", {"cause": cause}, LogLevel.WARNING
            )
        case link.LinkLost():
            return Line("session", "nothing answers as a board of Jaragua does", level=LogLevel.WARNING)
        case link.Logged(level=level, text=text):
            return Line("log", f"{name_of(LogLevel, level)}: {text}", {"level": level, "text": text}, _level(level))
        case link.Noise(text=text):
            return Line("text", text, {"text": text})
        case link.Announced(payload=payload):
            return _of_payload(payload)
        case link.Received(frame_type=FrameType.MSG, payload=payload):
            return _of_payload(payload)
        case link.Received(frame_type=frame_type, payload=payload):
            return Line("data", f"{len(payload)} bytes", {"frame_type": frame_type, "payload": payload.hex()})


def of_message(message: messages.Response) -> Line:
    """The line of a message of the board."""
    kind = messages.rule_name(type(message))
    level = LogLevel.INFO
    if isinstance(message, messages.Status) and message.code:
        level = LogLevel.WARNING
    return Line(kind, _text_of(message), _fields(message), level)


def of_request(request: messages.Request) -> Line:
    """The line of a message of the host."""
    name = messages.rule_name(type(request))
    fields = _fields(request)
    words = " ".join(f"{messages.rule_field(key)}={value}" for key, value in fields.items() if key != "id")
    return Line("request", f"{name} {words}".rstrip(), {"request": name, **fields})


def of_counters(counters: LinkCounters, seconds: float) -> Line:
    """The summary when the monitor ends: the link as the host saw it (L3.5)."""
    text = (
        f"{seconds:.1f} s, sessions: {counters.sessions}; in {counters.frames_in} frames, {counters.bytes_in} bytes; "
        f"out {counters.frames_out} frames, {counters.bytes_out} bytes; {counters.retransmits} retransmits, "
        f"{counters.naks} NAKs, {counters.bad_crc} bad CRC, {counters.bad_frames} bad frames, "
        f"{counters.duplicates} duplicates, round trip {counters.rtt_ms:.1f} ms"
    )
    if counters.bytes_in and not counters.frames_in:
        text += "; what came was no frame: is the baud rate right, does the board run Jaragua?"
    return Line("link", text, {"seconds": round(seconds, 3), **dataclasses.asdict(counters)})


def name_of(names: type[IntEnum], number: int) -> str:
    """The name of a number of the protocol in words; a number that this version does not know as it is."""
    try:
        return names(number).name.lower().replace("_", " ")
    except ValueError:
        return f"number {number}"


def _of_payload(payload: bytes) -> Line:
    try:
        return of_message(messages.decode_response(payload))
    except MessageError as error:
        return Line("malformed", error.message, {"payload": payload.hex(), "reason": error.message}, LogLevel.WARNING)


def _level(number: int) -> LogLevel:
    return LogLevel(number) if number in LogLevel.__members__.values() else LogLevel.INFO


def _fields(record: Any) -> dict[str, Any]:
    """A record's fields as JSON can hold them: bytes as hexadecimal digits."""
    values = ((part.name, getattr(record, part.name)) for part in dataclasses.fields(record))
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values}


def _text_of(message: messages.Response) -> str:
    match message:
        case messages.Identity():
            return _identity(message)
        case messages.Health():
            return _health(message)
        case messages.Progress():
            return _progress(message)
        case messages.JobState():
            return _job_state(message)
        case messages.Status():
            text = status_text(message.code)
            return f"{text.name}: {text.meaning} (request {message.id}, detail {message.detail})"
        case messages.BlobState():
            return "complete" if message.complete else f"{message.offset} bytes received"
        case messages.OnlineState():
            return _online_state(message)
        case messages.Prediction():
            first = f" from output {message.offset}" if message.offset else ""
            return f"job {message.job}, sample {message.index}{first}: {' '.join(map(str, message.outputs))}"
        case messages.Recognition():
            known = f"class {message.label}" if message.accepted else f"unknown, nearest is class {message.label}"
            return f"job {message.job}, sample {message.index}: {known}, distance {message.distance}"
        case messages.Prototype():
            return f"of {message.samples} samples: {' '.join(map(str, message.numbers))}"


def _identity(identity: messages.Identity) -> str:
    operators = [operator.name.lower() for operator in Operator if identity.operators >> operator & 1]
    task = "classes" if identity.classifier else "outputs"
    return "\n".join(
        [
            f"{identity.board}, unique id {identity.uid.hex()}, started by {name_of(ResetCause, identity.reset_cause)}",
            f"firmware {identity.firmware}, build {identity.build.hex()}, protocol {identity.major}.{identity.minor}",
            f"model {identity.model}: {identity.inputs} inputs, {identity.outputs} {task}, "
            f"architecture {identity.architecture.hex()}, blob {identity.blob_bytes} bytes",
            f"memory: RAM {identity.ram_bytes} bytes, of which {identity.arena_bytes} for training; "
            f"flash {identity.flash_bytes} bytes",
            f"weights: staged {_hash(identity.staged)}, working {_hash(identity.working)}",
            f"operators: {', '.join(operators)}; payload {identity.mtu} bytes, window {identity.window}",
            *([f"prototypes: room for {identity.prototypes} classes"] if identity.prototypes else []),
        ]
    )


def _hash(sha256: bytes) -> str:
    return f"{sha256.hex()[:12]}…" if sha256 else "none"


def _health(health: messages.Health) -> str:
    stack, wear = "", wear_of(_fields(health))
    if health.stack_bytes:
        stack = f"; stack {health.stack_bytes - health.stack_free_bytes} of {health.stack_bytes} bytes used"
    return (
        f"up {health.uptime_ms / 1000:.1f} s; in {health.frames_in} frames, out {health.frames_out} frames; "
        f"{health.retransmits} retransmits, {health.naks} NAKs, {health.bad_crc} bad CRC, "
        f"{health.duplicates} duplicates, round trip {health.rtt_ms} ms{stack}{f'; {wear.words}' if wear else ''}"
    )


def _progress(progress: messages.Progress) -> str:
    return (
        f"job {progress.job}: {progress.done} of {progress.samples} samples, {progress.correct} right, "
        f"loss {progress.loss:.4f}"
    )


def _online_state(state: messages.OnlineState) -> str:
    text = f"sample {state.samples}: {state.recent / 32768:.0%} right lately, {state.known.bit_count()} classes known"
    if state.opened:
        text += f", class {state.opened_label} new at sample {state.opened_at}"
    return text + (f", drift noticed at sample {state.drift_at}" if state.drifts else "")


def _job_state(state: messages.JobState) -> str:
    instructions = f", {state.instructions} instructions a sample" if state.instructions else ""
    return (
        f"job {state.job}: {name_of(JobKind, state.kind)} {name_of(JobPhase, state.state)}, {state.done} samples, "
        f"{state.correct} right, loss {state.loss:.4f}{instructions}"
    )
