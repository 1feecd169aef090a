"""R4: what becomes of an update. The bytes come from a network and are believed only after every check here. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaragua.coordinator.rounds.figures import implausible
from jaragua.wire.messages import UpdateHeader

#: Why each of several updates, header and bytes, does not fit the run's network, "" if it does.
Check = Callable[[Sequence[tuple[UpdateHeader, bytes]]], Sequence[str]]

Result = Literal["stored", "duplicate", "late", "rejected"]


@dataclass(frozen=True)
class Verdict:
    """The word on an update (M2). retry: its content was of no use, so the device may try again."""

    result: Result
    reason: str = ""
    retry: bool = False


@dataclass(frozen=True)
class Expected:
    """What every update of a run must be like. most_samples: that a command of a round asks for."""

    metric: str
    most_samples: Callable[[int], int]
    check_updates: Check


class Question(NamedTuple):
    """An expected update, and the hashes of what it may have started from."""

    header: UpdateHeader
    blob: bytes
    bases: Sequence[bytes]


def contents(questions: Sequence[Question], expected: Expected) -> list[Verdict]:
    """Validate expected updates: start, length, hash and figures of each, then the weights of all, in this order."""
    most_samples = {number: expected.most_samples(number) for number in {header.round for header, _, _ in questions}}
    reasons = [
        _wrong_start(header, bases)
        or _wrong_bytes(header, blob)
        or _wrong_figures(header, expected.metric, most_samples[header.round])
        for header, blob, bases in questions
    ]
    left = [place for place, reason in enumerate(reasons) if not reason]
    checked = expected.check_updates([questions[place][:2] for place in left]) if left else ()
    for place, reason in zip(left, checked, strict=True):
        reasons[place] = reason
    return [Verdict("rejected", reason, retry=True) if reason else _GOOD for reason in reasons]


_GOOD = Verdict("stored")


def _wrong_start(header: UpdateHeader, bases: Sequence[bytes]) -> str:
    if header.base == bases[0] or header.base in bases:
        return ""
    return f"it started from {header.base.hex()[:12]}, this round starts from {bases[0].hex()[:12]}"


def _wrong_bytes(header: UpdateHeader, blob: bytes) -> str:
    if len(blob) != header.bytes:
        return f"{len(blob)} bytes of weights came, its header says {header.bytes}"
    if hashlib.sha256(blob).digest() != header.sha256:
        return "the weights do not have the SHA-256 of its header"
    return ""


def _wrong_figures(header: UpdateHeader, metric: str, most_samples: int) -> str:
    if header.metric != metric:
        return f"it reports {header.metric}, this run is evaluated by {metric}"
    return implausible(header, most_samples)
