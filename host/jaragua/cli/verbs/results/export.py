"""`jaragua export`: what Jaragua knows, for other programs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from jaragua.cli import output

app = typer.Typer(help="Give a run's or a fleet's figures to TensorBoard, Prometheus or Home Assistant.")

Broker = Annotated[str, typer.Option(help="URL of the broker: mqtt://[user:password@]host[:port].")]
Fleet = Annotated[str, typer.Option(help="Name of the fleet.")]


@app.command()
def tensorboard(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs or simulations, or files of `jaragua simulate --json`.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the event files, one below it for each run.")] = Path("events"),
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Write event files of TensorBoard: curves by round, of each device, and of held-out tasks."""
    from jaragua.exporters.tensorboard import export
    from jaragua.report.page.view import name_of
    from jaragua.store.reading import read_details

    found: dict[str, int] = {}
    for details in map(read_details, runs):
        name = name_of(details).replace("/", "-")
        name = name if name not in found else f"{name}-{len(found) + 1}"
        found[name] = export(details, out / name)
    if json:
        output.print_result({"folder": str(out), "values": found})
    else:
        for name, values in found.items():
            output.show(f"{out / name}: {values} values")
        output.say(f"look at them with: tensorboard --logdir {out}")


@app.command()
def prometheus(
    broker: Broker,
    fleet: Fleet = "home",
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")] = 9600,
) -> None:
    """Serve a fleet's figures as Prometheus reads them, until Ctrl-C."""
    from jaragua.exporters.prometheus import serve
    from jaragua.observe.observer import Observer
    from jaragua.wire.topics import check_id

    observer = Observer(broker, check_id(fleet, "fleet"))
    _until_stopped(serve(observer, host, port, lambda url: output.say(f"metrics: {url}")))


@app.command()
def home_assistant(
    broker: Broker,
    fleet: Fleet = "home",
    prefix: Annotated[str, typer.Option(help="Home Assistant's discovery prefix.")] = "homeassistant",
) -> None:
    """Show a fleet in Home Assistant by MQTT discovery, until Ctrl-C."""
    from jaragua.exporters.home_assistant import HomeAssistant
    from jaragua.observe.observer import Observer
    from jaragua.wire.topics import check_id

    _until_stopped(HomeAssistant(Observer(broker, check_id(fleet, "fleet")), prefix).run())


def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    async def stoppable() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    asyncio.run(stoppable())
