"""What a run tells whoever watches it, and what it ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

from jaragua.bases.value import Value


class RunStarted(Value):
    """The run has its folder and the broker."""

    run: str
    rounds: int
    rounds_done: int
    resumed: bool
    run_dir: Path


class ScalingCollected(Value):
    """The scaling is that of the rows of these devices; excluded: by device why it does not count (R27)."""

    devices: tuple[str, ...]
    rows: int
    excluded: Mapping[str, str]


class Waiting(Value):
    """The first round waits for devices; unfit: those that are there but built for another network."""

    present: tuple[str, ...]
    minimum: int
    unfit: tuple[str, ...]


class RoundStarted(Value):
    """A round was opened for these devices."""

    round_number: int
    rounds: int
    devices: tuple[str, ...]


class UpdateChecked(NamedTuple):
    """An update came and was answered (M2)."""

    round_number: int
    device: str
    attempt: int
    result: str
    reason: str
    loss: float
    score: float
    payload_bytes: int


class UpdateExcluded(Value):
    """A stored update was excluded when its round closed (R5, R17)."""

    round_number: int
    device: str
    reason: str


class RoundFinished(Value):
    """A round was closed; `metrics` is its line in metrics.jsonl."""

    round_number: int
    rounds: int
    metrics: Mapping[str, Any]


class BrokerLost(Value):
    """The connection to the broker broke; it is tried again."""


class BrokerBack(Value):
    """The connection to the broker is there again."""


RunEvent = (
    RunStarted
    | ScalingCollected
    | Waiting
    | RoundStarted
    | UpdateChecked
    | UpdateExcluded
    | RoundFinished
    | BrokerLost
    | BrokerBack
)


class DeviceTally(Value):
    """What one device gave to a run."""

    device: str
    kind: str
    updates: int


class RunResult(Value):
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
    privacy: Mapping[str, float] = field(default_factory=dict)
    """epsilon, delta and rounds (docs/design/private-updates.md, U11); empty without noise."""
