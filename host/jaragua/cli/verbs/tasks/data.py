"""`jaragua data`: what is in the data of a task, before anything is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import output
from jaragua.cli.options import from_fields
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua_compiler.export import InputFormat
    from jaragua_models.own_data.statistics import Statistics
    from jaragua_models.own_data.summary import Summary

app = typer.Typer()

#: More classes than these are counted by device in --json only.
_MOST_COLUMNS = 8


@dataclass(frozen=True)
class DataOptions:
    """The options of `jaragua data`."""

    task: Annotated[Path, typer.Argument(help="The TOML file of a task (docs/reference/own-data.md).")]
    others: Annotated[
        list[Path] | None,
        typer.Argument(help="With --scaling: statistics of nodes, or weights (.safetensors) with a scaling."),
    ] = None
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Print counts and sums of the columns, and no sample, as JSON.")
    ] = False
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Print [scaling] for the TOML file: of its data, or of OTHERS.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(DataOptions)
def data(options: DataOptions) -> None:
    """Show what is in the data of a task: devices, classes, features, recordings, and what to look at."""
    from jaragua_models.own_data.model import statistics_of
    from jaragua_models.own_data.summary import summary_of

    if options.others and not options.scaling:
        raise UsageError("files behind the task are for --scaling", "add --scaling, or leave them out")
    if options.statistics and options.scaling:
        raise UsageError("--statistics and --scaling are two results", "give one of them")
    if options.statistics:
        output.show(statistics_of(options.task).to_json())
    elif options.scaling:
        _show_scaling(options)
    elif options.json:
        output.print_result(asdict(summary_of(options.task)))
    else:
        _print(summary_of(options.task))


def _show_scaling(options: DataOptions) -> None:
    found = _scaling_of(options.task, options.others or [])
    if options.json:
        output.print_result({"scaling": found.facts()})
        return
    output.show("[scaling]")
    for column in found.columns:
        wide = ", wide = true" if column.wide else ""
        numbers = f"offset = {column.offset!r}, scale = {column.scale!r}, per_unit = {column.per_unit!r}{wide}"
        output.show(f"{_quoted(column.name)} = {{ {numbers} }}")


def _scaling_of(task: Path, others: list[Path]) -> InputFormat:
    from functools import reduce

    from jaragua_models.own_data.model import statistics_of
    from jaragua_models.own_data.statistics import Statistics

    weights = [path for path in others if path.suffix == ".safetensors"]
    if weights:
        if len(others) > 1:
            raise UsageError("weights have one scaling", "give one .safetensors file, or statistics only")
        return _scaling_in(weights[0])
    parts = [_statistics_in(path) for path in others] or [statistics_of(task)]
    return reduce(Statistics.joined, parts).format()


def _scaling_in(path: Path) -> InputFormat:
    from jaragua_compiler.export.inputs.weights_file import read_interface

    interface = read_interface(path)
    if interface is None or interface.inputs is None:
        raise UsageError(f"{path} has no scaling", "give the weights of a task with a table")
    return interface.inputs


def _statistics_in(path: Path) -> Statistics:
    from jaragua.reasons import reason_of
    from jaragua_models.own_data.statistics import Statistics

    try:
        return Statistics.from_json(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}", "check the path") from error


def _quoted(name: str) -> str:
    """A key of TOML."""
    if name and all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _print(found: Summary) -> None:
    output.show(f"{found.name}: {found.samples:,} samples of {found.inputs} inputs, {found.path}")
    if found.devices:
        _print_devices(found)
    else:
        kept = [f"{name} (held out)" if name in found.held_out else name for name in found.classes]
        counts = zip(kept, found.classes.values(), strict=True)
        output.show("classes: " + ", ".join(f"{name} {count}" for name, count in counts))
    if found.features:
        _print_features(found)
    if found.sound is not None:
        _print_sound(found)
    for warning in found.warnings:
        output.show(f"look at: {warning.text}")


def _print_devices(found: Summary) -> None:
    shown = list(found.classes) if len(found.classes) <= _MOST_COLUMNS else []
    columns = [("device", False), ("node", False), ("", False), ("samples", True), *((name, True) for name in shown)]
    table = output.new_table(f"samples by class: {len(found.devices)} devices, {len(found.classes)} classes", *columns)
    for one in found.devices:
        role = "held out" if one.held_out else "trains"
        counts = [f"{one.counts[name]:,}" for name in shown]
        table.add_row(one.device, one.name, role, f"{one.samples:,}", *counts)
    total = [f"{found.classes[name]:,}" for name in shown]
    table.add_row("all", "", "", f"{found.samples:,}", *total)
    output.show_table(table)
    if not shown:
        output.show("classes: " + ", ".join(f"{name} {count}" for name, count in found.classes.items()))


def _print_features(found: Summary) -> None:
    columns = (("feature", False), ("smallest", True), ("largest", True), ("mean", True), ("deviation", True))
    table = output.new_table("features, of the devices that train", *columns)
    for one in found.features:
        table.add_row(one.name, *(f"{number:.6g}" for number in (one.low, one.high, one.mean, one.deviation)))
    output.show_table(table)


def _print_sound(found: Summary) -> None:
    sound = found.sound
    assert sound is not None
    rates = ", ".join(f"{rate} Hz" for rate in sound.rates_hz)
    quiet, median, loud = sound.loudness_db
    output.show(f"recordings: {sound.recordings} of {sound.shortest_s:.2f} to {sound.longest_s:.2f} s, {rates}")
    output.show(f"  {sound.padded} shorter than a second, {sound.cut} longer, {sound.clipped} clipped")
    output.show(f"  loudness {quiet:.0f} to {loud:.0f} dB of full scale, median {median:.0f} dB")
