"""Live progress of the demonstration on stderr: the phases, then what a run shows, then the held-out tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jaragua.cli import output
from jaragua.cli.progress import run as run_progress
from jaragua.demo.demo import DemoEvent, Phase, TaskEvaluated

_PHASES = list(Phase)
#: Without a terminal, every so many tasks are a line.
_LINE_EVERY = 12


@contextmanager
def watcher() -> Iterator[Callable[[DemoEvent], None]]:
    """What to give a demonstration as `on_event`."""
    with run_progress.watcher() as watching_run:

        def watch(event: DemoEvent) -> None:
            if isinstance(event, Phase):
                output.say(f"[{_PHASES.index(event) + 1}/{len(_PHASES)}] {event.value}")
            elif isinstance(event, TaskEvaluated):
                _evaluated(event)
            else:
                watching_run(event)

        yield watch


def _evaluated(event: TaskEvaluated) -> None:
    if event.done % _LINE_EVERY == 0 or event.done == event.total:
        output.say(f"  {event.done} of {event.total} adaptations")
