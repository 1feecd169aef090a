"""`jaragua devices`: what the graph knows of devices."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output
from jaragua.cli.verbs.semantics import graph_folder
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua.semantics.graph.store import Refusal
    from jaragua.semantics.matching.records import DeviceRecord

app = typer.Typer()


@app.command()
def devices(
    device: Annotated[str | None, typer.Argument(help="Show all that is known of this device.")] = None,
    where: Annotated[str, typer.Option(help="Conditions: 'place = kitchen and free_ram_bytes > 50000'.")] = "",
    td: Annotated[bool, typer.Option("--td", help="Print the device's Thing Description as it was published.")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Show descriptions that were refused, and why.")] = False,
    graph: Annotated[Path | None, typer.Option(help=graph_folder.HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List the devices that the graph knows, filter them, or show one."""
    from jaragua.semantics.graph.facts import device_records

    if td and device is None:
        raise UsageError("--td is of one device", "jaragua devices board-1 --td")
    with graph_folder.opened(graph) as store:
        if refused:
            _show_refused(store.refusals(), json)
            return
        found = [one for one in device_records(store) if _holds(where, one)]
        documents = store.documents() if td else {}
    if td:
        _show_description(documents, _named(found, device or ""))
    elif device is not None:
        _show_one(_named(found, device), json)
    elif json:
        output.print_result({"devices": [_row(one) for one in found]})
    else:
        _show_all(found)


def _holds(where: str, device: DeviceRecord) -> bool:
    from jaragua.semantics.matching.conditions import parse
    from jaragua.semantics.matching.constraints import Pair, unmet
    from jaragua.semantics.matching.records import ModelRecord

    pair = Pair(device, ModelRecord(""), None, None)
    return all(unmet(constraint, pair) is None for constraint in parse(where))


def _named(found: list[DeviceRecord], name: str) -> DeviceRecord:
    for one in found:
        if name in (one.id, one.iri):
            return one
    raise UsageError(f"the graph has no device {name!r}", "`jaragua devices` lists them")


def _show_description(documents: dict[str, dict[str, Any]], device: DeviceRecord) -> None:
    """JSON, for a file that a client of Things is given."""
    from json import dumps

    if device.iri not in documents:
        raise UsageError(f"the graph has no document of {device.id}", "let `jaragua fleet serve` read it again")
    output.show(dumps(documents[device.iri], indent=1))


def _row(device: DeviceRecord) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(device).items()}


def _show_one(device: DeviceRecord, json: bool) -> None:
    if json:
        output.print_result(_row(device))
        return
    for name, value in _row(device).items():
        output.show(f"{name:<22} {_text(value)}")


def _show_all(found: list[DeviceRecord]) -> None:
    headings = ("device", "board", "core", "free RAM", "free flash", "sensors", "place")
    columns = ((one, one.startswith("free")) for one in headings)
    table = output.new_table(f"{len(found)} devices", *columns)
    for one in found:
        sensors = None if one.sensors is None else sorted(one.sensors)
        row = (one.id, one.board, one.core, one.free_ram_bytes, one.free_flash_bytes, sensors, one.place)
        table.add_row(*map(_text, row))
    output.show_table(table)


def _show_refused(found: list[Refusal], json: bool) -> None:
    if json:
        rows = [{"source": one.source, "reasons": list(one.sentences), "count": one.count} for one in found]
        output.print_result({"refused": rows})
        return
    output.show(f"{len(found)} sources with a refused description")
    for one in found:
        output.show(f"{one.source} ({one.count} times)")
        for sentence in one.sentences:
            output.show(f"  {sentence}")


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
