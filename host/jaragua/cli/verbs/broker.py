"""`jaragua broker init`, `jaragua broker start` and `jaragua broker check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import output
from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import from_fields
from jaragua.errors import UsageError
from jaragua.trust.authority_files import USUAL_ENROLMENT_PORT

if TYPE_CHECKING:
    from jaragua.trust.authority import AuthorityFolder
    from jaragua.trust.authority_files import AuthorityFiles
    from jaragua_broker import Broker, Endpoint, Secured

app = typer.Typer(no_args_is_help=True)

LOOPBACK = "127.0.0.1"
_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class StartOptions:
    """The options of `jaragua broker start`."""

    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; default: that of --data, else of --tls, else 1883 or a free one."),
    ] = None
    data: Annotated[Path | None, typer.Option(help="Folder for retained messages and the port.")] = None
    bind: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = LOOPBACK
    tls: Annotated[
        Path | None, typer.Option(help="Folder of `jaragua broker init`: TLS, certificates, access list.")
    ] = None
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine without TLS: anyone there may do anything.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print the URL as a JSON document.")] = False


@app.command()
@from_fields(StartOptions)
def start(options: StartOptions) -> None:
    """Start mosquitto; print its URL and run until Ctrl-C.

    Without --tls it listens on the loopback interface and knows no identities. A restarted broker has the same port:
    that of its data folder, else with --tls the one given to `jaragua broker init`, else 1883 if that is free.
    """
    from jaragua.node.program import run_until_signal
    from jaragua_broker import USUAL_PORT, Broker

    endpoint = _endpoint(options)
    with Broker(options.port, options.data, USUAL_PORT, endpoint) as broker:
        run_until_signal(_announce_and_watch(broker, endpoint, options.json))


@app.command()
def init(
    host: Annotated[list[str], typer.Option(help="Name or address under which nodes reach the broker; repeatable.")],
    fleet: Annotated[str, typer.Option(help="Name of the fleet.")] = "home",
    folder: Annotated[Path, typer.Option(envvar="JARAGUA_TRUST", help="Folder to make.")] = Path("trust"),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the broker; identities name it, and `broker start` takes it.")
    ] = 8883,
    enrolment_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of `jaragua pki serve`; the tokens of `pki invite` name it.")
    ] = USUAL_ENROLMENT_PORT,
) -> None:
    """Make an authority, the broker's certificate, its access list and a configuration of mosquitto."""
    from jaragua.trust import needed

    needed.check()
    from jaragua.trust.authority import AuthorityFolder, now_utc

    authority = AuthorityFolder(folder)
    authority.create(fleet, host, port, now_utc(), enrolment_port)
    _write_configuration(authority, port)
    output.show(str(authority.folder))
    output.say(
        f"next: `jaragua broker start --tls {folder} --bind 0.0.0.0`, then `jaragua pki invite NODE` for each node"
    )


def _write_configuration(authority: AuthorityFolder, port: int) -> None:
    """For a mosquitto that the system starts; `jaragua broker start` writes its own."""
    from jaragua.trust import private_files
    from jaragua_broker import Endpoint, render

    endpoint = Endpoint("0.0.0.0", _secured(authority), is_audited=False)
    text = render(port, Path("/var/lib/mosquitto"), "mosquitto", endpoint=endpoint)
    private_files.write(authority.folder / "mosquitto.conf", text.encode(), private_files.PUBLIC_MODE)


def _endpoint(options: StartOptions) -> Endpoint:
    """Where to listen and whom to let in. Raises: UsageError (G1)."""
    from jaragua.trust.authority_files import AuthorityFiles
    from jaragua.trust.reach import is_loopback
    from jaragua_broker import Endpoint

    if options.tls is not None:
        authority = AuthorityFiles(options.tls)
        _warn_of_expiry(authority)
        return Endpoint(options.bind, _secured(authority), authority.host, port=authority.port)
    if not is_loopback(options.bind):
        if not options.insecure:
            raise UsageError(
                f"a broker on {options.bind} without TLS lets everyone on that network in",
                "make identities with `jaragua broker init` and give --tls FOLDER; --insecure does without them",
            )
        output.say(f"warning: --insecure: everyone who reaches {options.bind} may read and write everything")
    return Endpoint(options.bind)


def _warn_of_expiry(authority: AuthorityFiles) -> None:
    """G19."""
    from jaragua.node.connection.expiry_watch import soon_ending

    for sentence in soon_ending([authority.broker_certificate, authority.certificate]):
        output.say(f"warning: {sentence}")


def _secured(authority: AuthorityFiles) -> Secured:
    from jaragua_broker import Secured

    return Secured(
        authority=authority.certificate,
        certificate=authority.broker_certificate,
        key=authority.broker_key,
        revoked=authority.revoked,
        access_list=authority.access_list,
    )


@dataclass(frozen=True, kw_only=True)
class CheckOptions(BrokerOptions):
    """The options of `jaragua broker check`."""

    json: Annotated[bool, typer.Option("--json", help="Print the result as a JSON document.")] = False


@app.command()
@from_fields(CheckOptions)
def check(options: CheckOptions) -> None:
    """Check that an MQTT 5 broker answers at a URL and accepts this user."""
    import asyncio

    from jaragua.node.connection.check import check_broker

    url = options.address()
    milliseconds = asyncio.run(check_broker(url))
    if options.json:
        output.print_result({"url": url.public, "round_trip_ms": milliseconds})
    else:
        output.show(f"{url.public} answers: a message came back after {milliseconds:.1f} ms")


async def _announce_and_watch(broker: Broker, endpoint: Endpoint, json: bool) -> None:
    """Whoever reads the URL may end us at once, and well. BrokerError if mosquitto ends by itself.

    mosquitto 2.0 reads a revocation list at its start only, and a session goes on after its certificate was revoked:
    it is started again when one of its files changes (G13).
    """
    import asyncio

    from jaragua.errors import BrokerError

    _announce(broker, endpoint, json)
    stamp = _stamp(endpoint)
    while broker.alive:
        await asyncio.sleep(_LOOK_SECONDS)
        if (now := _stamp(endpoint)) not in (None, stamp):
            stamp = now
            output.say("the broker's certificates or lists have changed: it is started again")
            broker.restart()
    raise BrokerError("mosquitto ended by itself", "look into the system's log, then start it again")


def _stamp(endpoint: Endpoint) -> object:
    """None while a file is being replaced."""
    try:
        return endpoint.secured.stamp() if endpoint.secured is not None else ()
    except OSError:
        return None


def _announce(broker: Broker, endpoint: Endpoint, json: bool) -> None:
    for one in broker.passed_over:
        output.say(f"port {one.port} {one.reason}; this broker listens on {broker.port}")
    if json:
        passed_over = [{"port": one.port, "reason": one.reason} for one in broker.passed_over]
        output.print_result({"url": broker.url, "port": broker.port, "passed_over": passed_over})
    else:
        output.show(broker.url)
    if endpoint.port not in (None, broker.port):
        output.say(f"warning: the fleet's identities name port {endpoint.port}: give nodes --broker {broker.url}")
    output.say("broker runs; Ctrl-C stops it")
