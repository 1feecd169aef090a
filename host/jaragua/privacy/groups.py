"""A round that is several secure sums (U12): of each group of its devices one, which the coordinator adds up. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from jaragua.privacy.errors import SecureError
from jaragua.privacy.exchange import Action, Complete, Exchange, Keep, Kept, TooFew
from jaragua.privacy.lists import Roster, threshold_of
from jaragua.privacy.secrets import Key
from jaragua.privacy.words import WordLayout

#: U12.1: of `privacy.group`. A group has half of it at least, and a sum three devices.
LEAST_GROUP: Final = 6
#: In `Kept.device`, before the number of a group; no name of a device begins with it.
_MARK: Final = "/"
_EXCLUDED: Final = "excluded"


def groups_of(devices: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Devices, sorted, in as few groups of at most `most` as hold them, of sizes that differ by one; 0: in one."""
    count = -(-len(devices) // most) if most else 1
    ends = [len(devices) * number // count for number in range(count + 1)]
    return [tuple(devices[begin:end]) for begin, end in pairwise(ends)]


class GroupedExchange:
    """The exchanges of all groups of a round, with the methods of one.

    `Complete` has the sum of all groups, and comes once all are over. A group that has too few answers is left out,
    as if its devices had dropped out, while enough devices are in others (U12.3).
    """

    def __init__(
        self, key: Key, rosters: Sequence[Roster], layout: WordLayout, deadline_ms: int, kept: Sequence[Kept] = ()
    ) -> None:
        """As `Exchange`; rosters: of the groups, in the order of names."""
        self._key, self._rosters = key, rosters
        self._place = {device: place for place, roster in enumerate(rosters) for device in roster.devices}
        self._excluded = {_number(one.device) for one in kept if one.stage == _EXCLUDED}
        self._exchanges = [
            Exchange(key, roster, layout, deadline_ms, list(self._of_group(place, kept)))
            for place, roster in enumerate(rosters)
        ]
        self._found: dict[int, Complete] = {}
        self.is_over = False

    @property
    def round(self) -> int:
        """Of the sums."""
        return self._key.round

    @property
    def missing(self) -> tuple[str, ...]:
        """Devices that have not answered."""
        return tuple(device for _, one in self._open() for device in one.missing)

    def start(self, now_ms: int) -> list[Action]:
        """See `Exchange`."""
        return self._through(lambda one: one.start(now_ms))

    def answer(self, device: str, stage: str, content: bytes, now_ms: int) -> list[Action]:
        """See `Exchange`. Raises: SecureError."""
        place = self._place.get(device)
        if place is None:
            raise SecureError(f"nobody asked {device} for {stage} now")
        if place in self._excluded:
            return []
        return self._of(place, self._exchanges[place].answer(device, stage, content, now_ms))

    def connected(self, device: str) -> list[Action]:
        """See `Exchange`."""
        place = self._place.get(device)
        return [] if place is None or place in self._excluded else self._exchanges[place].connected(device)

    def next_tick_ms(self) -> int:
        """See `Exchange`."""
        return min(one.next_tick_ms() for _, one in self._open())

    def tick(self, now_ms: int) -> list[Action]:
        """See `Exchange`."""
        return self._through(lambda one: one.tick(now_ms))

    # ---- inside ----

    def _open(self) -> Iterator[tuple[int, Exchange]]:
        """Groups whose sums are being made."""
        for place, one in enumerate(self._exchanges):
            if place not in self._excluded and not one.is_over:
                yield place, one

    def _through(self, what: Callable[[Exchange], list[Action]]) -> list[Action]:
        actions: list[Action] = []
        for place, one in list(self._open()):
            actions += self._of(place, what(one))
        return actions

    def _of(self, place: int, actions: Sequence[Action]) -> list[Action]:
        """What a group's exchange asks for, as actions of the round."""
        found: list[Action] = []
        for action in actions:
            match action:
                case Keep(Kept(stage, "", content)):
                    found.append(Keep(Kept(stage, self._mark(place), content)))
                case Complete():
                    self._found[place] = action
                case TooFew() if self._can_do_without(place):
                    self._excluded.add(place)
                    found.append(Keep(Kept(_EXCLUDED, self._mark(place), b"")))
                case _:
                    found.append(action)
        if not self.is_over and next(self._open(), None) is None:
            self.is_over = True
            found.append(self._complete())
        return found

    def _can_do_without(self, place: int) -> bool:
        """U12.3."""
        counts = [0 if number in {*self._excluded, place} else len(one) for number, one in enumerate(self._rosters)]
        return sum(counts) >= threshold_of(sum(map(len, self._rosters)))

    def _complete(self) -> Complete:
        parts = [self._found[place] for place in sorted(self._found)]
        total = sum((one.total for one in parts[1:]), start=parts[0].total)
        survivors = sorted(device for one in parts for device in one.survivors)
        return Complete(total, tuple(survivors), tuple(device for one in parts for device in one.liars))

    def _mark(self, place: int) -> str:
        """In the place of a device, where a row is of a whole group; "" if there is one group."""
        return f"{_MARK}{place}" if len(self._rosters) > 1 else ""

    def _of_group(self, place: int, kept: Iterable[Kept]) -> Iterator[Kept]:
        """Rows of a group, as its exchange wrote them."""
        for one in kept:
            if one.stage != _EXCLUDED and one.device == self._mark(place):
                yield Kept(one.stage, "", one.content)
            elif self._place.get(one.device) == place:
                yield one


def _number(mark: str) -> int:
    return int(mark.removeprefix(_MARK))
