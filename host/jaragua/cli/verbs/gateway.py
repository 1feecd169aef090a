"""`jaragua gateway`: the boards on this machine's ports as devices of the fleet."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import completions
from jaragua.cli.broker_options import NodeOptions
from jaragua.cli.options import from_fields
from jaragua.cli.port_choice import PORT_HELP, chosen_ports

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class GatewayOptions(NodeOptions):
    """The options of `jaragua gateway`."""

    port: Annotated[list[str] | None, typer.Option(help=f"Once per board. {PORT_HELP}")] = None
    id: Annotated[list[str] | None, typer.Option(help="Name of a board, in the order of the ports.")] = None
    model: Annotated[
        str | None,
        typer.Option(
            help="Model of the zoo, or a TOML file; default: that of the run.", autocompletion=completions.models
        ),
    ] = None
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the outbox; default: ~/.local/state/jaragua.")] = None
    owner: Annotated[
        Path | None, typer.Option(help="TOML file of what you state of devices: sensors, place (semantics.md, S2.5).")
    ] = None
    patience: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait for the broker at the start; default: for ever.")
    ] = None
    require_ports: Annotated[
        bool, typer.Option("--require-ports", help="End with exit code 4 if a port is missing at the start.")
    ] = False
    board_patience: Annotated[
        float | None, typer.Option(help="Factor on all time-outs of a board; 10 for a slow machine.")
    ] = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False


@app.command()
@from_fields(GatewayOptions)
def gateway(options: GatewayOptions) -> None:
    """Connect boards on serial ports to the fleet; run until Ctrl-C."""
    from jaragua.gateway.gateway import board_opener, port_settings, run_gateway
    from jaragua.node.node import NodeSettings, default_data_dir
    from jaragua.node.program import run_until_signal, say_log
    from jaragua.semantics.things.statements import read_statements
    from jaragua.serial.patience import patience_of

    say_log(options.verbose)
    ports = port_settings(chosen_ports(options.port or []), options.id or [], required=options.require_ports)
    opener = board_opener(patience_of(options.board_patience))
    fleet, node = options.named(_name_of_host())
    settings = NodeSettings(
        url=options.address(),
        fleet=fleet,
        node=node,
        kind="gateway",
        model=options.model,
        data_dir=options.data_dir or default_data_dir(),
        stated={} if options.owner is None else read_statements(options.owner),
        patience_seconds=options.patience,
        coordinator_key=options.verifying_key(),
    )
    run_until_signal(run_gateway(settings, ports, opener))


def _name_of_host() -> str:
    """The host's name as an id."""
    return re.sub(r"[^a-z0-9-]+", "-", platform.node().lower()).strip("-")[:32] or "gateway"
