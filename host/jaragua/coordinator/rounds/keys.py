"""The keys of assignments and stored updates: those of recent rounds in memory, all others in the database (R20)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from jaragua.store.records import Assignment


class Past(Protocol):
    """What is written down of a run's earlier rounds. Its answers may take a look at the disk."""

    def has_update(self, round_number: int, device: str) -> bool:
        """Whether an update of the device is stored for the round."""
        ...

    def node_of(self, round_number: int, device: str, attempt: int) -> str | None:
        """The node of an assignment, None if there is no such assignment."""
        ...


class Keys:
    """Assignments and stored updates of a run. past: asked of rounds before `oldest`."""

    def __init__(self, oldest: int, past: Past) -> None:
        self._oldest = oldest
        self._past = past
        self._nodes: dict[int, dict[tuple[str, int], str]] = {}
        self._stored: dict[int, set[str]] = {}

    def restore(self, assignments: Iterable[Assignment], stored: Iterable[tuple[int, str]]) -> None:
        """What the database has; rounds before `oldest` stay there."""
        for one in assignments:
            self.assign(one)
        for round_number, device in stored:
            self.store(round_number, device)

    def assign(self, one: Assignment) -> None:
        """A device was given work."""
        if one.round_number >= self._oldest:
            self._nodes.setdefault(one.round_number, {})[one.device, one.attempt] = one.node

    def store(self, round_number: int, device: str) -> None:
        """An update was accepted."""
        if round_number >= self._oldest:
            self._stored.setdefault(round_number, set()).add(device)

    def forget_before(self, oldest: int) -> None:
        """R20: the rounds before that one are closed, and no update of them can count."""
        self._oldest = max(self._oldest, oldest)
        for of_rounds in (self._nodes, self._stored):
            for number in [number for number in of_rounds if number < self._oldest]:
                del of_rounds[number]

    def has_update(self, round_number: int, device: str) -> bool:
        """R4: whether an update of the device is stored for the round."""
        if 1 <= round_number < self._oldest:
            return self._past.has_update(round_number, device)
        return device in self._stored.get(round_number, ())

    def node_of(self, round_number: int, device: str, attempt: int) -> str | None:
        """R4: the node that was given this attempt, None if nobody was."""
        if 1 <= round_number < self._oldest:
            return self._past.node_of(round_number, device, attempt)
        return self._nodes.get(round_number, {}).get((device, attempt))
