"""`jaragua flash --fleet`: images for the boards behind gateways."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from jaragua.cli.output import new_table, print_result, say, show_table
from jaragua.errors import BoardError

if TYPE_CHECKING:
    from jaragua.cli.verbs.ports.flash import FlashOptions
    from jaragua.flash.fleet.flash_fleet import Outcome, Plan

_DEFAULT_FLEET = "home"
_IDENTITY = ("board", "firmware", "build", "model", "architecture")


def flash_fleet(options: FlashOptions) -> None:
    """Print what became of each board; exit code 6 if one was left behind."""
    from jaragua.flash.fleet import flash_fleet as fleet
    from jaragua.wire.topics import check_id

    owner = options.access.owner()
    name = check_id(options.fleet_name or (owner.fleet if owner else _DEFAULT_FLEET), "fleet")
    plan = _plan(options)
    found = asyncio.run(fleet.flash_fleet(options.address(), name, options.signer(options.signing_key), plan, say))
    left = [one for one in found if one.is_left_behind]
    if options.json:
        print_result({"boards": [_entry(one) for one in found]})
    else:
        _print(found, name)
    if left:
        say(f"error: left behind: {'; '.join(map(_sentence, left))}")
        say("hint: mend what is named and run the command again; boards that have the image are not touched")
        raise typer.Exit(BoardError.exit_code)


def _plan(options: FlashOptions) -> Plan:
    from jaragua.emulate.image import asked_for, key_asked_for
    from jaragua.flash.fleet.flash_fleet import Plan
    from jaragua.flash.fleet.needs import Asked
    from jaragua.gateway.deployed import start_of
    from jaragua.models import absolute, model_named, model_started

    model = absolute(options.model) if options.model else None
    if model is not None:
        model_named(model)  # an unknown one is said before anything is asked
    start = start_of(model_started(model, options.start), options.start).blob if model and options.start else b""
    sums, classes = asked_for()
    key = options.coordinator_key or key_asked_for()
    asked = Asked(model, sums, classes, options.force, key, options.without_key)
    return Plan(asked, tuple(options.only or ()), start, options.patience, options.dry_run)


def _print(found: Sequence[Outcome], fleet: str) -> None:
    if not found:
        say(f"no board is behind a gateway of the fleet '{fleet}'; jaragua gateway connects boards")
        return
    headings = ("gateway", "board", "environment", "from", "to", "result")
    table = new_table("", *((heading, False) for heading in headings))
    for one in found:
        result = f"{one.result}: {one.reason}" if one.reason else one.result
        board = one.board
        table.add_row(board.gateway, board.device, board.environment, _words(board.said), _words(one.after), result)
    show_table(table)


def _words(said: Mapping[str, str]) -> str:
    """What a board says of its image, in short."""
    build = said.get("build", "")
    return f"{said.get('model', '')} ({build[:8]})" if build else ""


def _sentence(one: Outcome) -> str:
    return f"{one.board.device} at {one.board.gateway}: {one.reason or 'no reason was said'}"


def _entry(one: Outcome) -> dict[str, Any]:
    return {
        "gateway": one.board.gateway,
        "board": one.board.device,
        "environment": one.board.environment or None,
        "before": _identity(one.board.said),
        "after": _identity(one.after),
        "result": one.result,
        "reason": one.reason or None,
    }


def _identity(said: Mapping[str, str]) -> dict[str, str] | None:
    found = {name: said[name] for name in _IDENTITY if name in said}
    return found or None
