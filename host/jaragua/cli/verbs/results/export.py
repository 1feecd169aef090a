"""`jaragua export`: what Jaragua knows, for other programs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output
from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import from_fields

if TYPE_CHECKING:
    from jaragua.observe.observer import Observer

app = typer.Typer(help="Give a run's or a fleet's figures to TensorBoard, Prometheus or Home Assistant.")


@dataclass(frozen=True, kw_only=True)
class FleetOptions(BrokerOptions):
    """Which fleet is read."""

    fleet: Annotated[str, typer.Option(help="Name of the fleet.")] = "home"

    def observer(self) -> Observer:
        """What reads it. Raises: TopicError for a name that is none; as `address`."""
        from jaragua.observe.observer import Observer
        from jaragua.wire.topics import check_id

        return Observer(self.address(), check_id(self.fleet, "fleet"))


@dataclass(frozen=True, kw_only=True)
class PrometheusOptions(FleetOptions):
    """The options of `jaragua export prometheus`."""

    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")] = 9600


@dataclass(frozen=True, kw_only=True)
class HomeAssistantOptions(FleetOptions):
    """The options of `jaragua export home-assistant`."""

    prefix: Annotated[str, typer.Option(help="Home Assistant's discovery prefix.")] = "homeassistant"


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
@from_fields(PrometheusOptions)
def prometheus(options: PrometheusOptions) -> None:
    """Serve a fleet's figures as Prometheus reads them, until Ctrl-C."""
    from jaragua.exporters.prometheus import serve

    work = serve(options.observer(), options.host, options.port, lambda url: output.say(f"metrics: {url}"))
    _until_stopped(work)


@app.command()
@from_fields(HomeAssistantOptions)
def home_assistant(options: HomeAssistantOptions) -> None:
    """Show a fleet in Home Assistant by MQTT discovery, until Ctrl-C."""
    from jaragua.exporters.home_assistant import HomeAssistant

    _until_stopped(HomeAssistant(options.observer(), options.prefix).run())


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
