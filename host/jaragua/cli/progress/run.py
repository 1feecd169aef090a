"""Live progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jaragua.cli import output
from jaragua.coordinator import events

Watcher = Callable[[events.RunEvent], None]


@contextmanager
def watcher() -> Iterator[Watcher]:
    """What to give a run as `on_event`."""
    if not sys.stderr.isatty():
        yield _Lines(output.say)
        return
    with _bar() as bar:
        yield _OnTerminal(bar)


def describe(event: events.RunEvent) -> str:
    """An event in one line, "" if it is not worth one."""
    if isinstance(event, events.UpdateChecked) and event.result == "stored":
        return ""
    match event:
        case events.RunStarted():
            done = f", {event.rounds_done} done before" if event.resumed else ""
            return f"run {event.run}: {event.rounds} rounds{done}; folder {event.run_dir}"
        case events.ScalingCollected(devices, rows, excluded):
            others = "".join(f"; without {device}: {reason}" for device, reason in excluded.items())
            return f"scaling of {rows} rows of {len(devices)} devices{others}"
        case events.Waiting(present, minimum, unfit):
            others = f"; built for another model: {', '.join(unfit)}" if unfit else ""
            return f"waiting for devices: {len(present)} of {minimum} ready{others}"
        case events.RoundFinished(_, rounds, metrics):
            return _round_line(rounds, metrics)
        case events.UpdateChecked(number, device, attempt, "rejected" | "late" as result, reason):
            return f"update of {device} for round {number} (attempt {attempt}) is {result}: {reason}"
        case events.UpdateExcluded(number, device, reason):
            return f"update of {device} for round {number} is left out: {reason}"
        case events.BrokerLost():
            return "the broker is away; trying again"
        case events.BrokerBack():
            return "the broker is back"
    return ""


def _round_line(rounds: int, metrics: Any) -> str:
    return (
        f"round {metrics['round']}/{rounds}: loss {metrics['loss']:.4f}, {metrics['metric']} {metrics['score']:.4f}, "
        f"{len(metrics['devices'])} updates, {metrics['bytes_up']} bytes up, {metrics['bytes_down']} bytes down, "
        f"{metrics['seconds']:.1f} s"
    )


class _Lines:
    """Every event that is worth it as a line, never the same line twice in a row."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last = ""

    def __call__(self, event: events.RunEvent) -> None:
        line = describe(event)
        if line and line != self._last:
            self._say(line)
            self._last = line


class _OnTerminal:
    """Rounds move the bar; everything else is a line above it."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("rounds", total=None, figures="")
        self._lines = _Lines(bar.console.print)

    def __call__(self, event: events.RunEvent) -> None:
        if isinstance(event, events.RunStarted):
            self._bar.update(self._task, total=event.rounds, completed=event.rounds_done)
        if isinstance(event, events.RoundFinished):
            metrics = event.metrics
            figures = f"loss {metrics['loss']:.3f}  {metrics['metric']} {metrics['score']:.3f}"
            self._bar.update(self._task, completed=event.round_number, figures=figures)
        else:
            self._lines(event)


def _bar() -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        console=output.console(stderr=True),
    )
