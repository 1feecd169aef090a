"""`make reptile-search`: the tables of docs/results/benchmarks.md, "TinyReptile against batch Reptile".

It goes on where it was stopped. --write puts what was found where `jaragua bench --batches` counts it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jaragua.errors import JaraguaError
from jaragua.experiments.reproduce import Store
from jaragua.experiments.reptile_search import table
from jaragua.experiments.reptile_search.grid import TASKS, shortened
from jaragua.experiments.reptile_search.run import Simulations, Size, counted, searched
from jaragua_bench import batch_reptile
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_models import ModelError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables; returns the process's exit code."""
    options = _options(arguments)
    return exit_code_of(lambda: _print_tables(options), JaraguaError, ModelError, CompileError)


def _print_tables(options: argparse.Namespace) -> None:
    sizes, seconds = _found(options)
    tables = (table.batch_table(sizes), table.selective_table(sizes), table.accumulation_table(sizes))
    sys.stdout.write("\n\n".join(tables) + "\n\n")
    sys.stdout.write(f"Simulations: {seconds:,.0f} s in all.\n")
    if options.write:
        _write([size for size in sizes if size.comparisons])


def _found(options: argparse.Namespace) -> tuple[list[Size], float]:
    store, sizes, seconds = Store(options.folder), [], 0.0
    for task in [task for name in options.task or TASKS for task in TASKS[name]]:
        task = shortened(task) if options.short else task
        simulations = Simulations(task, store, options.workers, _say)
        of_task = searched(simulations, task)
        seconds += simulations.seconds
        sizes += of_task if options.no_board else counted(of_task)
    return sizes, seconds


def _write(sizes: Sequence[Size]) -> None:
    """Into this source tree; tasks that were not searched now stay as they are."""
    known = batch_reptile.cases()
    found = {name: [size.cheapest for size in sizes if size.task.model == name] for name in TASKS}
    merged = {name: found[name] or known.get(name, []) for name in TASKS}
    Path(batch_reptile.__file__).with_name(batch_reptile.CASES_NAME).write_text(
        batch_reptile.cases_text(merged), encoding="utf-8"
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jaragua.experiments.reptile_search", description=__doc__)
    parser.add_argument("--task", action="append", choices=TASKS, help="only this one (may be repeated)")
    parser.add_argument("--folder", type=Path, default=Path("runs/reptile-search"), help="of the records")
    parser.add_argument("--workers", type=int, help="default: one for each core")
    parser.add_argument("--short", action="store_true", help="that everything works, not what it gives")
    parser.add_argument("--no-board", action="store_true", help="only what is learned; the first that does is taken")
    parser.add_argument("--write", action="store_true", help="what `jaragua bench --batches` counts")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
