"""What the updates of a round say that their devices learned (R5, R12 to R14, R35), as the rows of one matrix. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby, takewhile
from operator import is_
from typing import Final, NamedTuple

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import ARCHITECTURE, Formats
from jaragua.coordinator.weights.row_sums import RowSums, RunningSum, SumsAsked
from jaragua.coordinator.weights.update_check import codec_of
from jaragua.store import StoredUpdate
from jaragua.strategies.aggregation import UpdateMask, UpdateRows, Vector, row_lengths
from jaragua.strategies.stale import staleness_weight
from jaragua_compiler.quantisation.many_blobs import Unpacking

#: So many that NumPy's own time for a call does not matter, and so few that their numbers stay in the cache.
_ROWS_AT_ONCE: Final = 64


class RoundBase(NamedTuple):
    """What the updates of a round are compared with.

    vector: float64 [parameters], the initialisation as it is now. base_of: what a device started from, by round,
    encoding and codec. staleness_exponent: R13. local_layers: R12. sums: of the rounds before.
    """

    vector: Vector
    base_of: Callable[[int, str, ModelCodec], bytes]
    staleness_exponent: float
    local_layers: int
    sums: SumsAsked | None = None


class _Alike(NamedTuple):
    """Updates of one start."""

    codec: ModelCodec
    encoding: str
    round_number: int


def rows_of(
    formats: Formats,
    start: RoundBase,
    number: int,
    updates: Sequence[StoredUpdate],
    early: EarlyRows | None = None,
) -> UpdateRows:
    """The updates that round `number` closes with, in the order of devices (R5), the newest of each (R13).

    updates: sorted by device and age; at least one. early: sums over some of them (R31.8).
    """
    if early is not None and early.has_all(updates):
        return _rows_of_early(early, start, number, updates)
    newest = list({one.device: one for one in updates}.values())
    codecs = [codec_of(formats, one.encoding, one.blob) for one in newest]
    rows = StoredRows(codecs, start, number, newest, early)
    kinds = {(one.encoding, codec.architecture): (one, codec) for one, codec in zip(newest, codecs, strict=True)}
    if len(kinds) == 1 and not codecs[0].held:
        weights: Vector | StoredRows = rows
        update_mask = None
    else:
        coarse, held = _coarse(formats, newest), [codec.held for codec in codecs]
        weights, update_mask = _masked_rows(rows, coarse, held) if any(coarse) or any(held) else (rows, None)
    return UpdateRows([one.device for one in newest], weights, [one.samples for one in newest], update_mask)


def _rows_of_early(early: EarlyRows, start: RoundBase, number: int, updates: Sequence[StoredUpdate]) -> UpdateRows:
    """Of updates that `early` has looked at: the bytes of thousands of them are not read again."""
    rows = StoredRows([early.codec] * len(updates), start, number, updates, early)
    return UpdateRows([one.device for one in updates], rows, [one.samples for one in updates])


def _masked_rows(rows: StoredRows, coarse: Sequence[bool], held: Sequence[int]) -> tuple[Vector, UpdateMask]:
    """R14, R35: all rows, and what of them counts: of coarse devices what they moved, of none what it holds."""
    update_mask = np.ones((len(coarse), rows.parameters), np.bool_)
    for places, learned in rows.learned() if any(coarse) else ():
        update_mask[places] = learned != 0
    update_mask[~np.array(coarse)] = True
    for row, numbers in enumerate(held):
        update_mask[row, :numbers] = False
    return rows.matrix, update_mask


class StoredRows:
    """Rows of weights (strategies.aggregation.LazyRows): what the devices learned, added to the initialisation.

    Rows are made a few at a time, and summed up in their order: a mean has the bits of that of the whole matrix.
    """

    def __init__(
        self,
        codecs: Sequence[ModelCodec],
        start: RoundBase,
        number: int,
        updates: Sequence[StoredUpdate],
        early: EarlyRows | None = None,
    ) -> None:
        """codecs: what reads each update. early: sums over the first of them, if they were made before."""
        self._codecs, self._start, self._number, self._updates = codecs, start, number, updates
        self._early = early
        self._sums: list[tuple[Vector, Vector | None]] = []
        """Factors of the rows, and what `_sum` is for them."""

    @property
    def parameters(self) -> int:
        """Numbers of a row."""
        return len(self._start.vector)

    @cached_property
    def matrix(self) -> Vector:
        """float64 [updates, parameters]."""
        rows = np.empty((len(self._updates), self.parameters))
        for places, some in self._rows():
            rows[places] = some
        return rows

    @cached_property
    def mean(self) -> Vector:
        """Of all rows, float64 [parameters]."""
        if self._start.sums is not None:
            self._start.sums.plain = True
        result: Vector = self._sum(np.ones(len(self._updates))) / len(self._updates)
        return result

    def weighted_mean(self, samples: Vector) -> Vector:
        """Of all rows, each as often as it has samples, float64 [parameters]."""
        if self._start.sums is not None:
            self._start.sums.weighted = True
        result: Vector = self._sum(samples) / samples.sum()
        return result

    def lengths_at_most(self, origin: Vector) -> Vector:
        """Bounds of how far each row is from `origin`, float64 [updates]; close ones if that is the initialisation.

        To make the rows takes longer than to sum them up, so the sums that are asked for are prepared here, too.
        """
        if origin is not self._start.vector:
            return np.concatenate([row_lengths(rows, origin) for _, rows in self._rows()])
        samples = np.array([one.samples for one in self._updates], dtype=np.float64)
        sums, walked = RowSums(origin, self._start.sums), 0
        if self._early is not None and self._early.begins(self._updates):
            sums, walked = self._early.sums, len(self._early.walked)
        for places, learned in self.learned(walked):
            sums.add(learned, samples[places])
        self._sums = [(np.ones(len(samples)), sums.plain), (samples, sums.weighted)]
        return sums.lengths

    def learned(self, first: int = 0, room: Vector | None = None) -> Iterator[tuple[slice, Vector]]:
        """What some devices learned, and which of the updates they are; from that place on all in their order.

        It holds until the next is asked for: all are made in the same memory, or in `room`, float64 [64, parameters].
        """
        if room is None:
            room = np.empty((min(_ROWS_AT_ONCE, len(self._updates)), self.parameters))
        for place, alike, some in self._runs(first):
            base = self._start.base_of(alike.round_number, alike.encoding, alike.codec)
            blobs = [one.blob for one in some]
            how = Unpacking(room, are_good=all(one.sha256 for one in some))  # R31.4
            learned = alike.codec.learned_by_all(alike.encoding, base, blobs, self._start.local_layers, how)
            weight = staleness_weight(self._number - alike.round_number, self._start.staleness_exponent)
            if weight != 1.0:
                learned *= weight
            yield slice(place, place + len(some)), learned

    def _rows(self) -> Iterator[tuple[slice, Vector]]:
        """R13.3: updates as they count for the initialisation as it is now."""
        for places, rows in self.learned():
            rows += self._start.vector
            yield places, rows

    def _sum(self, factors: Vector) -> Vector:
        """Of all rows, each times its factor, added one after the other as NumPy adds the rows of a matrix."""
        if self.parameters == 1:  # NumPy adds a single column pairwise
            only: Vector = (self.matrix * factors[:, None]).sum(axis=0)
            return only
        for known, total in self._sums:
            if total is not None and np.array_equal(known, factors):
                return total
        running = RunningSum()
        with np.errstate(over="ignore", invalid="ignore"):
            for places, rows in self._rows():
                rows *= factors[places, None]
                running.add(rows)
        return np.zeros(self.parameters) if running.total is None else running.total

    def _runs(self, first: int) -> Iterator[tuple[int, _Alike, Sequence[StoredUpdate]]]:
        """Updates that follow one another and started from the same, not too many at once."""
        for alike, run in groupby(zip(self._codecs[first:], self._updates[first:], strict=True), _alike):
            left = [one for _, one in run]
            for begin in range(0, len(left), _ROWS_AT_ONCE):
                some = left[begin : begin + _ROWS_AT_ONCE]
                yield first, _Alike(*alike), some
                first += len(some)


class EarlyRows:
    """R31.8: sums over the first devices of an open round, made while the others are at work.

    order: names of the devices that were given work, sorted. All updates are of one format and of this round; with
    another one among them it gives up. `walked`: the updates that the sums are over.
    """

    def __init__(self, codec: ModelCodec, start: RoundBase, number: int, order: Sequence[str]) -> None:
        self.sums = RowSums(start.vector, start.sums)
        self.walked: list[StoredUpdate] = []
        self.codec, self._start, self._number, self._order = codec, start, number, order
        self._come: dict[str, StoredUpdate] = {}
        self._has_given_up = False

    def add(self, updates: Sequence[StoredUpdate]) -> None:
        """These are stored. What now follows in the order is added to the sums, some rows at a time."""
        for one in updates:
            is_alike = one.encoding == "blob" and one.round_number == self._number and bool(one.sha256)
            if not is_alike or one.blob[ARCHITECTURE] != self.codec.architecture:
                self._has_given_up = True
            self._come[one.device] = one
        while not self._has_given_up and len(some := self._next()) == _ROWS_AT_ONCE:
            samples = np.array([one.samples for one in some], dtype=np.float64)
            rows = StoredRows([self.codec] * len(some), self._start, self._number, some)
            for places, learned in rows.learned(room=self._room):
                self.sums.add(learned, samples[places])
            self.walked += some

    @cached_property
    def _room(self) -> Vector:
        """Of a round: fresh memory for each 64 rows would take a page fault for every 4 KiB of them."""
        return np.empty((_ROWS_AT_ONCE, len(self._start.vector)))

    def has_all(self, updates: Sequence[StoredUpdate]) -> bool:
        """Whether all of these were added, no others, and all are of one format and of this round."""
        if self._has_given_up or len(self._come) != len(updates):
            return False
        return all(map(is_, map(self._come.get, [one.device for one in updates]), updates))

    def begins(self, updates: Sequence[StoredUpdate]) -> bool:
        """Whether the sums are over the first of these: a device that stepped in may stand among them."""
        is_short = len(self.walked) <= len(updates)
        return not self._has_given_up and is_short and all(map(is_, self.walked, updates))

    def _next(self) -> list[StoredUpdate]:
        """Those that follow in the order, as far as they have come."""
        names = self._order[len(self.walked) : len(self.walked) + _ROWS_AT_ONCE]
        found = [self._come.get(name) for name in names]
        return [one for one in takewhile(lambda one: one is not None, found) if one is not None]


def _alike(pair: tuple[ModelCodec, StoredUpdate]) -> tuple[ModelCodec, str, int]:
    codec, one = pair
    return codec, one.encoding, one.round_number


def _coarse(formats: Formats, updates: Sequence[StoredUpdate]) -> list[bool]:
    """R14: whether each is coarser than the finest of them."""
    precisions = [formats.precision(one.encoding, one.blob) for one in updates]
    finest = max(precisions)
    return [one < finest for one in precisions]
