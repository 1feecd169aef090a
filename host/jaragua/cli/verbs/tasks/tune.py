"""`jaragua tune`: settings of a task, chosen on its training data."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import output
from jaragua.cli.options import from_fields
from jaragua.errors import Interrupted, StoreError, UsageError
from jaragua.reasons import reason_of

if TYPE_CHECKING:
    from jaragua.tuning.search import Trial
from dataclasses import dataclass

app = typer.Typer()


@dataclass(frozen=True)
class Options:
    """Of `jaragua tune`."""

    task: Annotated[str, typer.Argument(help="The TOML file of your own data, or a model of the zoo.")]
    minutes: Annotated[float, typer.Option(help="How long the search may take.", min=0.05, max=10_080)] = 10.0
    engine: Annotated[str | None, typer.Option(help="Arithmetic: w16, w8 or float32; default: the model's.")] = None
    shots: Annotated[int | None, typer.Option(help="Support samples of each class; default: the model's.", min=1)] = (
        None
    )
    seed: Annotated[int, typer.Option(help="Seed of first weights and tasks.", min=0)] = 1
    workers: Annotated[int | None, typer.Option(help="Threads; default: one for each core.", min=1, max=1024)] = None
    leave_one_out: Annotated[
        bool | None,
        typer.Option(
            "--leave-one-out/--no-leave-one-out",
            help="Each training device is the validation set in turn; default: with fewer than five of them.",
        ),
    ] = None
    write: Annotated[Path | None, typer.Option(help="A run's file to write the settings into, or to make.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing: print the settings.")] = False
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False


@app.command()
@from_fields(Options)
def tune(options: Options) -> None:
    """Choose rate, passes, strategy and head of a task on its training devices, and write them into its file.

    A part of the training data is the validation set; held-out data are never drawn. For a model of the zoo the
    settings are printed as a run's file, or written into one (--write).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from jaragua.config import for_simulation
    from jaragua.models import is_file
    from jaragua.simulation.settings import simulation_of
    from jaragua.tuning import advice
    from jaragua.tuning.search import Tuner

    own = is_file(options.task) and not options.write
    changes = {"simulation.engine": options.engine, "evaluation.shots": options.shots, "run.seed": options.seed}
    said = {key: value for key, value in changes.items() if value is not None}
    base = simulation_of(for_simulation(None, {"model.name": options.task} | said, "jaragua tune:"))
    seconds, teller = 60 * options.minutes, _Teller(options.minutes)
    tuner = Tuner(base, seconds, time.monotonic, teller, options.workers, options.leave_one_out)
    try:
        found = tuner.run()
    except KeyboardInterrupt:
        raise Interrupted("stopped; nothing was written", "give it fewer --minutes") from None
    shots = options.shots
    sections = advice.task_settings(found, shots) if own else advice.run_settings(options.task, found, shots)
    place = Path(options.task) if own else options.write
    text = _written(None if options.dry_run else place, place, sections)
    if options.json:
        settings = {section: dict(values) for section, values in sections.items()}
        output.print_result(advice.as_json(found) | {"settings": settings, "written": _written_to(options, place)})
        return
    output.show(f"best on the validation tasks: {advice.sentence(found.best, found.metric)}")
    for simple in found.simple:
        output.show(f"{simple.name}: {found.metric} {simple.score.mean:.4f} ± {simple.score.ci95:.4f}")
    for sentence in advice.advice(found):
        output.show(f"note: {sentence}")
    output.show(f"written into {place}" if _written_to(options, place) else text.rstrip())


def _written_to(options: Options, place: Path | None) -> str | None:
    return None if options.dry_run or place is None else str(place)


class _Teller:
    """Tells each trial on stderr, with the time that is left."""

    def __init__(self, minutes: float) -> None:
        self._ends = time.monotonic() + 60 * minutes

    def __call__(self, trial: Trial) -> None:
        from jaragua.tuning.advice import sentence

        left = max(0.0, self._ends - time.monotonic())
        output.say(f"{sentence(trial, 'score')} ({trial.seconds:.0f} s; {left / 60:.1f} min left)")


def _written(to: Path | None, place: Path | None, sections: object) -> str:
    """The text with the settings. to: file to write, None for none; place: file that is changed."""
    from jaragua.store.files import write_whole
    from jaragua.tuning.toml_edit import with_values

    try:
        before = place.read_bytes().decode() if place and place.exists() else ""
        after = with_values(before, sections)  # type: ignore[arg-type]
        if to:
            write_whole(to, after.encode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{place} is not text in UTF-8", "save it as UTF-8") from error
    except OSError as error:
        raise StoreError(f"{place} cannot be read: {reason_of(error)}", "check the file and its rights") from error
    return after
