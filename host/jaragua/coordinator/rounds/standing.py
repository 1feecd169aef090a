"""R15: devices that are given work and stay silent hold no round up, and strangers no run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jaragua.coordinator.rounds import rules


@dataclass(frozen=True)
class Choice:
    """Devices that train in a round, both sorted. beside: asked, but the round does not wait for them."""

    waited_for: tuple[str, ...]
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A round that is to be filled."""

    seed: int
    round_number: int
    clients: int
    quorum: int


class Standing:
    """What is known of devices in a run: who delivered an update, and who let a deadline pass since.

    While a silent device has never delivered anything, every other that has not is on probation, too: it may be
    another invention of the same stranger.
    """

    def __init__(self, proven: Iterable[str] = (), silent: Iterable[str] = ()) -> None:
        self._proven = set(proven)
        self._silent = set(silent)
        self._strangers = self._silent - self._proven

    @property
    def silent(self) -> list[str]:
        """Devices whose last part passed a deadline, sorted."""
        return sorted(self._silent)

    def delivered(self, device: str) -> None:
        """An update of the device was stored."""
        self._proven.add(device)
        self._silent.discard(device)
        self._strangers.discard(device)

    def missed(self, devices: Iterable[str]) -> None:
        """They were there, and a deadline passed without an update."""
        self._silent.update(devices)
        self._strangers = self._silent - self._proven

    def is_trusted(self, device: str) -> bool:
        """Whether a round waits for the device."""
        return device not in self._silent and (device in self._proven or not self._strangers)

    def is_stranger(self, device: str) -> bool:
        """Whether the device let a deadline pass and never delivered anything."""
        return device in self._strangers

    def in_order(self, seed: int, round_number: int, devices: Iterable[str]) -> list[str]:
        """The order in which devices step in: by what is known of them, then by rank (R1)."""
        return sorted(rules.ranking(seed, round_number, devices), key=self._preference)

    def choose(self, place: Place, members: Collection[str], behind: Collection[str]) -> Choice:
        """R1 among the trusted; the others step in for a quorum, else some are asked beside. behind: R13, at work."""
        is_plain = not self._silent and not self._strangers
        trusted = list(members) if is_plain else [device for device in members if self.is_trusted(device)]
        seed, number = place.seed, place.round_number
        chosen = rules.choose_beside(seed, number, trusted, behind, place.clients)
        known = () if is_plain else members
        others = [device for device in known if not self.is_trusted(device) and device not in behind]
        waiting = self.in_order(seed, number, others)
        if len(chosen) + len(behind) < place.quorum:
            chosen = chosen + waiting[: max(0, place.clients - len(chosen) - len(behind))]
            return Choice(tuple(sorted(chosen)), ())
        beside = max(1, place.clients // 2, place.clients - len(chosen) - len(behind))
        return Choice(tuple(chosen), tuple(sorted(waiting[:beside])))

    def _preference(self, device: str) -> int:
        """0: trusted; then silent but proven, never asked, never answered."""
        if self.is_trusted(device):
            return 0
        if device in self._proven:
            return 1
        return 3 if device in self._silent else 2
