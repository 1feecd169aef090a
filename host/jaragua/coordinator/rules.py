"""What is drawn in a run is drawn from the run's seed alone, so that a run can be repeated and resumed (R1, R2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def choose(run_seed: int, round_number: int, devices: Iterable[str], count: int) -> list[str]:
    """R1: the `count` devices of a round, all of them if there are fewer; the result is sorted.

    Every device gets a rank from (seed, round, device) alone, and the lowest ranks are taken ("rendezvous hashing"):
    a device that comes or goes changes its own place and nobody else's.
    """
    members = set(devices)
    return sorted(members if count >= len(members) else ranking(run_seed, round_number, members)[:count])


def ranking(run_seed: int, round_number: int, devices: Iterable[str]) -> list[str]:
    """Devices in the order in which a round would take them."""
    return sorted(set(devices), key=lambda device: _digest("choose", run_seed, round_number, device))


def train_seed(run_seed: int, round_number: int, device: str) -> int:
    """R2: the seed of a device's task in a round, in 0..2^63-1; a later attempt has the same."""
    return int.from_bytes(_digest("task", run_seed, round_number, device)[:8], "big") >> 1


def _digest(purpose: str, run_seed: int, round_number: int, device: str) -> bytes:
    return hashlib.sha256(f"jaragua {purpose} {run_seed} {round_number} {device}".encode()).digest()
