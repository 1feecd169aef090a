"""Live progress of a simulation on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jaragua.cli import output
from jaragua.simulation import SimulationProgress
from jaragua.simulation.settings import OnProgress

_LINE_EVERY_SECONDS = 5.0
_BAR_EVERY_SECONDS = 0.1


@contextmanager
def progress(rounds: int) -> Iterator[OnProgress]:
    """What to give a simulation as `on_progress`."""
    if not sys.stderr.isatty():
        yield _Throttled(lambda now: output.say(describe(now)), _LINE_EVERY_SECONDS)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"), TimeRemainingColumn())
    with Progress(*columns, console=output.console(stderr=True)) as bar:
        task = bar.add_task("rounds", total=rounds, figures="")
        yield _Throttled(
            lambda now: bar.update(task, completed=now.rounds_done, figures=_figures(now)), _BAR_EVERY_SECONDS
        )


def describe(now: SimulationProgress) -> str:
    """Where the simulation stands, in one line."""
    return f"round {now.rounds_done}/{now.rounds}: {_figures(now)}"


def _figures(now: SimulationProgress) -> str:
    return f"loss {now.loss:.4f}, {now.client_tasks_per_second:.0f} client tasks a second"


class _Throttled:
    """Tells the first round, the last, and between them not more than one each so many seconds."""

    def __init__(self, tell: OnProgress, seconds: float) -> None:
        self._tell = tell
        self._seconds = seconds
        self._next = 0.0

    def __call__(self, now: SimulationProgress) -> None:
        if time.monotonic() >= self._next or now.rounds_done == now.rounds:
            self._next = time.monotonic() + self._seconds
            self._tell(now)
