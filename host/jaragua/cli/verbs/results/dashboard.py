"""`jaragua dashboard`: a live page of a fleet, or of a run that has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output
from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import from_fields

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class DashboardOptions(BrokerOptions):
    """The options of `jaragua dashboard`."""

    run_dir: Annotated[
        Path | None, typer.Argument(help="Folder of a run or a simulation; without one: --broker alone.")
    ] = None
    fleet: Annotated[str, typer.Option(help="Name of the fleet.")] = "home"
    graph: Annotated[
        Path | None,
        typer.Option(help="Folder of the graph: what each device can learn; default: yours, if there is one."),
    ] = None
    host: Annotated[str, typer.Option(help="Address to serve on; others than loopback let anyone look.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")] = 8600


@app.command()
@from_fields(DashboardOptions)
def dashboard(options: DashboardOptions) -> None:
    """Show a fleet, its rounds, curves and devices on a page of this machine; run until Ctrl-C.

    It only reads: nothing is published on the broker, and nothing is written into the folder.
    """
    from jaragua.dashboard.server import LOOPBACK, Wanted, serve
    from jaragua.wire.topics import check_id

    if options.host not in LOOPBACK:
        output.say(f"note: everyone who reaches {options.host} can look at the fleet; there is no password")
    serve(
        Wanted(
            broker=options.address() if options.broker or options.identity else None,
            fleet=check_id(options.fleet, "fleet"),
            folder=options.run_dir,
            graph=_graph(options),
            host=options.host,
            port=options.port,
            on_ready=lambda url: output.say(f"dashboard: {url}"),
        )
    )


def _graph(options: DashboardOptions) -> Path | None:
    """The graph that was named, or the user's own. Raises: StoreError if there is none where one was named."""
    from jaragua.cli.verbs.semantics import graph_folder
    from jaragua.errors import StoreError

    folder = graph_folder.folder_of(options.graph)
    if folder.is_dir():
        return folder
    if options.graph is not None:
        raise StoreError(f"there is no graph in {folder}", "`jaragua fleet serve` or `jaragua fleet add` makes one")
    return None
