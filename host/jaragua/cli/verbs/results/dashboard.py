"""`jaragua dashboard`: a live page of a fleet, or of a run that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output

app = typer.Typer()


@app.command()
def dashboard(
    run_dir: Annotated[
        Path | None, typer.Argument(help="Folder of a run or a simulation; without one: --broker alone.")
    ] = None,
    broker: Annotated[str, typer.Option(help="URL of a broker to watch: mqtt://[user:password@]host[:port].")] = "",
    fleet: Annotated[str, typer.Option(help="Name of the fleet.")] = "home",
    host: Annotated[str, typer.Option(help="Address to serve on; others than loopback let anyone look.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0: a free one.")] = 8600,
) -> None:
    """Show a fleet, its rounds, curves and devices on a page of this machine; run until Ctrl-C.

    It only reads: nothing is published on the broker, and nothing is written into the folder.
    """
    from jaragua.dashboard.server import LOOPBACK, Wanted, serve
    from jaragua.wire.topics import check_id

    if host not in LOOPBACK:
        output.say(f"note: everyone who reaches {host} can look at the fleet; there is no password")
    serve(
        Wanted(
            broker=broker,
            fleet=check_id(fleet, "fleet"),
            folder=run_dir,
            host=host,
            port=port,
            on_ready=lambda url: output.say(f"dashboard: {url}"),
        )
    )
