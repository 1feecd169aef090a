"""`jaragua reproduce`: all experiments of the plan, and the document and figures that follow from them."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua import __version__
from jaragua.cli import output
from jaragua.cli.options import from_fields
from jaragua.errors import Interrupted, StoreError, UsageError
from jaragua.reasons import reason_of

if TYPE_CHECKING:
    from jaragua.experiments.reproduce import Plan, Progress, Scale
    from jaragua.experiments.reproduce.run import Found, OnProgress

app = typer.Typer()


@dataclass(frozen=True)
class ReproduceOptions:
    """The options of `jaragua reproduce`."""

    short: Annotated[
        bool, typer.Option("--short", help="A minute: checks that everything works; the figures mean nothing.")
    ] = False
    full: Annotated[bool, typer.Option("--full", help="The sizes of the papers: days on two cores.")] = False
    only: Annotated[list[str] | None, typer.Option(help="Only this task, or task/strategy; may be repeated.")] = None
    folder: Annotated[Path | None, typer.Option(help="Folder of the records; default: runs/reproduce-<scale>.")] = None
    document: Annotated[Path | None, typer.Option(help="Document to write; default: results.md in that folder.")] = None
    figures: Annotated[bool, typer.Option(help="Draw figures beside the document (extra `plots`).")] = True
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; default: one per core.")] = None
    render_only: Annotated[
        bool, typer.Option("--render-only", help="Write the document from existing records; simulate nothing.")
    ] = False
    list_only: Annotated[bool, typer.Option("--list", help="List the experiments and end.")] = False
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False


@app.command()
@from_fields(ReproduceOptions)
def reproduce(options: ReproduceOptions) -> None:
    """Make the tables and figures of docs/results/results.md. Stopped and started again, it continues."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from jaragua.experiments.reproduce import Store, read_plan

    _require_effect(options)
    scale = _scale(options.short, options.full)
    plan = read_plan(scale).only(options.only or [])
    if not plan.experiments:
        known = ", ".join(task.name for task in read_plan(scale).tasks)
        raise UsageError(
            f"no experiment has a name like {', '.join(options.only or [])}", f"tasks: {known}; see --list"
        )
    if options.list_only:
        names = list(dict.fromkeys(one.name for one in plan.experiments))
        output.print_result({"experiments": names}) if options.json else output.show("\n".join(names))
        return
    place = options.folder or Path("runs") / f"reproduce-{scale}"
    store = Store(place)
    target = options.document or place / "results.md"
    _check_place(target)
    found = _run(plan, store, options.workers, options.render_only)
    _describe(plan, found, place)
    drawn = _write(plan, found, target, _command(scale, options.only or [], options.document), options.figures)
    _tell(plan, found, target, drawn, options.json)


def _require_effect(options: ReproduceOptions) -> None:
    """Raises: UsageError for an option that would be ignored."""
    list_only, render_only = options.list_only, options.render_only
    idle = {"--workers": options.workers is not None and (list_only or render_only)}
    idle |= {"--folder": options.folder is not None and list_only}
    idle |= {"--document": options.document is not None and list_only}
    idle |= {"--render-only": render_only and list_only}
    if said := [name for name, is_idle in idle.items() if is_idle]:
        other = "--list" if list_only else "--render-only"
        raise UsageError(f"with {other}, {', '.join(said)} would change nothing", "leave out one or the other")


def _check_place(target: Path) -> None:
    """Before days of simulations. Raises: StoreError if no such document can be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {reason_of(error)}", "give another --document") from error
    if target.is_dir():
        raise StoreError(f"{target} is a folder", "name a file in it, for example results.md")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise StoreError(f"{target} cannot be written: no right to", "give another --document")


def _scale(short: bool, full: bool) -> Scale:
    if short and full:
        raise UsageError("--short and --full exclude each other", "give one of them, or none")
    return "short" if short else "full" if full else "plain"


def _command(scale: Scale, only: list[str], document: Path | None) -> str:
    flags = {"short": " --short", "full": " --full", "plain": ""}[scale]
    words = [*(f" --only {name}" for name in only), *([f" --document {document}"] if document else [])]
    return f"jaragua reproduce{flags}{''.join(words)}"


def _run(plan: Plan, store: Any, workers: int | None, render_only: bool) -> Found:
    from jaragua.experiments.reproduce import run
    from jaragua.experiments.reproduce.run import recorded

    if render_only:
        found = recorded(plan, store)
        if not found.outcomes:
            raise StoreError("there are no records of this plan", "leave out --render-only, or give their --folder")
        return found
    try:
        with _progress() as on_progress:
            return run(plan, store, on_progress, workers)
    except KeyboardInterrupt:
        raise Interrupted("stopped; what is done is kept", "give the same command to continue") from None


def _write(plan: Plan, found: Found, target: Path, command: str, with_figures: bool) -> list[str]:
    """The document and its figures; the files of the figures."""
    from jaragua.experiments.reproduce import figures, markdown

    drawn = figures.figures(plan, found) if with_figures else []
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    text = markdown.document(plan, found, markdown.Header(command, machine, __version__), drawn)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if drawn:
            figures.save(drawn, target.parent / "images")
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {reason_of(error)}", "give another --document") from error
    return [figure.file for figure in drawn]


def _describe(plan: Plan, found: Found, place: Path) -> None:
    """What each model is and needs, with what was measured on it: a file a task (semantics.md, S3)."""
    from jaragua.experiments.reproduce.descriptions import descriptions
    from jaragua.store.files import write_whole

    for name, text in descriptions(plan, found).items():
        write_whole(place / "models" / f"{name}.ttl", text)


def _tell(plan: Plan, found: Found, target: Path, drawn: list[str], json: bool) -> None:
    from jaragua.experiments.reproduce.summary import total_seconds

    if json:
        data = {
            "scale": plan.scale,
            "experiments": len(plan.experiments),
            "done": sum(one.key in found.outcomes for one in plan.experiments),
            "seconds": total_seconds(found.outcomes[one.key] for one in plan.experiments if one.key in found.outcomes),
            "document": str(target),
            "figures": drawn,
        }
        output.print_result(data)
    else:
        done = sum(one.key in found.outcomes for one in plan.experiments)
        output.show(f"{target}: {done} of {len(plan.experiments)} simulations, {len(drawn)} figures")


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on a terminal, a line for each piece of work elsewhere."""
    if not sys.stderr.isatty():
        yield lambda now: output.say(describe(now))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[what]}"))
    with Bar(*columns, console=output.console(stderr=True)) as bar:
        task = bar.add_task("experiments", total=None, what="")
        yield lambda now: bar.update(task, completed=now.done, total=now.of, what=_what(now))


def describe(now: Progress) -> str:
    """Where it stands, in one line."""
    return f"{now.done}/{now.of}: {_what(now)}"


def _what(now: Progress) -> str:
    left = "" if now.seconds_left is None else f", about {_time(now.seconds_left)} left"
    return now.doing + left


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
