"""`jaragua client`: this machine as a device of the fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def client(
    broker: Annotated[str, typer.Option(help="URL of the broker: mqtt://[user:password@]host[:port], or mqtts://.")],
    fleet: Annotated[str, typer.Option(help="Name of the fleet.")],
    node: Annotated[str, typer.Option(help="Name of this machine in the fleet: a-z, 0-9 and -.")],
    model: Annotated[str | None, typer.Option(help="Model of the zoo; none: what the run says.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the outbox; none: ~/.local/state/jaragua.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Put this machine into the fleet as a device (Pi class); runs until Ctrl-C."""
    from jaragua.client.client import run_client
    from jaragua.node.node import NodeSettings, default_data_dir
    from jaragua.node.program import run_until_signal, say_log
    from jaragua.node.url import parse_broker_url
    from jaragua_compiler import NativeEngine

    say_log(verbose)
    settings = NodeSettings(
        url=parse_broker_url(broker),
        fleet=fleet,
        node=node,
        kind="pi",
        model=model,
        data_dir=data_dir or default_data_dir(),
    )
    run_until_signal(run_client(settings, NativeEngine))
