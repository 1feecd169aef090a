"""`jaragua bench`: count the instructions of a training step on the emulated board, beside the float32 baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import output
from jaragua.cli.tool_errors import tool_errors
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua_bench.batch_reptile import Comparison
    from jaragua_bench.measure import Result

app = typer.Typer()

_OVERVIEW = "{:<16} {:>10} {:>9} {:>4} {:>10} {:>9} {:>7} {:>6}"
_BATCHES = "{:<12} {:>7} {:>9} {:>11} {:>11} {:>5} {:>11} {:>7} {:>5}"
_OPERATOR = "  {:<28} {:>10} {:>20} {:>12}"


@app.command()
def bench(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Measure only this model, or the task of a TOML file; may be repeated."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Weights of the one --model: the .safetensors file of a run or simulation.")
    ] = None,
    batches: Annotated[
        bool, typer.Option("--batches", help="Compare TinyReptile with batch Reptile, by task size.")
    ] = False,
) -> None:
    """Count the instructions of a training step on an emulated Cortex-M4, and of the same in float32."""
    if batches:
        _bench_batches(model, json)
        return
    from jaragua_bench.measure import MODELS, measure

    if start is not None and len(model or ()) != 1:
        raise UsageError("--start has the weights of one model", "name it with --model, once")
    results = []
    for name in _chosen(model or list(MODELS), list(MODELS)):
        output.say(f"measuring {name} …")
        with tool_errors():
            results.append(measure(name, start))
    if json:
        output.print_result({"results": [asdict(result) for result in results]})
    else:
        _print_table(results)


def _bench_batches(wanted: Sequence[str] | None, json: bool) -> None:
    from jaragua_bench.batch_reptile import cases, compare

    found: list[Comparison] = []
    known = cases()
    for name in _chosen(wanted or list(known), list(known), tasks=False):
        output.say(f"measuring {name} …")
        with tool_errors():
            found.extend(compare(name, known[name]))
    if json:
        output.print_result({"comparisons": [asdict(comparison) for comparison in found]})
    else:
        output.show("\n".join(_batch_lines(found)))


def _batch_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield "One device's work of one round on an emulated Cortex-M4: instructions, and bytes of"
    yield "RAM with the samples it holds. Work: passes x samples a step, TinyReptile's first. One"
    yield "pass in steps of 2 or 3 keeps no sample: TinyReptile with accumulation, not batch."
    yield ""
    yield _BATCHES.format(
        "", "samples", "work", "TinyReptile", "batch", "ratio", "TinyReptile", "batch", "ratio"
    ).rstrip()
    for one in comparisons:
        tiny, batch = one.tiny_reptile, one.batch_reptile
        yield _BATCHES.format(
            one.task,
            one.samples,
            f"{one.tiny_passes}x1, {one.passes}x{one.batch}",
            _number(tiny.instructions),
            _number(batch.instructions),
            f"{batch.instructions / tiny.instructions:.2f}",
            _number(tiny.ram_bytes),
            _number(batch.ram_bytes),
            f"{batch.ram_bytes / tiny.ram_bytes:.2f}",
        )


def _chosen(wanted: Sequence[str], known: Sequence[str], *, tasks: bool = True) -> list[str]:
    """Names in the form in which the bench has them. tasks: files that describe one's own data are known, too."""
    from jaragua.models import is_file

    names = [next((one for one in known if one.lower() == name.lower()), name) for name in wanted]
    for name in names:
        if name not in known and not (tasks and is_file(name)):
            more = ", or a task's TOML file" if tasks else ""
            raise UsageError(f"the bench has no model '{name}'", f"it has {', '.join(known)}{more}")
    return list(dict.fromkeys(names))


def _print_table(results: Sequence[Result]) -> None:
    """Plain text of at most 80 columns, the same in a narrow terminal, in a wide one and in a pipe."""
    output.show("\n".join(_lines(results)))


def _lines(results: Sequence[Result]) -> Iterator[str]:
    yield "One training step at batch 1: instructions on an emulated Cortex-M4, not cycles;"
    yield "RAM and flash in bytes. docs/results/benchmarks.md tells what is counted."
    yield ""
    yield _OVERVIEW.format("", "mean", "forward", "zero", "none zero", "float32", "RAM", "flash")
    for result in results:
        yield _OVERVIEW.format(
            result.model,
            _number(result.instructions),
            _number(result.forward_instructions),
            f"{result.zero_gradient_rows:.0%}",
            _number(result.instructions_no_zero_gradient_rows),
            _number(result.float32_instructions),
            _number(result.ram_bytes),
            _number(result.flash_bytes),
        )
    for result in results:
        yield from _details(result)


def _details(result: Result) -> Iterator[str]:
    yield ""
    yield f"{result.model}, {result.weights}: {result.samples} steps on samples of the task {result.task}"
    yield f"  a step takes {_number(result.instructions_min)} to {_number(result.instructions_max)}"
    parts = (result.ram_weights_bytes, result.ram_static_bytes, result.ram_stack_bytes)
    yield f"  RAM: weights + variables + stack = {' + '.join(map(_number, parts))} bytes"
    yield f"  RAM of float32 in plain loops: {_number(result.float32_ram_bytes)}"
    yield _OPERATOR.format("operator", "forward", "backward and update", "of the step").rstrip()
    for operator in result.operators:
        name = operator.operator if operator.layer is None else f"layer {operator.layer}: {operator.operator}"
        counts = (operator.forward_instructions, operator.backward_update_instructions)
        yield _OPERATOR.format(name, *map(_number, counts), f"{sum(counts) / result.instructions:.1%}")


def _number(value: int | None) -> str:
    return "no room" if value is None else f"{value:,}"
