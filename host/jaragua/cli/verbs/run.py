"""`jaragua run CONFIG.toml`: the coordinator."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.bases.allocator import map_large_blocks
from jaragua.cli import output
from jaragua.cli.next_steps import next_steps, shown
from jaragua.errors import Interrupted, RunError, UsageError

if TYPE_CHECKING:
    from jaragua.cli.progress.run import Watcher
    from jaragua.config import RunConfig
    from jaragua.coordinator import RunResult
    from jaragua.store import PostgresAddress, RunFolder

app = typer.Typer()

#: Something that goes on until the run ends, when it is cancelled.
Beside = Callable[[], Awaitable[None]]


@app.command()
def run(
    config: Annotated[
        Path, typer.Argument(help="The run file (TOML); docs/reference/configuration.md lists its keys.")
    ],
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an existing run only; repeat rounds that were lost."),
    ] = False,
    new: Annotated[
        bool,
        typer.Option("--new", help="Start from the beginning; the folder's content is moved to earlier-<n> in it."),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="End another coordinator that serves the fleet, and continue in its place."),
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(help="First weights (.safetensors): of a simulation, another run, or your own training."),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Keep the run in this database: postgresql://[user@][host[:port]]/database.")
    ] = None,
    aggregators: Annotated[
        int,
        typer.Option("--aggregators", min=0, max=64, help="Processes that read and check updates; 0: the coordinator."),
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Run the rounds of a configuration (the coordinator).

    A run that was stopped or killed continues when the same command is given again. If its database knows fewer rounds
    than the files beside it, nothing is changed without --resume or --new.
    """
    from jaragua.config import load

    if resume and new:
        raise UsageError("--resume continues a run and --new starts one", "leave one of the two out")
    settings = load(config, _changes(store), source="--store")
    _refuse_nothing_to_resume(settings, resume)
    result = carried_out(
        config, settings, resume=resume, new=new, take_over=take_over, start=start, aggregators=aggregators
    )
    if json:
        output.print_result(document(settings, result))
    else:
        print_result(settings, result)


def carried_out(
    config: Path,
    settings: RunConfig,
    *,
    resume: bool = False,
    new: bool = False,
    take_over: bool = False,
    start: Path | None = None,
    aggregators: int = 0,
    beside: Beside | None = None,
) -> RunResult:
    """Run what a file says, from where its folder stands. beside: goes on until the run ends. Errors: see `run`."""
    from jaragua.cli.progress.run import watcher
    from jaragua.store import open_run

    _say_what_boards_need(settings)
    place = settings.run.directory, _address(settings)
    with open_run(*place, redo_lost=resume, new=new) as folder, watcher() as watching:
        if folder.note:
            output.say(f"note: {folder.note}")

        async def training() -> RunResult:
            return await _cancellable(
                settings, folder, watching, take_over=take_over, start=start, aggregators=aggregators
            )

        return _run_until_done(config, lambda: _beside(training(), beside))


async def _beside(training: Coroutine[Any, Any, RunResult], other: Beside | None) -> RunResult:
    from jaragua.node.program import ended

    companion = None if other is None else asyncio.ensure_future(other())
    try:
        return await training
    finally:
        if companion is not None:
            await ended(companion)


def _address(settings: RunConfig) -> PostgresAddress | None:
    from jaragua.store import address_of

    return address_of(settings.store, settings.run.name, os.environ)


def _changes(store: str | None) -> dict[str, str]:
    """G7: what --store says, which every user of the machine can read."""
    from jaragua.node.connection.access import refuse_password
    from jaragua.store.postgres.address import PASSWORD_VARIABLE

    if store is None:
        return {}
    refuse_password(store, "store.password_file in the run file", PASSWORD_VARIABLE)
    return {"store.url": store}


def _refuse_nothing_to_resume(settings: RunConfig, resume: bool) -> None:
    from jaragua.store import holds_run

    address = _address(settings)
    if resume and not holds_run(settings.run.directory, address):
        message = f"there is no run to continue in {settings.run.directory}" + (f" and {address}" if address else "")
        raise RunError(message, "begin it: the same command without --resume")


def _say_what_boards_need(settings: RunConfig) -> None:
    from jaragua.config.strategy import strategy_of
    from jaragua.coordinator.selection import classes_of
    from jaragua.models import model_named
    from jaragua.strategies.base import image_needed
    from jaragua.strategies.registry import work_of

    classes = classes_of(settings, model_named(settings.model.name))
    needed = image_needed(work_of(strategy_of(settings), 1), classes)
    if needed:
        output.say(needed)


def _run_until_done(path: Path, begin: Callable[[], Coroutine[Any, Any, RunResult]]) -> RunResult:
    _tune_the_interpreter()
    try:
        return asyncio.run(begin())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted(
            "stopped; all that was learned is stored", f"go on with `jaragua run {path} --resume`"
        ) from None


def _tune_the_interpreter() -> None:
    """For a large fleet. Looking for cycles took a tenth of the time: modules are never looked at, the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # The thread that commits needs the interpreter a few times for each transaction (R31.5).
    sys.setswitchinterval(0.001)
    map_large_blocks()


async def _cancellable(
    settings: RunConfig,
    folder: RunFolder,
    watching: Watcher,
    *,
    take_over: bool,
    start: Path | None,
    aggregators: int,
) -> RunResult:
    """A termination signal stops the run as cleanly as Ctrl-C does."""
    from jaragua.coordinator import run_coordinator

    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run_coordinator(
        settings, store=folder, on_event=watching, take_over=take_over, start=start, aggregators=aggregators
    )


def document(settings: RunConfig, result: RunResult) -> dict[str, object]:
    """The result as the data of the JSON document."""
    return {
        "run": result.run,
        "run_dir": str(result.run_dir),
        "model": settings.model.name,
        "strategy": settings.strategy.name,
        "rounds": result.rounds,
        "model_hash": result.model_hash,
        "devices": [{"id": one.device, "kind": one.kind, "updates": one.updates} for one in result.devices],
        "metric": result.metric,
        "loss": result.loss,
        "score": result.score,
        "bytes_up": result.bytes_up,
        "bytes_down": result.bytes_down,
        "instructions_per_step": result.instructions_per_step,
        "privacy": dict(result.privacy) or None,
    }


def print_result(settings: RunConfig, result: RunResult) -> None:
    """The result for a person, and what may follow."""
    from jaragua.report.privacy import in_words
    from jaragua.simulation.models import enrolled_classes
    from jaragua.simulation.settings import simulation_of

    devices = ", ".join(f"{one.device} ({one.updates})" for one in result.devices)
    output.show(f"{settings.run.name}: {result.rounds} rounds of {settings.strategy.name} on {settings.model.name}")
    output.show(f"  devices (updates)  {devices}")
    output.show(
        f"  last round         loss {result.loss:.4f}, {result.metric} {result.score:.4f} on what was trained on"
    )
    output.show(f"  broker traffic     {result.bytes_up} bytes up, {result.bytes_down} bytes down")
    if result.privacy:
        output.show(f"  privacy            {in_words(result.privacy)}")
    output.show(f"  model              {result.model_hash}")
    output.show(f"  folder             {result.run_dir}")
    classes = enrolled_classes(simulation_of(settings))
    for line in next_steps(shown(settings.model.name), folder=shown(result.run_dir), fleet=True, classes=classes):
        output.say(line)
