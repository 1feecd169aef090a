"""`jaragua bench`: count the instructions of a training step on the emulated board, beside the float32 baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output
from jaragua.errors import ToolError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from jaragua_compiler.bench.measure import Result

app = typer.Typer()


@app.command()
def bench(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    model: Annotated[list[str] | None, typer.Option("--model", help="Measure only this one (may be repeated).")] = None,
) -> None:
    """Count the instructions of a training step on an emulated Cortex-M4, beside float32 in plain loops."""
    from jaragua_compiler.bench.measure import MODELS, measure

    results = []
    for name in _chosen(model or list(MODELS), list(MODELS)):
        output.say(f"measuring {name} …")
        with _tool_errors():
            results.append(measure(name))
    if json:
        output.print_result({"results": [asdict(result) for result in results]})
    else:
        _print_table(results)


def _chosen(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    names = [name.upper() for name in wanted]
    for name in names:
        if name not in known:
            raise UsageError(f"the bench has no model '{name}'", f"it has {', '.join(known)}")
    return list(dict.fromkeys(names))


@contextmanager
def _tool_errors() -> Iterator[None]:
    """The compiler does not know this package's errors: here a missing or failing program gets its exit code."""
    from jaragua_compiler.bench import toolchain

    try:
        yield
    except toolchain.ToolError as error:
        raise ToolError(error.message, error.hint) from error


def _print_table(results: Sequence[Result]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table(results))
    console.out("Instructions on an emulated Cortex-M4, not cycles; docs/benchmarks.md tells what is counted.")


def _table(results: Sequence[Result]) -> Table:
    from rich.table import Table

    table = Table(title="One training step at batch 1 (instructions)", title_justify="left")
    table.add_column("")
    for result in results:
        table.add_column(result.model, justify="right")
    for label, cells in _rows(results):
        table.add_row(label, *cells)
    return table


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, list[str]]]:
    def row(label: str, *fields: str, join: str = " .. ") -> tuple[str, list[str]]:
        return label, [join.join(_number(getattr(result, field)) for field in fields) for result in results]

    yield "samples of the task", [result.task for result in results]
    yield row("training step, mean", "instructions")
    yield row("  least .. most", "instructions_min", "instructions_max")
    yield row("  forward only", "forward_instructions")
    yield row("  loss, backward and update", "backward_update_instructions")
    yield "rows that were dead", [f"{result.dead_rows:.0%}" for result in results]
    yield row("training step, no dead row", "instructions_no_dead_rows")
    yield row("float32, plain loops, the best build", "float32_instructions")
    yield row("RAM, bytes", "ram_bytes")
    yield row("  weights + variables + stack", "ram_weights_bytes", "ram_static_bytes", "ram_stack_bytes", join=" + ")
    yield row("RAM of float32, bytes", "float32_ram_bytes")
    yield row("flash of the engine, bytes", "flash_bytes")


def _number(value: Any) -> str:
    return "does not fit" if value is None else f"{value:,.0f}"
