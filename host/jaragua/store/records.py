"""The rows of the store, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaragua.bases.value import Value
from jaragua.strategies.server_optimiser import NO_MOMENTS

RunStatus = Literal["training", "stopped", "finished"]


class RunRecord(Value):
    """One run. `run` is its identifier on the broker; `settings` is the whole configuration, as JSON values.

    beginning: what it began with beside its settings (R22), as JSON values.
    """

    run: str
    name: str
    seed: int
    rounds: int
    status: RunStatus
    settings: Mapping[str, Any]
    beginning: Mapping[str, Any] = field(default_factory=dict)


class Initialisation(Value):
    """What the fleet knows after `rounds_done` rounds: float64 [parameters], and the SHA-256 of its packed blob.

    moments: of the server's optimiser, float64 [moments, parameters] (R18); only the newest initialisation keeps them.
    """

    rounds_done: int
    vector: NDArray[np.float64]
    blob_hash: bytes
    moments: NDArray[np.float64] = field(default_factory=lambda: NO_MOMENTS)


class Assignment(NamedTuple):
    """A device's part in a round. The key (run, round, device, attempt) is that of its update (M2)."""

    round_number: int
    device: str
    attempt: int
    node: str
    seed: int


class StoredUpdate(Value):
    """An update that was accepted: its bytes as they came (M2, M9, M10), and the figures of its header.

    taken_in: the round it was counted in (R13). sha256: of the bytes, where it is known; else empty.
    """

    round_number: int
    device: str
    attempt: int
    blob: bytes
    samples: int
    loss: float
    score: float
    metric: str
    instructions: int
    payload_bytes: int
    taken_in: int
    encoding: str = "blob"
    sha256: bytes = field(default=b"", compare=False)


class StoredVersion(Value):
    """What a round was started from, where that is more than the packed initialisation (M10).

    blob: empty but for the newest. total: bytes of all payloads up to this one.
    """

    rounds_done: int
    sha256: bytes
    blob: bytes
    payload: bytes
    total: int


class RoundRecord(Value):
    """A round that was opened; `metrics` is None until it is closed."""

    round_number: int
    members: tuple[str, ...]
    metrics: Mapping[str, Any] | None


class Totals(Value):
    """Sums over a run. By device, sorted: updates, accepted ones; excluded, those of them left out (R17).

    rejected: messages by reason (docs/reference/protocol.md, P2).
    """

    rounds: int
    bytes_up: int
    bytes_down: int
    updates: Mapping[str, int]
    excluded: Mapping[str, int]
    rejected: Mapping[str, int]

    def after(self, metrics: Mapping[str, Any], devices: Iterable[str]) -> Totals:
        """With another round that was closed with these figures. devices: one for each update that counted in it."""
        return Totals(
            self.rounds + 1,
            self.bytes_up + metrics.get("bytes_up", 0),
            self.bytes_down + metrics.get("bytes_down", 0),
            _summed(self.updates, Counter(devices)),
            _summed(self.excluded, dict.fromkeys(metrics.get("excluded", ()), 1)),
            _summed(self.rejected, metrics.get("rejected", {})),
        )


def _summed(before: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Sorted by name."""
    return {name: before.get(name, 0) + more.get(name, 0) for name in sorted({*before, *more})}
