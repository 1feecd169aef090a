"""`jaragua evaluate RUN_DIR`: how well the devices of a fleet adapt from what a run learned."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output
from jaragua.errors import Interrupted, StoreError

if TYPE_CHECKING:
    from jaragua.config import RunConfig

app = typer.Typer()


@app.command()
def evaluate(
    run_dir: Annotated[Path, typer.Argument(help="The folder that `jaragua run` printed.")],
    tasks: Annotated[int, typer.Option(min=2, max=1000, help="Held-out tasks for each device.")] = 8,
    device: Annotated[list[str] | None, typer.Option(help="A device to ask; repeat. Default: all that fit.")] = None,
    broker: Annotated[str | None, typer.Option(help="URL of the broker; default: that of the run.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the devices.")] = 30.0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Have the devices of a fleet adapt to held-out tasks, before and after; the run's folder keeps the figures.

    No coordinator may serve the fleet meanwhile. `jaragua report` and `jaragua dashboard` show the figures.
    """
    from jaragua.config import load
    from jaragua.coordinator.evaluate import Wanted
    from jaragua.node.connection.access import refuse_password
    from jaragua.store.reading import write_evaluation
    from jaragua.store.run_folder import CONFIGURATION

    if not (run_dir / CONFIGURATION).is_file():
        raise StoreError(f"{run_dir} is not the folder of a run", "give the folder that `jaragua run` printed")
    config = load(run_dir / CONFIGURATION)
    if broker is not None:
        refuse_password(broker)
        config = replace(config, broker=replace(config.broker, url=broker))
    figures = _run(config, run_dir, Wanted(tasks, tuple(device or ()), wait))
    write_evaluation(run_dir, figures)
    if json:
        output.print_result(figures)
    else:
        _print(figures)


def _run(config: RunConfig, run_dir: Path, wanted: Any) -> dict[str, Any]:
    from jaragua.coordinator.evaluate import evaluate_on_fleet
    from jaragua.store import Store, place_of

    place = place_of(run_dir)
    if isinstance(place, Path) and not place.is_file():
        raise StoreError(f"{run_dir} is not the folder of a fleet's run", "a simulation was evaluated when it ended")
    with Store(place, read_only=True) as store:
        record = store.run()
        if record is None:
            raise StoreError(f"the run in {run_dir} was never started", "start it again: `jaragua run CONFIG`")
        learned = store.initialisation(record.run)
    try:
        return asyncio.run(evaluate_on_fleet(config, record.run, learned, wanted, _say))
    except KeyboardInterrupt:
        raise Interrupted("stopped; the folder is as it was", "give the same command to begin again") from None


def _say(done: int, of_all: int) -> None:
    output.say(f"  {done} of {of_all} tasks on every device")


def _print(figures: dict[str, Any]) -> None:
    metric, devices = figures["metric"], sorted(set(figures["devices"]))
    output.show(f"{figures['tasks']} held-out tasks on {len(devices)} devices, {metric}:")
    for when in ("before", "after"):
        found = figures[when]
        output.show(f"  {when + ' adapting':<17} {found['mean']:.4f} ± {found['ci95']:.4f}")
    for name in devices:
        own = [place for place, one in enumerate(figures["devices"]) if one == name]
        before, after = (sum(figures[key][place] for place in own) / len(own) for key in ("scores_before", "scores"))
        output.show(f"  {name:<17} {before:.4f} → {after:.4f}")
