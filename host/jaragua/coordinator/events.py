"""What a run tells whoever watches it, and what it ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunStarted:
    """The run has its folder and the broker."""

    run: str
    rounds: int
    rounds_done: int
    resumed: bool
    run_dir: Path


@dataclass(frozen=True)
class Waiting:
    """The first round waits for devices; unfit: those that are there but built for another network."""

    present: tuple[str, ...]
    minimum: int
    unfit: tuple[str, ...]


@dataclass(frozen=True)
class RoundStarted:
    """A round was opened for these devices."""

    round_number: int
    rounds: int
    devices: tuple[str, ...]


@dataclass(frozen=True)
class UpdateChecked:
    """An update came and was answered (M2)."""

    round_number: int
    device: str
    attempt: int
    result: str
    reason: str
    loss: float
    score: float
    payload_bytes: int


@dataclass(frozen=True)
class UpdateExcluded:
    """A stored update was excluded when its round closed (R5, R17)."""

    round_number: int
    device: str
    reason: str


@dataclass(frozen=True)
class RoundFinished:
    """A round was closed; `metrics` is its line in metrics.jsonl."""

    round_number: int
    rounds: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class BrokerLost:
    """The connection to the broker broke; it is tried again."""


@dataclass(frozen=True)
class BrokerBack:
    """The connection to the broker is there again."""


RunEvent = (
    RunStarted | Waiting | RoundStarted | UpdateChecked | UpdateExcluded | RoundFinished | BrokerLost | BrokerBack
)


@dataclass(frozen=True)
class DeviceTally:
    """What one device gave to a run."""

    device: str
    kind: str
    updates: int


@dataclass(frozen=True)
class RunResult:
    """A finished run. Blobs are those that devices get (A6); bytes are MQTT payloads of updates and blobs."""

    run: str
    run_dir: Path
    rounds: int
    model_hash: str
    initial_blob: bytes
    final_blob: bytes
    devices: tuple[DeviceTally, ...]
    bytes_up: int
    bytes_down: int
    metric: str
    loss: float
    score: float
    instructions_per_step: int
    """Least that a board counted for a training step; 0 if none could count."""
