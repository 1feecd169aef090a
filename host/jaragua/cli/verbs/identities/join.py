"""`jaragua join TOKEN`: this machine gets its identity in a fleet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def join(
    token: Annotated[str, typer.Argument(help="The token of `jaragua pki invite`, or - to read it from stdin.")],
    folder: Annotated[Path | None, typer.Option(help="Folder to make; default: the node's name.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as a JSON document.")] = False,
) -> None:
    """Enrol this machine: make its private key here, and get its certificate from the fleet's authority.

    The folder is what `jaragua client` and `jaragua gateway` take as --identity.
    """
    from jaragua.cli import output
    from jaragua.trust import needed

    needed.check()
    from jaragua.trust.enrolment.join import join as enrol
    from jaragua.trust.enrolment.token import parse

    parsed = parse((sys.stdin.readline() if token == "-" else token).strip())
    about = enrol(parsed, (folder or Path(parsed.node)).absolute())
    if json:
        output.print_result({"node": about.name, "fleet": about.fleet, "identity": str(about.folder)})
    else:
        output.show(str(about.folder))
    output.say(f"next: jaragua client --identity {about.folder}")
