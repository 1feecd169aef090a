"""The tables of docs/results/benchmarks.md from what was found. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jaragua.experiments.reptile_search.run import Row, Size
from jaragua.experiments.reptile_search.search import EQUAL_POINTS, Learned
from jaragua.report.intervals import mean_interval
from jaragua_bench.batch_reptile import Comparison

_COLUMNS = (
    "task",
    "samples",
    "TinyReptile: work, rate, {metric}",
    "{other}: work, rate, {metric}",
    "points ahead",
    "instructions, TinyReptile",
    "{other}",
    "ratio",
    "RAM, TinyReptile",
    "{other}",
    "ratio",
)
_BAR = 2.0  # at most half


def batch_table(sizes: Sequence[Size]) -> str:
    """TinyReptile beside the cheapest batch Reptile that learns as well."""
    rows = [_row(size, row) for size in sizes if not size.is_selective for row in size.batch_reptile]
    return "\n".join([*_head("batch Reptile", "bar met"), *rows])


def selective_table(sizes: Sequence[Size]) -> str:
    """TinyReptile with loss-threshold skipping beside batch Reptile without it, and with it (B6)."""
    rows = [_row(size, row, _passed_over(row)) for size in sizes if size.is_selective for row in size.batch_reptile]
    return "\n".join([*_head("batch Reptile", "passed over, TinyReptile", "batch Reptile", "both at most half"), *rows])


def accumulation_table(sizes: Sequence[Size]) -> str:
    """TinyReptile beside single passes in steps of few samples that keep nothing."""
    rows = [_row(size, row) for size in sizes for row in size.accumulations]
    return "\n".join([*_head("one pass", "both at most half"), *rows])


def _head(other: str, *more: str) -> Iterator[str]:
    names = [name.format(other=other, metric="accuracy (sine: squared error)") for name in _COLUMNS]
    yield f"| {' | '.join([*names, *more])} |"
    yield "|" + " --- |" * (len(names) + len(more))


def _passed_over(row: Row) -> tuple[str, ...]:
    if row.comparison is None:
        return ("–", "–")
    return tuple(f"{cost.passed_over:.0%}" for cost in (row.comparison.tiny_reptile, row.comparison.batch_reptile))


def _row(size: Size, row: Row, more: Sequence[str] = ()) -> str:
    stream, learned = size.found.stream, row.learned
    ahead = learned.ahead_of(stream)
    cells = [
        size.task.name or size.task.model,
        str(size.samples),
        _learned(size, stream),
        _learned(size, learned),
        f"{ahead.mean:+.1f} ± {ahead.high - ahead.mean:.1f}",
        *(_costs(row.comparison) if row.comparison else ["–"] * 7),
    ]
    if not row.learns_as_well:
        cells[-1] = "none learns as well"
    elif ahead.mean > EQUAL_POINTS:
        cells[-1] += "; it learns better"
    return f"| {' | '.join([*cells[:-1], *more, cells[-1]])} |"


def _rate(learned: Learned) -> str:
    """With a star where a rate outside the grid may have been better."""
    return f"{learned.rate:g}{'*' if learned.at_edge else ''}"


def _learned(size: Size, learned: Learned) -> str:
    return f"{learned.schedule}, {_rate(learned)}: {_score(size, learned)}"


def _score(size: Size, learned: Learned) -> str:
    interval = mean_interval([points * size.task.point for points in learned.points])
    return f"{interval.mean:.3f} ± {interval.high - interval.mean:.3f}"


def _costs(comparison: Comparison) -> list[str]:
    tiny, batch = comparison.tiny_reptile, comparison.batch_reptile
    instructions, ram = batch.instructions / tiny.instructions, batch.ram_bytes / tiny.ram_bytes
    return [
        f"{tiny.instructions:,}",
        f"{batch.instructions:,}",
        f"{instructions:.2f}",
        f"{tiny.ram_bytes:,}",
        f"{batch.ram_bytes:,}",
        f"{ram:.2f}",
        _verdict(instructions, ram),
    ]


def _verdict(instructions: float, ram: float) -> str:
    missed = [name for name, ratio in (("instructions", instructions), ("RAM", ram)) if ratio < _BAR]
    return f"no: {', '.join(missed)}" if missed else "yes"
