"""`jaragua pki`: identities of a fleet, made and withdrawn by its authority."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jaragua.trust.access_list import Guest
    from jaragua.trust.authority import AuthorityFolder
    from jaragua.trust.enrolment.server import EnrolmentServer
    from jaragua.trust.registry import Certified

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[
    Path, typer.Option("--folder", envvar="JARAGUA_TRUST", help="Folder of `jaragua broker init`; default: trust.")
]
Name = Annotated[str, typer.Argument(help="Name of the node: a-z, 0-9 and -; `coordinator` is the coordinator.")]
Devices = Annotated[
    list[str] | None, typer.Option("--device", help="A device that the node may have; once per device; default: any.")
]
Days = Annotated[float, typer.Option(min=0.01, max=3650, help="Days until the certificate expires.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as a JSON document.")]

_DAYS = 825.0
_FOLDER = Path("trust")


@app.command()
def issue(
    name: Name,
    device: Devices = None,
    observer: Annotated[
        bool,
        typer.Option("--observer", help="It reads what is shown of the fleet, and writes nothing: for dashboards."),
    ] = False,
    asker: Annotated[
        bool, typer.Option("--asker", help="It reads what devices tell and asks them: for clients of Things.")
    ] = False,
    days: Days = _DAYS,
    folder: Folder = _FOLDER,
    json: Json = False,
) -> None:
    """Make key and certificate of a node or a guest here, and print the folder to bring to its machine."""
    from jaragua.cli import output
    from jaragua.errors import UsageError
    from jaragua.trust.authority import now_utc

    if observer and asker:
        raise UsageError("an identity is an observer or an asker", "make one of each, under two names")
    guest: Guest | None = "observer" if observer else "asker" if asker else None
    made = _authority(folder).issue(name, device or [], now_utc(), days, guest=guest)
    if json:
        output.print_result({"name": name, "identity": str(made)})
    else:
        output.show(str(made))
    output.say(f"bring this folder to {name} over a safe channel; `jaragua pki invite` needs none")


@app.command()
def invite(
    name: Name,
    device: Devices = None,
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="Hours until the invitation expires.")] = 24.0,
    folder: Folder = _FOLDER,
    json: Json = False,
) -> None:
    """Print a token with which one node enrols once: `jaragua join TOKEN` on that node."""
    import secrets

    from jaragua.cli import output
    from jaragua.trust.authority import now_utc
    from jaragua.trust.enrolment.token import SECRET_BYTES, Token, fingerprint_of

    authority = _authority(folder)
    host = authority.registry().hosts[0]
    fingerprint = fingerprint_of(authority.certificate.read_bytes())
    token = Token(host, authority.enrolment_port, name, fingerprint, secrets.token_bytes(SECRET_BYTES))
    authority.invite(name, device or [], token.digest, now_utc(), hours)
    if json:
        output.print_result({"name": name, "token": token.text, "hours": hours})
    else:
        output.show(token.text)
    output.say(f"while `jaragua pki serve` runs here, give on {name}: jaragua join TOKEN (within {hours:g} h, once)")


@app.command()
def serve(
    bind: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    folder: Folder = _FOLDER,
) -> None:
    """Let invited nodes enrol, over TLS, at the port that `jaragua broker init` was given; run until Ctrl-C."""
    from jaragua.cli import output
    from jaragua.node.program import run_until_signal, say_log

    say_log(verbose=False)
    authority = _authority(folder)
    from jaragua.trust.enrolment.server import EnrolmentServer

    authority.registry()
    port = authority.enrolment_port
    with EnrolmentServer(authority, bind, port) as server:
        output.say(f"invited nodes may enrol at port {port}; Ctrl-C stops it")
        run_until_signal(_served(server))


async def _served(server: EnrolmentServer) -> None:
    import asyncio

    serving = asyncio.create_task(asyncio.to_thread(server.serve_forever, 0.1))
    try:
        await asyncio.shield(serving)
    finally:
        server.shutdown()
        await serving


@app.command()
def revoke(name: Name, folder: Folder = _FOLDER) -> None:
    """Withdraw all certificates of a node; a broker of `jaragua broker start` drops it within two seconds."""
    from jaragua.cli import output
    from jaragua.trust.authority import now_utc

    _authority(folder).withdraw(name, now_utc())
    output.say(f"{name} is revoked; restart a broker that another program started, so that it reads the list anew")


@app.command()
def renew(
    name: Annotated[str, typer.Argument(help="Name of a node, `coordinator`, or `broker`.")],
    days: Days = _DAYS,
    folder: Folder = _FOLDER,
) -> None:
    """Make a new certificate for the key that a node has; print its file, to be put in place of the old one."""
    from jaragua.cli import output
    from jaragua.trust.authority import now_utc

    authority = _authority(folder)
    if name == "broker":
        authority.renew_broker(now_utc(), days)
        output.show(str(authority.broker_certificate))
    else:
        output.show(str(authority.renew(name, now_utc(), days)))


@app.command("list")
def list_(folder: Folder = _FOLDER, json: Json = False) -> None:
    """List the certificates of the fleet, and open invitations."""
    from jaragua.cli import output
    from jaragua.trust.authority import now_utc

    now, registry = now_utc(), _authority(folder).registry()
    rows = [_row(one, one.status(now)) for one in registry.certificates]
    invited = [one.name for one in registry.invitations if not one.used and one.expires > now.isoformat()]
    if json:
        output.print_result({"fleet": registry.fleet, "certificates": rows, "invited": invited})
        return
    output.show(f"fleet {registry.fleet}; broker {', '.join(registry.hosts)}")
    for row in rows:
        output.show(f"  {row['name']:<20} {row['status']:<9} until {str(row['expires'])[:10]}  {row['devices']}")
    for name in invited:
        output.show(f"  {name:<20} invited")


def _row(one: Certified, status: str) -> dict[str, object]:
    return {
        "name": one.name,
        "status": status,
        "expires": one.expires,
        "devices": one.guest or ", ".join(one.devices),
        "serial": one.serial,
    }


def _authority(folder: Path) -> AuthorityFolder:
    from jaragua.trust import needed

    needed.check()
    from jaragua.trust.authority import AuthorityFolder

    return AuthorityFolder(folder)
