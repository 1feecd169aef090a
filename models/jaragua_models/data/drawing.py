"""Draw a few-shot task from rows of a table, the same way for every data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jaragua_models.errors import DataError

Rows = NDArray[np.int64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Drawn:
    """Rows of one set of samples and their labels in the task, in the order in which they are met."""

    rows: Rows
    labels: Labels


def draw(random: np.random.Generator, pools: Sequence[Rows], shots: int, queries: Sequence[int]) -> tuple[Drawn, Drawn]:
    """Support and query: label j takes `shots` and `queries[j]` different rows of `pools[j]`, shuffled."""
    own = [random.permutation(pool) for pool in pools]
    support = [rows[:shots] for rows in own]
    query = [rows[shots : shots + count] for rows, count in zip(own, queries, strict=True)]
    return shuffled(random, support), shuffled(random, query)


def shuffled(random: np.random.Generator, by_label: Sequence[Rows]) -> Drawn:
    """All rows in random order with the place in the list as their label."""
    labels = np.concatenate([np.full(len(rows), label, dtype=np.int64) for label, rows in enumerate(by_label)])
    order = random.permutation(len(labels))
    return Drawn(np.concatenate(list(by_label))[order], labels[order])


def class_names(drawn: Drawn, names: Sequence[str]) -> tuple[str, ...]:
    """What each label of a set of samples means, "" for one that no sample has. names: of the class of each sample."""
    found = [""] * (int(drawn.labels.max(initial=-1)) + 1)
    for label, name in zip(drawn.labels.tolist(), names, strict=True):
        found[label] = str(name)
    return tuple(found)


def spread(total: int, parts: int) -> list[int]:
    """`total` in `parts` whole numbers that differ by one at most."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def check_counts(model: str, ways: range, asked: int, shots: int, queries: int = 0) -> None:
    """Raises: DataError if a task of `model` cannot have so many ways, shots or queries."""
    if asked not in ways:
        possible = f"{ways[0]}" if len(ways) == 1 else f"{ways[0]} to {ways[-1]}"
        raise DataError(f"A task of {model!r} has {possible} ways, not {asked}.", f"Give {possible} ways.")
    if shots < 1 or queries < 0:
        raise DataError(
            f"A task of {model!r} needs at least 1 shot and no fewer than 0 queries, not {shots} and {queries}.",
            "Set shots to 1 or more and queries to 0 or more.",
        )


def group(keys: NDArray[np.str_] | Labels, rows: Rows) -> Mapping[str, Rows]:
    """Groups `rows` by the value of `keys` (one key per row of the whole table), by the value's text."""
    own = keys[rows]
    return {str(value): rows[own == value] for value in np.unique(own)}
