"""Sections about held-out tasks: before and after adaptation, other methods, classes, devices, confusions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from jaragua.report.classification import NO_CLASS
from jaragua.report.details import METRIC, RunDetails
from jaragua.report.intervals import mean_interval, paired_interval
from jaragua.report.page import charts
from jaragua.report.page.model import Cell, Chart, Section, Table, rows
from jaragua.report.page.values import (
    UNKNOWN,
    count,
    figure,
    half_width,
    number,
    numbers,
    sequence,
    spread,
    table,
    text,
)

_NOT_EVALUATED: Final = (
    "No held-out tasks were evaluated. `jaragua evaluate RUN` has the devices of a fleet adapt to some, "
    "and a simulation of the same file always does."
)
_NO_ANSWERS: Final = "No answers by class are known: devices report them for tasks with 2 to 64 named classes (M30)."


def sections(run: RunDetails) -> Iterator[Section]:
    """All of them; what is not known is said."""
    held = run.held_out
    metric = text(held.get(METRIC) or "")
    yield _adaptation(held, metric)
    yield _devices(run, metric)
    yield _classes(run)


def paired(names: Sequence[str], runs: Sequence[RunDetails]) -> list[str]:
    """How much better each later run is than the first, task by task, where both have the same tasks."""
    first, told = runs[0], []
    scores = numbers(first.held_out.get("scores"))
    for name, run in zip(names[1:], runs[1:], strict=True):
        others = numbers(run.held_out.get("scores"))
        alike = first.summary.get("model") == run.summary.get("model") and _evaluation(first) == _evaluation(run)
        if not alike or len(scores) != len(others) or len(scores) < 2 or "simulation" not in (first.kind, run.kind):
            continue
        gap = paired_interval(others, scores)
        told.append(
            f"{name} less {names[0]}, task by task: {gap.mean:+.4f} (95 % interval {gap.low:+.4f} to {gap.high:+.4f})."
        )
    return told


def _evaluation(run: RunDetails) -> Any:
    """What draws the held-out tasks."""
    client, wanted = table(run.settings.get("client")), table(run.settings.get("evaluation"))
    return (
        run.kind,
        client.get("ways"),
        client.get("shots"),
        wanted.get("ways"),
        wanted.get("shots"),
        wanted.get("queries"),
    )


# ---- before and after ----


def _adaptation(held: Mapping[str, Any], metric: str) -> Section:
    if not held.get("after"):
        return Section("Adaptation of new devices", "adaptation", (_NOT_EVALUATED,))
    told = f"{count(held.get('tasks'))} held-out tasks, {metric} on their query samples. Intervals are 95 % intervals."
    lines = [
        ("before adaptation", spread(held.get("before"), metric)),
        ("after adaptation", spread(held["after"], metric)),
    ]
    if random := numbers(held.get("from_random")):
        lines.append(("after the same from random weights", spread(_means(random), metric)))
    compared = table(held.get("comparison"))
    tables = [Table("New devices", (("when", False), (metric, True)), rows(*lines))]
    if methods := [table(one) for one in sequence(compared.get("methods"))]:
        tables.append(_methods(methods, metric))
    if missing := [text(one) for one in sequence(compared.get("missing"))]:
        told += " " + " ".join(f"{one}." for one in missing)
    return Section(
        "Adaptation of new devices", "adaptation", (told,), tuple(_charts(held, metric, methods)), tuple(tables)
    )


def _means(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return {"mean": values[0], "ci95": 0.0}
    found = mean_interval(values)
    return {"mean": found.mean, "ci95": found.high - found.mean}


def _methods(methods: Sequence[Mapping[str, Any]], metric: str) -> Table:
    headings = (("method", False), (metric, True), ("balanced accuracy", True), ("F1", True), ("tasks", True))
    body = (
        (
            text(one.get("name")),
            spread(one.get("score"), metric),
            _known(one.get("balanced_accuracy")),
            _known(one.get("f1")),
            count(one.get("tasks")),
        )
        for one in methods
    )
    return Table("Simple methods on the same tasks", headings, rows(*body))


def _known(means: object) -> str:
    """Of a method whose answers are not known, nothing."""
    return spread(means, "accuracy") if means else "-"


def _charts(held: Mapping[str, Any], metric: str, methods: Sequence[Mapping[str, Any]]) -> Iterator[Chart]:
    percent = metric == "accuracy"
    if points := [table(one) for one in sequence(held.get("curve"))]:
        axis = charts.Axis(f"{metric} of new devices by rounds of training", "rounds", metric, percent)
        yield charts.lines(axis, [_curve(points, "before"), _curve(points, "after")])
    known = [one for one in methods if number(table(one.get("score")).get("mean")) is not None]
    if known:
        axis = charts.Axis(f"{metric} after adaptation, by method", metric, "", percent)
        bars = [_bar(text(one.get("name")), table(one.get("score"))) for one in known]
        yield charts.bars(axis, (metric,), bars)


def _bar(name: str, means: Mapping[str, Any]) -> charts.Bar:
    return charts.Bar(name, (number(means.get("mean")),), (half_width(means.get("ci95")) or 0.0,))


def _curve(points: Sequence[Mapping[str, Any]], when: str) -> charts.Line:
    found = [
        (rounds, mean, half_width(table(one.get(when)).get("ci95")) or 0.0)
        for one in points
        if (rounds := number(one.get("rounds"))) is not None
        and (mean := number(table(one.get(when)).get("mean"))) is not None
    ]
    x, y = [one[0] for one in found], [one[1] for one in found]
    return charts.Line(
        f"{when} adaptation", x, y, [one[1] - one[2] for one in found], [one[1] + one[2] for one in found]
    )


# ---- devices ----


def _devices(run: RunDetails, metric: str) -> Section:
    title, anchor = "Devices", "devices"
    tables, drawn = [], []
    if found := per_device(run.held_out):
        headings = (("device", False), ("tasks", True), ("before adaptation", True), ("after adaptation", True))
        body = ((name, str(tasks), figure(one, metric), figure(two, metric)) for name, tasks, one, two in found)
        tables.append(Table(f"{metric} on each device's held-out tasks", headings, rows(*body)))
        axis = charts.Axis(f"{metric} by device", metric, "", metric == "accuracy")
        bars = [charts.Bar(name, (one, two)) for name, _, one, two in found[:40]]
        drawn.append(charts.bars(axis, ("before adaptation", "after adaptation"), bars))
    if trained := _trained(run):
        tables.append(trained)
    if not tables:
        return Section(title, anchor, ("The held-out tasks of this model belong to no device.",))
    told = () if found else (_NOT_EVALUATED if not run.held_out else "The held-out tasks belong to no device.",)
    return Section(title, anchor, told, tuple(drawn), tuple(tables))


def per_device(held: Mapping[str, Any]) -> list[tuple[str, int, float | None, float | None]]:
    """Name, number of tasks, means before and after; sorted by name."""
    names = [text(one) for one in sequence(held.get("devices"))]
    before, after = sequence(held.get("scores_before")), sequence(held.get("scores"))
    found: dict[str, list[tuple[object, object]]] = {}
    for name, one, two in zip(names, before, after, strict=False):
        if name:
            found.setdefault(name, []).append((one, two))
    return [(name, len(pairs), *_both(pairs)) for name, pairs in sorted(found.items())]


def _both(pairs: Sequence[tuple[object, object]]) -> tuple[float | None, float | None]:
    columns = (numbers([pair[place] for pair in pairs]) for place in (0, 1))
    first, second = (fmean(column) if column else None for column in columns)
    return first, second


def _trained(run: RunDetails) -> Table | None:
    """The devices that trained: how often, and their first and last figure."""
    seen: dict[str, list[Mapping[str, Any]]] = {}
    for one in run.rounds:
        for device, figures in table(one.get("devices")).items():
            seen.setdefault(text(device), []).append(table(figures))
    if not seen:
        return None
    metric = text(run.rounds[-1].get(METRIC) or "")
    headings = (("device", False), ("kind", False), ("updates", True), ("first", True), ("last", True))
    body = (
        (
            device,
            text(found[-1].get("kind") or UNKNOWN),
            count(len(found)),
            figure(found[0].get("score"), metric),
            figure(found[-1].get("score"), metric),
        )
        for device, found in sorted(seen.items())
    )
    return Table(f"Devices that trained: {metric} in their first and last round", headings, rows(*body))


# ---- classes ----


def _classes(run: RunDetails) -> Section:
    title, anchor = "Classes and confusions", "classes"
    compared = table(run.held_out.get("comparison"))
    recall, f1 = table(compared.get("per_class")), table(compared.get("per_class_f1"))
    named = [text(one) for one in sequence(run.facts.get("classes"))]
    told = [f"Classes: {', '.join(named)}."] if named else []
    if not recall:
        told.append(
            _NO_ANSWERS
            if run.kind == "fleet"
            else "The classes of this task have no names, so none are told apart here."
        )
        return Section(title, anchor, tuple(told))
    body = ((text(name), figure(one, "accuracy"), figure(f1.get(name), "accuracy")) for name, one in recall.items())
    by_class = Table("By class, after adaptation", (("class", False), ("recall", True), ("F1", True)), rows(*body))
    matrix = _matrix(table(compared.get("confusion")))
    told.append(
        "In the matrix rows are true classes and columns are answers; a darker field is a larger part of its row."
    )
    return Section(title, anchor, tuple(told), (), (by_class, matrix) if matrix else (by_class,))


def _matrix(found: Mapping[str, Any]) -> Table | None:
    classes = [text(one) for one in sequence(found.get("classes"))]
    counts = [numbers(row) for row in sequence(found.get("counts"))]
    if not classes or len(counts) != len(classes):
        return None
    headings = (("true class", False), *((name, True) for name in [*classes, NO_CLASS]))
    body = []
    for name, row in zip(classes, counts, strict=True):
        total = sum(row) or 1.0
        body.append((Cell(name), *(Cell(count(one), min(1.0, max(0.0, one / total))) for one in row)))
    return Table("Confusion matrix, queries of all held-out tasks", headings, tuple(body))
