"""`jaragua broker start` and `jaragua broker check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jaragua_broker import Broker

app = typer.Typer(no_args_is_help=True)

_LOOK_SECONDS = 0.25


@app.command()
def start(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; default: that of --data, else 1883, else the next free one."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for retained messages and the port.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the URL as a JSON document.")] = False,
) -> None:
    """Start mosquitto on the loopback interface; print its URL and run until Ctrl-C.

    A restarted broker has the same port: that of its data folder, or 1883 if that is free.
    """
    from jaragua.node.program import run_until_signal
    from jaragua_broker import USUAL_PORT, Broker

    with Broker(port, data, USUAL_PORT) as broker:
        run_until_signal(_announce_and_watch(broker, json))


@app.command()
def check(
    broker: Annotated[str, typer.Option(help="URL of the broker, e.g. mqtt://127.0.0.1:1883.")],
    json: Annotated[bool, typer.Option("--json", help="Print the result as a JSON document.")] = False,
) -> None:
    """Check that an MQTT 5 broker answers at a URL and accepts this user."""
    import asyncio

    from jaragua.cli import output
    from jaragua.node.connection.check import check_broker
    from jaragua.node.connection.url import parse_broker_url

    url = parse_broker_url(broker)
    milliseconds = asyncio.run(check_broker(url))
    if json:
        output.print_result({"url": url.public, "round_trip_ms": milliseconds})
    else:
        output.show(f"{url.public} answers: a message came back after {milliseconds:.1f} ms")


async def _announce_and_watch(broker: Broker, json: bool) -> None:
    """Whoever reads the URL may end us at once, and well. BrokerError if mosquitto ends by itself."""
    import asyncio

    from jaragua.errors import BrokerError

    _announce(broker, json)
    while broker.alive:
        await asyncio.sleep(_LOOK_SECONDS)
    raise BrokerError("mosquitto ended by itself", "look into the system's log, then start it again")


def _announce(broker: Broker, json: bool) -> None:
    from jaragua.cli import output

    for one in broker.passed_over:
        output.say(f"port {one.port} {one.reason}; this broker listens on {broker.port}")
    if json:
        passed_over = [{"port": one.port, "reason": one.reason} for one in broker.passed_over]
        output.print_result({"url": broker.url, "port": broker.port, "passed_over": passed_over})
    else:
        output.show(broker.url)
    output.say("broker runs; Ctrl-C stops it")
