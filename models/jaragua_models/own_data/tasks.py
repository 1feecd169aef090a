"""Tasks from labelled samples of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from jaragua_models.base import Features, Samples, Task
from jaragua_models.data.calibration import drawn_rows
from jaragua_models.data.drawing import Drawn, Rows, check_counts, class_names, draw, spread
from jaragua_models.errors import DataError
from jaragua_models.own_data import remarks
from jaragua_models.own_data.description import Naming
from jaragua_models.own_data.devices import held_out_names, owner_of
from jaragua_models.own_data.samples import Spans, Table, counted, held_out
from jaragua_models.own_data.statistics import DEVIATIONS
from jaragua_models.own_data.time_split import split_by_time
from jaragua_models.randomness import generator_for

MOST_CALIBRATION_ROWS = 2000


@dataclass(frozen=True)
class DeviceTasks:
    """A device is one of the data's devices: the one its name says, or one its name decides. Some are held out.

    naming "fixed": a label is the class's number, and a task has every class of which the device has samples enough.
    "shuffled": a task has `ways` of them, the label is the place of the class in the task.
    """

    name: str
    table: Table
    held_out: tuple[str, ...]
    naming: Naming

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """A new task of the device's samples; the query set is what is left, the same of each class."""
        return _task(self.table, self._drawn_to_train(device, seed, ways, shots))

    def training_classes(self) -> int:
        """All there are."""
        return len(self.table.classes)

    def train_support_by_class(self, device: str, seed: int, ways: int, shots: int) -> Samples:
        """The support samples of `train_task` with the numbers of their classes."""
        support, _ = self._drawn_to_train(device, seed, ways, shots)
        return Samples(self.table.x[support.rows], self.table.labels[support.rows])

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task of a held-out device; `queries` are spread evenly over its classes."""
        random = generator_for(self.name, "held-out", seed, ways, shots, queries)
        kept = self._kept()
        own = kept[random.integers(len(kept))]
        if self.table.spans is None:
            pools = self._pools(random, own, ways, shots, queries)
            return _task(self.table, draw(random, pools, shots, _shares(queries, pools)))
        before, after = self._pools_by_time(self.table.spans, random, own, ways, shots, queries)
        support, _ = draw(random, before, shots, [0] * len(before))
        _, query = draw(random, after, 0, _shares(queries, after))
        return _task(self.table, (support, query))

    def check_devices(self, devices: Sequence[str], ways: int, shots: int) -> None:
        """Raises: DataError that names a device of the data with too few samples to train."""
        training = self._training()
        random = generator_for(self.name, "check")
        for own in sorted({owner_of(name, training, self.held_out, self.table.origin) for name in devices}):
            self._pools(random, own, ways, shots, 0)

    def owners(self) -> int:
        """The devices of the data that train."""
        return len(self._training())

    def for_validation(self) -> Self:
        """On the training devices alone, one in four of which is held out. Raises: DataError if there is only one."""
        return self._validating(())

    def leaving_out(self, number: int) -> Self:
        """On the training devices alone, one of which is held out (D11). Raises: DataError if there is only one."""
        return self._validating((self._training()[number],))

    def _validating(self, asked: tuple[str, ...]) -> Self:
        self.table.require_rows()
        training = self._training()
        table = self.table.only(np.flatnonzero(np.isin(self.table.devices, training)))
        kept = held_out(table.origin, "device", training, asked, least=1)
        if set(kept) == set(training):
            raise DataError(
                f"{table.origin}: only device {training[0]!r} trains.", "Hold out fewer devices (held_out)."
            )
        return replace(self, table=table, held_out=kept)

    def training_samples(self) -> Samples:
        """Those of the training devices, by the numbers of their classes."""
        rows = np.flatnonzero(~np.isin(self.table.devices, self.held_out))
        return Samples(self.table.x[rows], self.table.labels[rows])

    def calibration(self) -> Features:
        """Of a table rows that follow from its columns (D10); of recordings those of the training devices."""
        if self.table.columns:
            return drawn_rows(self.table.x.shape[1], len(self.table.columns))
        return _some(self.table.x, np.flatnonzero(~np.isin(self.table.devices, self.held_out)))

    def rows(self) -> Samples:
        """All rows, with the numbers of their classes."""
        return Samples(self.table.x, self.table.labels)

    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table, which are scaled."""
        return self.table.columns

    def check_name(self, device: str) -> None:
        """Raises: DataError if the device is held out, or no row is of it (N4)."""
        owner_of(device, self._training(), self.held_out, self.table.origin)

    def never_train(self) -> frozenset[str]:
        """Names of the devices that are held out (N4)."""
        return held_out_names(self.held_out)

    def remarks(self, ways: int, shots: int, training_shots: int, queries: int) -> list[str]:
        """Classes that tasks leave out, and rows without a time."""
        asked = -(-queries // ways)
        kept = {name: self._enough(name, ways, shots, asked) for name in self._kept()}
        training = {name: self._counts(name, ways) for name in self._training()}
        return [
            *remarks.neighbours(self.table),
            *remarks.classes_too_rare(kept, shots + asked, "held-out"),
            *remarks.classes_too_rare(training, training_shots, "training"),
        ]

    def _counts(self, device: str, ways: int) -> dict[str, int]:
        return {
            name: len(rows) for name, rows in zip(self.table.classes, self._by_class(device, ways, 1, 0), strict=True)
        }

    def _enough(self, device: str, ways: int, shots: int, asked: int) -> dict[str, int]:
        """Samples of each class that a held-out task can take, on both sides of the moment of a time split."""
        if self.table.spans is None:
            return self._counts(device, ways)
        sides = split_by_time(self.table.spans, self._by_class(device, ways, shots, asked), shots, asked)
        counts = (min(len(first), shots) + min(len(last), asked) for first, last in zip(*sides, strict=True))
        return dict(zip(self.table.classes, counts, strict=True))

    def _kept(self) -> list[str]:
        """Devices of these rows that are held out. Raises: DataError if there are none."""
        self.table.require_rows()
        kept = [name for name in np.unique(self.table.devices).tolist() if name in self.held_out]
        if not kept:
            message = f"{self.table.origin}: no row is of a held-out device ({', '.join(self.held_out)})."
            raise DataError(message, f"Hold out others: there are {', '.join(self._training()[:8])}.")
        return kept

    def _training(self) -> list[str]:
        return [name for name in np.unique(self.table.devices).tolist() if name not in self.held_out]

    def _drawn_to_train(self, device: str, seed: int, ways: int, shots: int) -> tuple[Drawn, Drawn]:
        """Support and query of a training task."""
        own = owner_of(device, self._training(), self.held_out, self.table.origin)
        random = generator_for(self.name, "train", device, seed, ways, shots)
        pools = self._pools(random, own, ways, shots, 0)
        left = min(len(pool) for pool in pools if len(pool)) - shots
        return draw(random, pools, shots, [left if len(pool) else 0 for pool in pools])

    def _pools(self, random: np.random.Generator, device: str, ways: int, shots: int, queries: int) -> list[Rows]:
        """Rows by label; of a class with too few none."""
        by_class, needed = self._by_class(device, ways, shots, queries), shots + -(-queries // ways)
        able = [label for label, rows in enumerate(by_class) if len(rows) >= needed]
        self._check_enough(device, [len(rows) for rows in by_class], able, needed, ways)
        return _pools_of(self._labels(random, able, ways), by_class)

    def _pools_by_time(
        self, spans: Spans, random: np.random.Generator, device: str, ways: int, shots: int, queries: int
    ) -> tuple[list[Rows], list[Rows]]:
        """Rows for support and for queries by label; of a class with too few on one side none."""
        by_class, asked = self._by_class(device, ways, shots, queries), -(-queries // ways)
        before, after = split_by_time(spans, by_class, shots, asked)
        sides = list(zip(before, after, strict=True))
        able = [label for label, (first, last) in enumerate(sides) if len(first) >= shots and len(last) >= asked]
        counts = [min(len(first), shots) + min(len(last), asked) for first, last in sides]
        self._check_enough(device, counts, able, shots + asked, ways)
        labels = self._labels(random, able, ways)
        return _pools_of(labels, before), _pools_of(labels, after)

    def _by_class(self, device: str, ways: int, shots: int, queries: int) -> list[Rows]:
        """All rows of a device, by class."""
        count = len(self.table.classes)
        check_counts(self.name, range(count if self.naming == "fixed" else 2, count + 1), ways, shots, queries)
        own = np.flatnonzero(self.table.devices == device)
        return [own[self.table.labels[own] == label] for label in range(count)]

    def _check_enough(self, device: str, counts: Sequence[int], able: Sequence[int], needed: int, ways: int) -> None:
        least = 2 if self.naming == "fixed" else ways
        if len(able) < least:
            named = dict(zip(self.table.classes, counts, strict=True))
            has = f"device {device!r} has" + (" in its two parts of time" if self.table.spans is not None else "")
            raise _too_few(self.table, has, "", named, needed, least)

    def _labels(self, random: np.random.Generator, able: list[int], ways: int) -> list[int | None]:
        """The class of each label of a task; None for one that it lacks."""
        if self.naming == "fixed":
            return [label if label in able else None for label in range(len(self.table.classes))]
        return [int(label) for label in random.choice(able, ways, replace=False)]


@dataclass(frozen=True)
class ClassTasks:
    """Samples without devices: every task has `ways` classes at random; some classes are held out."""

    name: str
    table: Table
    held_out: tuple[str, ...]

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """A new task of training classes; the query set is what is left, the same of each class."""
        return _task(self.table, self._drawn_to_train(device, seed, ways, shots))

    def training_classes(self) -> int:
        """Those that are not held out."""
        return len(self._classes(held_out=False))

    def train_support_by_class(self, device: str, seed: int, ways: int, shots: int) -> Samples:
        """The support samples of `train_task`, a label being the place of the class among those that train."""
        support, _ = self._drawn_to_train(device, seed, ways, shots)
        labels = np.searchsorted(self._classes(held_out=False), self.table.labels[support.rows])
        return Samples(self.table.x[support.rows], labels)

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task of classes never trained on; `queries` are spread evenly over them."""
        random = generator_for(self.name, "held-out", seed, ways, shots, queries)
        pools = self._pools(random, True, ways, shots, queries)
        return _task(self.table, draw(random, pools, shots, spread(queries, ways)))

    def calibration(self) -> Features:
        """Samples of the training classes, evenly spread over them."""
        kept = [label for label, name in enumerate(self.table.classes) if name in self.held_out]
        return _some(self.table.x, np.flatnonzero(~np.isin(self.table.labels, kept)))

    def for_validation(self) -> Self:
        """On the training classes alone, one in four of which is held out. Raises: DataError if there are too few."""
        table = self.table.only(np.flatnonzero(np.isin(self.table.labels, self._classes(held_out=False))))
        names = [self.table.classes[label] for label in self._classes(held_out=False)]
        labels = np.searchsorted(self._classes(held_out=False), table.labels)
        table = replace(table, labels=labels, classes=tuple(names))
        return replace(self, table=table, held_out=held_out(table.origin, "class", names, (), least=2))

    def remarks(self, ways: int, shots: int, training_shots: int, queries: int) -> list[str]:
        """Classes that are never asked."""
        needed = {True: shots + -(-queries // ways), False: training_shots}
        counts = {name: int(np.sum(self.table.labels == label)) for label, name in enumerate(self.table.classes)}
        sides = ({n: c for n, c in counts.items() if (n in self.held_out) == side} for side in needed)
        return [
            one for side, found in zip(needed, sides, strict=True) for one in remarks.rare_images(found, needed[side])
        ]

    def rows(self) -> Samples:
        """All images, with the numbers of their classes."""
        return Samples(self.table.x, self.table.labels)

    def _drawn_to_train(self, device: str, seed: int, ways: int, shots: int) -> tuple[Drawn, Drawn]:
        """Support and query of a training task."""
        random = generator_for(self.name, "train", device, seed, ways, shots)
        pools = self._pools(random, False, ways, shots, 0)
        left = min(len(pool) for pool in pools) - shots
        return draw(random, pools, shots, [left] * ways)

    def _classes(self, held_out: bool) -> list[int]:
        """Numbers of the classes of one side, in order."""
        return [label for label, name in enumerate(self.table.classes) if (name in self.held_out) == held_out]

    def _pools(self, random: np.random.Generator, held_out: bool, ways: int, shots: int, queries: int) -> list[Rows]:
        labels = self._classes(held_out)
        check_counts(self.name, range(2, max(2, len(labels)) + 1), ways, shots, queries)
        needed = shots + -(-queries // ways)
        pools = [np.flatnonzero(self.table.labels == label) for label in labels]
        able = [rows for rows in pools if len(rows) >= needed]
        if len(able) < ways:
            counts = {self.table.classes[label]: len(rows) for label, rows in zip(labels, pools, strict=True)}
            verb, side = "there is" if len(able) == 1 else "there are", "held-out " if held_out else "training "
            raise _too_few(self.table, verb, side, counts, needed, ways)
        return [able[place] for place in random.choice(len(able), ways, replace=False)]


def _pools_of(labels: Sequence[int | None], by_class: Sequence[Rows]) -> list[Rows]:
    """Rows by label."""
    return [by_class[0][:0] if label is None else by_class[label] for label in labels]


def _shares(queries: int, pools: Sequence[Rows]) -> list[int]:
    """Queries of each label, spread evenly over those that have rows."""
    shares = iter(spread(queries, sum(len(pool) > 0 for pool in pools)))
    return [next(shares) if len(pool) else 0 for pool in pools]


def standardised(table: Table, training: Rows) -> Features:
    """Columns less their mean, by four standard deviations, both over the training rows; clipped to -1..1.

    For columns that integers of 32 bits cannot hold (I1): numbers that change little, or below 1e-19.
    """
    with np.errstate(under="ignore", over="ignore"):
        reach = np.ptp(table.x[training], axis=0)
        x = (table.x - table.x[training[0]]) / np.where(reach > 0, reach, 1)
        mean, deviation = x[training].mean(axis=0), x[training].std(axis=0)
        scale = DEVIATIONS * np.where(deviation > 0, deviation, 1)
        standard: Features = np.clip((x - mean) / scale, -1, 1).astype(np.float32)
    return standard


def _task(table: Table, drawn: tuple[Drawn, Drawn]) -> Task:
    support, query = (Samples(table.x[part.rows], part.labels) for part in drawn)
    rows = drawn[0].rows
    classes = class_names(drawn[0], [table.classes[label] for label in table.labels[rows]])
    return Task(support, query, str(table.devices[rows[0]]) if len(rows) else "", classes)


def _some(x: Features, rows: Rows) -> Features:
    step = -(-len(rows) // MOST_CALIBRATION_ROWS)
    some: Features = x[rows[::step]]
    return some


def _too_few(table: Table, has: str, side: str, counts: Mapping[str, int], needed: int, least: int) -> DataError:
    """has: who has them; counts: of the classes the samples there are."""
    able = counted(sum(count >= needed for count in counts.values()), f"{side}class", f"{side}classes")
    lacking, most = max(((name, count) for name, count in counts.items() if count < needed), key=lambda pair: pair[1])
    return DataError(
        f"{table.origin}: {has} {able} with {needed} samples (shots and queries), and a task takes {least}: of"
        f" {lacking!r} there {'is' if most == 1 else 'are'} {most}.",
        "Set fewer shots, queries or ways, or add samples.",
    )
