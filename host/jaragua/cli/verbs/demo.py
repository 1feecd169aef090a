"""`jaragua demo`: the whole road on this machine, without hardware."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import completions, output
from jaragua.cli.next_steps import next_steps, shown
from jaragua.errors import Interrupted

if TYPE_CHECKING:
    from jaragua.demo import Demonstration, DemoResult

app = typer.Typer()


@app.command()
def demo(
    boards: Annotated[int, typer.Option(min=1, max=32, help="Emulated Cortex-M4 boards that train.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of training.")] = 100,
    tasks: Annotated[int, typer.Option(min=2, max=1000, help="Held-out tasks the new board is evaluated on.")] = 24,
    model: Annotated[
        str, typer.Option(help="Model of the zoo, or a TOML file.", autocompletion=completions.models)
    ] = "digits",
    strategy: Annotated[
        str, typer.Option(help="Strategy: tinyreptile, tinymetafed …", autocompletion=completions.strategies)
    ] = "tinyreptile",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first weights and the tasks.")] = 1,
    directory: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/demo-<time>.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Train emulated boards over a real broker, then adapt a new board to its own tasks."""
    from jaragua.cli.progress.demo import watcher
    from jaragua.demo import Demonstration, DemoSettings
    from jaragua.models import absolute

    folder = (directory or Path("runs") / time.strftime("demo-%Y%m%d-%H%M%S")).absolute()
    settings = DemoSettings(folder, absolute(model), boards, tasks, rounds, seed, strategy)
    with watcher() as watching:
        demonstration = Demonstration(settings, watching)
        result = _run(demonstration, folder)
    if json:
        output.print_result(document(result))
    else:
        output.show(text(result))
        classes = demonstration.enrolled() or 0
        for line in next_steps(shown(settings.model), folder=shown(folder), classes=classes):
            output.say(line)


def _run(demonstration: Demonstration, folder: Path) -> DemoResult:
    try:
        return asyncio.run(_cancellable(demonstration))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted("the demonstration was stopped; nothing is left running", f"its folder is {folder}") from None


async def _cancellable(demonstration: Demonstration) -> DemoResult:
    """A termination signal ends boards, broker and programs as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await demonstration.run()


def document(result: DemoResult) -> dict[str, object]:
    """The result as the data of the JSON document; the three held-out figures carry the name of the model's metric."""
    run, held_out = result.run, result.held_out
    metric = held_out.metric
    return {
        "rounds": run.rounds,
        "devices": [{"id": one.device, "kind": one.kind, "updates": one.updates} for one in run.devices],
        "held_out": {
            "metric": metric,
            "tasks": held_out.gain.count,
            f"{metric}_before": held_out.before,
            f"{metric}_after": held_out.after,
            f"{metric}_after_from_random": held_out.after_from_random,
            "gain_over_random": held_out.gain.mean,
            "gain_over_random_ci95": [held_out.gain.low, held_out.gain.high],
        },
        "bytes_up": run.bytes_up,
        "bytes_down": run.bytes_down,
        "image": {"ram_bytes": result.image.ram_bytes, "flash_bytes": result.image.flash_bytes},
        "instructions_per_step": run.instructions_per_step,
        "model_hash": run.model_hash,
        "run_dir": str(run.run_dir),
    }


def text(result: DemoResult) -> str:
    """The result for a person."""
    run, held_out = result.run, result.held_out
    gain = held_out.gain
    updates = ", ".join(f"{one.device} {one.updates}" for one in run.devices)
    rows = [
        ("before it adapts", _figure(held_out.before, held_out.metric)),
        ("after it adapts", _figure(held_out.after, held_out.metric)),
        ("after the same from a random start", _figure(held_out.after_from_random, held_out.metric)),
        ("gain over the random start", _gain(held_out.metric, gain.mean, gain.low, gain.high)),
    ]
    facts = [
        ("updates", f"{updates} ({run.rounds} rounds)"),
        ("MQTT payload", f"{run.bytes_up:,} bytes up, {run.bytes_down:,} bytes down"),
        ("firmware image", f"{result.image.ram_bytes:,} bytes RAM, {result.image.flash_bytes:,} bytes flash"),
        ("training step", f"{run.instructions_per_step:,} instructions on the emulated Cortex-M4 (least of the run)"),
        ("run folder", str(run.run_dir)),
    ]
    title = f"A board nobody has seen, {gain.count} tasks of its own, {held_out.metric} on held-out queries:"
    return "\n".join(["", title, *_aligned(rows), "", *_aligned(facts)])


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {value}" for name, value in rows]


def _figure(value: float, metric: str) -> str:
    return f"{100 * value:.1f} %" if metric == "accuracy" else f"{value:.3f}"


def _gain(metric: str, mean: float, low: float, high: float) -> str:
    """For accuracy in points up, for an error in its unit down."""
    if metric == "accuracy":
        return f"{100 * mean:+.1f} points (95 % interval of the paired difference {100 * low:+.1f} … {100 * high:+.1f})"
    return f"{mean:.3f} less (95 % interval of the paired difference {low:.3f} … {high:.3f})"
