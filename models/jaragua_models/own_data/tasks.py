"""Tasks from labelled samples of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from jaragua_models.base import Features, Samples, Task
from jaragua_models.data.drawing import Drawn, Rows, check_counts, class_names, draw, spread
from jaragua_models.errors import DataError
from jaragua_models.own_data.description import Naming
from jaragua_models.own_data.devices import held_out_names, owner_of
from jaragua_models.own_data.samples import Table, counted, held_out
from jaragua_models.own_data.statistics import DEVIATIONS
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
        pools = self._pools(random, own, ways, shots, queries)
        shares = iter(spread(queries, sum(len(pool) > 0 for pool in pools)))
        return _task(self.table, draw(random, pools, shots, [next(shares) if len(pool) else 0 for pool in pools]))

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
        table = self.table.only(np.flatnonzero(~np.isin(self.table.devices, self.held_out)))
        return replace(self, table=table, held_out=held_out(table.origin, "device", self._training(), (), least=1))

    def training_samples(self) -> Samples:
        """Those of the training devices, by the numbers of their classes."""
        rows = np.flatnonzero(~np.isin(self.table.devices, self.held_out))
        return Samples(self.table.x[rows], self.table.labels[rows])

    def calibration(self) -> Features:
        """Samples of the training devices, evenly spread over them."""
        return _some(self.table.x, np.flatnonzero(~np.isin(self.table.devices, self.held_out)))

    def rows(self) -> Samples:
        """All rows, with the numbers of their classes."""
        return Samples(self.table.x, self.table.labels)

    def check_name(self, device: str) -> None:
        """Raises: DataError if the device is held out, or no row is of it (N4)."""
        owner_of(device, self._training(), self.held_out, self.table.origin)

    def never_train(self) -> frozenset[str]:
        """Names of the devices that are held out (N4)."""
        return held_out_names(self.held_out)

    def _kept(self) -> list[str]:
        """Devices of these rows that are held out. Raises: DataError if there are none."""
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
        count = len(self.table.classes)
        check_counts(self.name, range(count if self.naming == "fixed" else 2, count + 1), ways, shots, queries)
        own = np.flatnonzero(self.table.devices == device)
        by_class = [own[self.table.labels[own] == label] for label in range(count)]
        needed = shots + -(-queries // ways)
        able = [label for label, rows in enumerate(by_class) if len(rows) >= needed]
        least = 2 if self.naming == "fixed" else ways
        if len(able) < least:
            counts = {name: len(rows) for name, rows in zip(self.table.classes, by_class, strict=True)}
            raise _too_few(self.table, f"device {device!r} has", "", counts, needed, least)
        if self.naming == "fixed":
            return [rows if label in able else rows[:0] for label, rows in enumerate(by_class)]
        return [by_class[label] for label in random.choice(able, ways, replace=False)]


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
