"""Presence in a room from what one sensor node measures: temperature, light, sound.

Split by time: the first days train, a new task adapts on later ones and is evaluated on later ones still. Labels mean
the same in every task; what differs is the place of the node and the day.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

import numpy as np

from jaragua_models.base import Features, Samples, Task
from jaragua_models.data.drawing import Drawn, Rows, check_counts, draw, spread
from jaragua_models.errors import DataError, ModelError
from jaragua_models.presence import readings
from jaragua_models.randomness import generator_for, own_of

Label: TypeAlias = Literal["presence", "count"]

TRAINING_QUERIES = 25
"""Query samples of each class in a training task."""


@dataclass(frozen=True)
class PresenceTasks:
    """Tasks in 3 features -1..1 of one node. Support and query have as many rows of each class, so that the accuracy on
    the query set is the balanced accuracy; `natural` gives all rows as they came, for the F1 of everyday life.

    label: "presence" (0 nobody, 1 somebody; two ways) or "count" (0..3 people; four ways, of which the held-out days
    never have exactly one person: held-out tasks lack that class). held_out_node: a node that never trains and that
    all held-out tasks are about, instead of held-out days of all nodes. stretches: which days are which.
    """

    label: Label = "presence"
    held_out_node: str | None = None
    stretches: readings.Stretches = readings.PUBLISHED

    def __post_init__(self) -> None:
        if self.label not in ("presence", "count"):
            raise ModelError(f"Presence has no label {self.label!r}.", "Use one of: presence, count.")
        if self.held_out_node not in (None, *readings.NODES):
            raise ModelError(
                f"There is no node {self.held_out_node!r} to hold out.", f"Use one of: {', '.join(readings.NODES)}."
            )

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """Rows of the training days of the device's node: the one its name says, or one its name decides."""
        self._check_ways(ways, shots)
        random = generator_for("presence", "train", self.label, device, seed, shots)
        rows = readings.load().rows(None, self.stretches.training_end)
        pools = self._by_class(rows)
        _check_rows(pools, shots + TRAINING_QUERIES)
        node = self._own_node(device)
        support, query = draw(random, pools, shots, [TRAINING_QUERIES] * ways)
        return Task(_samples(node, support), _samples(node, query), node, self._classes())

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A node on later days: support from before SUPPORT_END, queries from after QUERY_START."""
        return self._held_out(seed, ways, shots, queries)[1]

    def natural_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """The support set of that held-out task, and all query rows of its node as they came."""
        node, task = self._held_out(seed, ways, shots, queries)
        return Task(task.support, self.natural(node), node, self._classes())

    def _held_out(self, seed: int, ways: int, shots: int, queries: int) -> tuple[str, Task]:
        """The node, and its task."""
        self._check_ways(ways, shots, queries)
        random = generator_for("presence", "held-out", self.label, seed, shots, queries)
        nodes = [self.held_out_node] if self.held_out_node else list(readings.NODES)
        node = nodes[random.integers(len(nodes))]
        data = readings.load()
        before = self._by_class(data.rows(self.stretches.training_end, self.stretches.support_end))
        after = self._by_class(data.rows(self.stretches.query_start, self.stretches.end))
        present = [label for label in range(ways) if len(before[label]) and len(after[label])]
        share = dict(zip(present, spread(queries, len(present)), strict=True))
        _check_rows([before[label] for label in present], shots)
        _check_rows([after[label] for label in present], max(share.values()))
        support, _ = draw(
            random, [rows if label in share else rows[:0] for label, rows in enumerate(before)], shots, [0] * ways
        )
        _, query = draw(random, after, 0, [share.get(label, 0) for label in range(ways)])
        return node, Task(_samples(node, support), _samples(node, query), node, self._classes())

    def natural(self, node: str) -> Samples:
        """All held-out query rows of a node, in order of time, as unbalanced as they are."""
        rows = readings.load().rows(self.stretches.query_start, self.stretches.end)
        return _samples(node, Drawn(rows, self._labels(rows)))

    def owners(self) -> int:
        """The nodes that train."""
        return len(self._training_nodes())

    def for_validation(self) -> Self:
        """On the training days alone."""
        return replace(self, stretches=readings.VALIDATION)

    def training_samples(self) -> Samples:
        """All training rows of all nodes that train."""
        rows = readings.load().rows(None, self.stretches.training_end)
        parts = [_samples(node, Drawn(rows, self._labels(rows))) for node in self._training_nodes()]
        return Samples(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))

    def calibration(self) -> Features:
        """All training rows of all nodes that train."""
        rows = readings.load().rows(None, self.stretches.training_end)
        values = [readings.load().values[rows, readings.NODES.index(node)] for node in self._training_nodes()]
        return readings.features(np.concatenate(values))

    def _training_nodes(self) -> list[str]:
        return [node for node in readings.NODES if node != self.held_out_node]

    def _own_node(self, device: str) -> str:
        return own_of(device, self._training_nodes(), "presence", "node")

    def _classes(self) -> tuple[str, ...]:
        return ("empty", "occupied") if self.label == "presence" else tuple(f"{count} people" for count in range(4))

    def _labels(self, rows: Rows) -> Rows:
        people = readings.load().people[rows]
        return people if self.label == "count" else (people > 0).astype(np.int64)

    def _by_class(self, rows: Rows) -> list[Rows]:
        labels = self._labels(rows)
        return [rows[labels == label] for label in range(self._ways)]

    @property
    def _ways(self) -> int:
        return readings.MOST_PEOPLE + 1 if self.label == "count" else 2

    def _check_ways(self, ways: int, shots: int, queries: int = 0) -> None:
        if ways != self._ways:
            raise DataError(
                f"A task of 'presence' (label {self.label!r}) has {self._ways} ways, not {ways}.",
                f"Set ways to {self._ways}.",
            )
        check_counts("presence", range(ways, ways + 1), ways, shots, queries)


def _samples(node: str, drawn: Drawn) -> Samples:
    values = readings.load().values[drawn.rows, readings.NODES.index(node)]
    return Samples(readings.features(values), drawn.labels)


def _check_rows(pools: list[Rows], wanted: int) -> None:
    least = min(len(pool) for pool in pools)
    if wanted > least:
        raise DataError(
            f"{wanted} rows of one class are more than the {least} there are.", "Set fewer shots or queries."
        )
