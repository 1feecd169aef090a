"""R4: what becomes of an update. The bytes come from a network and are believed only after every check here. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from jaragua.wire.messages import UpdateHeader

#: Why an update does not fit the run's network, "" if it does.
Check = Callable[[UpdateHeader, bytes], str]

Result = Literal["stored", "duplicate", "late", "rejected"]
#: What SQLite holds.
_LARGEST_FIGURE = 2**63 - 1


@dataclass(frozen=True)
class Verdict:
    """The word on an update (M2). retry: its content was of no use, so the device may try again."""

    result: Result
    reason: str = ""
    retry: bool = False


def content(header: UpdateHeader, blob: bytes, bases: Sequence[bytes], metric: str, check_update: Check) -> Verdict:
    """Judge an update that is expected: its start, its length, its hash, its figures, its weights, in this order."""
    reason = _wrong_start(header, bases) or _wrong_bytes(header, blob) or _wrong_figures(header, metric)
    reason = reason or check_update(header, blob)
    return Verdict("rejected", reason, retry=True) if reason else Verdict("stored")


def _wrong_start(header: UpdateHeader, bases: Sequence[bytes]) -> str:
    if header.base in bases:
        return ""
    return f"it started from {header.base.hex()[:12]}, this round starts from {bases[0].hex()[:12]}"


def _wrong_bytes(header: UpdateHeader, blob: bytes) -> str:
    if len(blob) != header.bytes:
        return f"{len(blob)} bytes of weights came, its header says {header.bytes}"
    if hashlib.sha256(blob).digest() != header.sha256:
        return "the weights do not have the SHA-256 of its header"
    return ""


def _wrong_figures(header: UpdateHeader, metric: str) -> str:
    if header.metric != metric:
        return f"it reports {header.metric}, this run is judged by {metric}"
    if not (math.isfinite(header.loss) and math.isfinite(header.score)):
        return "its loss or score is not a number"
    if not 1 <= header.samples <= _LARGEST_FIGURE or header.instructions > _LARGEST_FIGURE:
        return "its number of samples or instructions is out of range"
    return ""
