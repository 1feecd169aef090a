"""`jaragua service`: start gateway, client, broker or coordinator with the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import completions, output
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua.service import Places, Role, State

app = typer.Typer(no_args_is_help=True)

_ROLE = typer.Argument(help="gateway, client, broker or coordinator.", autocompletion=completions.services)
_USER = typer.Option("--user", help="A service of this user; default: of the system for root, else of this user.")
_ROOT = typer.Option(help="Folder of a system that is being made, for example of an SD card.")
_JSON = typer.Option("--json", help="Print one JSON document.")


@app.command()
def install(
    role: Annotated[str, _ROLE],
    options: Annotated[
        list[str] | None, typer.Argument(help="Behind --: options of the verb; default: --identity of the folder.")
    ] = None,
    user: Annotated[bool, _USER] = False,
    root: Annotated[Path | None, _ROOT] = None,
    program: Annotated[Path | None, typer.Option(help="`jaragua` to start; default: the one that runs now.")] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the unit, and write nothing.")] = False,
    json: Annotated[bool, _JSON] = False,
) -> None:
    """Write a unit of systemd and the file of its options, and enable it. It starts with the machine."""
    from jaragua import service
    from jaragua.node.connection.access import refuse_password
    from jaragua.service.places import program as installed

    wanted, places = _role(role), _places(user, root)
    for word in options or []:
        refuse_password(word)
    started = (program or installed()).absolute()
    if show:
        settings = places.config / f"{wanted}.env"
        output.show(service.unit_text(wanted, started, settings, is_system=places.is_system).rstrip("\n"))
        return
    done = service.install(wanted, places, started, options)
    if json:
        output.print_result({"unit": str(done.unit), "options": str(done.options), "next": list(done.next)})
        return
    output.show(f"unit     {done.unit}")
    output.show(f"options  {done.options}{' (kept)' if done.kept_options else ''}")
    for command in done.next:
        output.say(f"next: {command}")


@app.command()
def uninstall(
    role: Annotated[str, _ROLE], user: Annotated[bool, _USER] = False, root: Annotated[Path | None, _ROOT] = None
) -> None:
    """Stop a service and remove its unit. Options, identities and what it has stored stay."""
    from jaragua import service

    places = _places(user, root)
    removed = service.uninstall(_role(role), places)
    output.show("\n".join(f"removed {path}" for path in removed) or f"{role} is not installed")
    output.say(f"kept: {places.now(places.config)} and {places.now(places.state)}")


@app.command()
def status(
    role: Annotated[
        str | None, typer.Argument(help="One role; default: all.", autocompletion=completions.services)
    ] = None,
    user: Annotated[bool, _USER] = False,
    root: Annotated[Path | None, _ROOT] = None,
    json: Annotated[bool, _JSON] = False,
) -> None:
    """Show which services are installed, and whether they work."""
    from jaragua import service

    places = _places(user, root)
    roles = list(service.Role) if role is None else [_role(role)]
    found = [service.state_of(one, places) for one in roles]
    if json:
        output.print_result({"services": [_document(one) for one in found]})
        return
    for one in found:
        output.show(f"{one.role:12} {_text(one)}")


def _document(state: State) -> dict[str, object]:
    return {
        "role": state.role.value,
        "unit": str(state.unit),
        "installed": state.is_installed,
        "enabled": state.enabled,
        "active": state.active,
        "restarts": state.restarts,
    }


def _text(state: State) -> str:
    if not state.is_installed:
        return "not installed"
    if not state.active:
        return f"installed ({state.unit}); systemd does not run here"
    return f"{state.active}, {state.enabled}, {state.restarts or 0} restarts"


def _role(name: str) -> Role:
    from jaragua.service import Role

    try:
        return Role(name)
    except ValueError:
        raise UsageError(f"there is no service '{name}'", f"use one of: {', '.join(Role)}") from None


def _places(user: bool, root: Path | None) -> Places:
    from jaragua.service import places

    return places(is_system=not user and (os.geteuid() == 0 or root is not None), root=root)
