"""`jaragua match`: which devices can train a model, or which models a device; why not, and what would make it fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output
from jaragua.cli.options import from_fields
from jaragua.cli.verbs.semantics import graph_folder
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua.semantics.matching.decide import Verdict, Wish
    from jaragua.semantics.matching.records import DeviceRecord, ModelRecord

app = typer.Typer()


@dataclass(frozen=True)
class MatchOptions:
    """The options of `jaragua match`."""

    model: Annotated[str | None, typer.Argument(help="A model of the graph, or of the zoo.")] = None
    board: Annotated[str | None, typer.Option(help="List models for this device instead.")] = None
    where: Annotated[
        str, typer.Option(help="Conditions: 'sensor = accelerometer and ms_per_step < 5' (semantics.md, S5.8).")
    ] = ""
    weights: Annotated[str | None, typer.Option(help="Format of trained weights: w16 or w8; default: the model's.")] = (
        None
    )
    train: Annotated[str | None, typer.Option(help="What trains: all, head or last; default: the model's.")] = None
    buffers: Annotated[int, typer.Option(min=1, max=2, help="Buffers for weights on a board (L4.3).")] = 2
    any_build: Annotated[bool, typer.Option("--any-build", help="Take for each device the build that fits.")] = False
    types: Annotated[
        bool, typer.Option("--types", help="Look at all known types of boards instead of the graph's devices.")
    ] = False
    graph: Annotated[Path | None, typer.Option(help=graph_folder.HELP)] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(MatchOptions)
def match(options: MatchOptions) -> None:
    """Show which devices can train a model, or which models a device; the reasons where one cannot."""
    from jaragua.semantics.matching.decide import match as matched

    if (options.model is None) == (options.board is None):
        raise UsageError("match takes a MODEL or --board ID", "for example: jaragua match digits")
    wish = _wish(options)
    devices, models = _records(options)
    if options.model is not None:
        verdicts = matched(devices, [_named(models, options.model, "model")], wish)
        _show("boards", options.model, verdicts, options.json)
    else:
        verdicts = matched([_named(devices, options.board or "", "device")], models, wish)
        _show("models", options.board or "", verdicts, options.json)


def _wish(options: MatchOptions) -> Wish:
    from jaragua.semantics.matching.conditions import parse
    from jaragua.semantics.matching.decide import Wish

    for option, value, known in (
        ("--weights", options.weights, ("w8", "w16")),
        ("--train", options.train, ("all", "head", "last")),
    ):
        if value is not None and value not in known:
            raise UsageError(f"{option} has no value '{value}'", f"use one of: {', '.join(known)}")
    return Wish(parse(options.where), options.weights, options.train, options.buffers, options.any_build)


def _records(options: MatchOptions) -> tuple[list[DeviceRecord], list[ModelRecord]]:
    if options.types:
        from jaragua.semantics.described import type_records, zoo_records

        return type_records(), zoo_records(None if options.model is None else [options.model])
    from jaragua.semantics.graph.facts import device_records, model_records

    with graph_folder.opened(options.graph) as store:
        return device_records(store), model_records(store)


def _named(records: list[Any], name: str, what: str) -> Any:
    """The record of that id; of several models by `name:architecture`."""
    found = [one for one in records if name in (one.id, one.iri, f"{one.id}:{one.architecture}")]
    if len(found) == 1:
        return found[0]
    if not found:
        import difflib

        matches = difflib.get_close_matches(name, [one.id for one in records], n=1)
        hint = f"did you mean {matches[0]!r}?" if matches else f"the graph has {len(records)} {what}s"
        raise UsageError(f"the graph has no {what} {name!r}", hint)
    names = ", ".join(f"{one.id}:{one.architecture}" for one in found)
    raise UsageError(f"the graph has {len(found)} {what}s {name!r}", f"name one of: {names}")


def document(verdicts: list[Verdict], what: str) -> list[dict[str, Any]]:
    """The rows of `--json`, in order of rank."""
    return [_row(rank, verdict, what) for rank, verdict in enumerate(verdicts, 1)]


def _row(rank: int, verdict: Verdict, what: str) -> dict[str, Any]:
    from jaragua.semantics.matching.decide import ram_needed

    build, cost, device = verdict.build, verdict.cost, verdict.device
    return {
        "id": device.id if what == "boards" else verdict.model.id,
        "fits": verdict.fits,
        "rank": rank,
        "reasons": list(verdict.reasons),
        "remedies": list(verdict.remedies),
        "ready": verdict.is_ready,
        "board": device.board,
        "build": None
        if build is None
        else {
            "core": build.core,
            "weights": build.arithmetic,
            "trains": build.trains,
            "buffers": verdict.buffers,
            "architecture": build.architecture,
        },
        "ram_needed_bytes": None if build is None else ram_needed(build, verdict.buffers),
        "ram_free_bytes": device.free_ram_bytes,
        "flash_needed_bytes": None if build is None else build.flash_bytes,
        "flash_free_bytes": device.free_flash_bytes,
        "instructions_per_step": None if build is None else build.instructions,
        "instructions_per_step_worst": None if build is None else build.instructions_worst,
        "ms_per_step": None if cost is None or cost.ms is None else asdict(cost.ms),
        "mj_per_step": None if cost is None or cost.mj is None else asdict(cost.mj),
        "unknown": [] if cost is None else list(cost.missing),
    }


def _show(what: str, name: str, verdicts: list[Verdict], json: bool) -> None:
    if json:
        key = "model" if what == "boards" else "board"
        output.print_result({key: name, what: document(verdicts, what)})
        return
    fitting = sum(verdict.fits for verdict in verdicts)
    title = f"{name}: {fitting} of {len(verdicts)} {'devices' if what == 'boards' else 'models'} fit"
    columns = (("", False), ("fits", False), ("build", False), ("ms a step", True), ("mJ a step", True), ("", False))
    table = output.new_table(title, *columns)
    for verdict in verdicts:
        table.add_row(*_cells(verdict, what))
    output.show_table(table)


def _cells(verdict: Verdict, what: str) -> list[str]:
    build, cost = verdict.build, verdict.cost
    named = f"{verdict.device.id} ({verdict.device.board or '?'})" if what == "boards" else verdict.model.id
    words = list(verdict.reasons) + [f"fits with {remedy}" for remedy in verdict.remedies]
    words += ["has its image"] if verdict.is_ready else []
    shown = "" if build is None else f"{build.arithmetic}, {build.trains}"
    ms, mj = (None, None) if cost is None else (cost.ms, cost.mj)
    numbers = ["unknown" if one is None else f"{one.low:,.3g} to {one.high:,.3g}" for one in (ms, mj)]
    return [named, "yes" if verdict.fits else "no", shown, *(numbers if verdict.fits else ["", ""]), "; ".join(words)]
