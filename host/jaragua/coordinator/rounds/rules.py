"""What is drawn in a run is drawn from the run's seed alone, so that a run can be repeated and resumed (R1, R2).

What R13 says of who is chosen, when a round is full and what is too old stands here too: the simulator asks the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable


def choose(run_seed: int, round_number: int, devices: Iterable[str], count: int) -> list[str]:
    """R1: the `count` devices of a round, all of them if there are fewer; the result is sorted.

    Every device gets a rank from (seed, round, device) alone, and the lowest ranks are taken ("rendezvous hashing"):
    a device that comes or goes changes its own place and nobody else's.
    """
    members = list(dict.fromkeys(devices))  # in their order: names that are sorted are sorted again in no time
    return sorted(members if count >= len(members) else ranking(run_seed, round_number, members)[:count])


def ranking(run_seed: int, round_number: int, devices: Iterable[str]) -> list[str]:
    """Devices in the order in which a round would take them."""
    return sorted(set(devices), key=lambda device: digest("choose", run_seed, round_number, device))


def train_seed(run_seed: int, round_number: int, device: str) -> int:
    """R2: the seed of a device's task in a round, in 0..2^63-1; a later attempt has the same."""
    return int.from_bytes(digest("task", run_seed, round_number, device)[:8], "big") >> 1


def choose_beside(
    run_seed: int, round_number: int, devices: Iterable[str], behind: Collection[str], count: int
) -> list[str]:
    """R13.1: who is given work beside those who still have some, so that `count` devices are at work; sorted.

    Nobody if more are: who was lost and came back works beside who stepped in for it (R7).
    """
    free = [device for device in devices if device not in behind]
    return choose(run_seed, round_number, free, max(0, count - len(behind)))


def updates_that_close(buffer: int, at_work: int) -> int:
    """R13: how many updates a round waits for; buffer 0: for one of each device at work."""
    return min(buffer or at_work, at_work)


def is_too_old(round_number: int, open_round: int, max_staleness: int) -> bool:
    """R13.2: whether what was learned from the start of a round counts no more in the open one."""
    return open_round - round_number > max_staleness


def digest(purpose: str, run_seed: int, round_number: int, device: str) -> bytes:
    """32 bytes as good as random, the same wherever they are asked for; what one purpose draws tells of no other."""
    return hashlib.sha256(f"jaragua {purpose} {run_seed} {round_number} {device}".encode()).digest()
