"""`make comparison`: whether recommended settings are within 2 points of tuned ones, and reach simple methods.

It goes on where it was stopped. It ends with 1 if a row is behind.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jaragua.errors import JaraguaError
from jaragua.simulation.comparison import simple_methods
from jaragua.store.files import write_whole
from jaragua.tuning.recommended import page
from jaragua.tuning.recommended.measure import TASKS, Effort, Measured, Method, Row, measured
from jaragua.tuning.recommended.own_tasks import write_own_tasks
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_models import ModelError

#: Rows without others: what a search of minutes can train; the larger networks of Omniglot take hours.
ROWS: Final = (
    *("digits:1", "digits:5", "keywords:1", "keywords:3", "keywords-mel:1", "keywords-mel:3"),
    *("omniglot:1", "omniglot:5", "presence:1", "presence:5", "sine"),
)
_BEHIND: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows, print the table; returns the process's exit code."""
    options = _options(arguments)
    rows: list[Measured] = []
    code = exit_code_of(lambda: rows.extend(_rows(options)), JaraguaError, ModelError, CompileError)
    if code:
        return code
    sys.stdout.write("\n".join([*page.lines(rows), "", *page.verdicts(rows)]) + "\n")
    behind = any(page.is_near(one) is False or not page.reaches_simple(one) for one in rows)
    return _BEHIND if behind else 0


def _rows(options: argparse.Namespace) -> list[Measured]:
    simple_methods.require_sklearn()
    effort = Effort(options.minutes, options.tasks, options.seed, options.workers)
    own = write_own_tasks(options.own, options.watch) if options.own else []
    rows = [_kept(Row.of(text), effort, options.folder) for text in options.rows or [*ROWS, *own]]
    if options.document:
        words = " ".join(["python -m jaragua.tuning.recommended", *options.rows, f"--minutes {options.minutes:g}"])
        _write(options.document, rows, effort, words)
    return rows


def _write(document: Path, rows: Sequence[Measured], effort: Effort, words: str) -> None:
    """The whole page, or its table in the part of another page that is marked for it."""
    before = document.read_text(encoding="utf-8") if document.exists() else ""
    begin, between, rest = before.partition(page.BEGIN)
    _, end, after = rest.partition(page.END)
    if between and end:
        write_whole(document, "".join([begin, between, page.part(rows, effort), end, after]).encode())
    else:
        write_whole(document, page.page(rows, effort, words).encode())


def _kept(row: Row, effort: Effort, folder: Path) -> Measured:
    """The record of a row, measured if there is none."""
    place = (
        folder / f"{str(row).replace('/', '-').replace(':', '-')}-{effort.minutes:g}-{effort.tasks}-{effort.seed}.json"
    )
    if place.exists():
        told = json.loads(place.read_text(encoding="utf-8"))
        parts = {name: Method(**told[name]) for name in ("defaults", "tuned")}
        return Measured(**told | parts | {"simple": tuple(Method(**one) for one in told["simple"])})
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {row}\n")
    found = measured(row, effort)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(place, json.dumps(asdict(found), indent=1).encode())
    return found


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jaragua.tuning.recommended", description=__doc__)
    parser.add_argument("rows", nargs="*", help="TASK or TASK:SHOTS: a model, or a TOML file; default: the zoo")
    parser.add_argument("--minutes", type=float, default=5.0, help="of one processor for each search (5)")
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"held-out tasks ({TASKS})")
    parser.add_argument("--own", type=Path, help="folder: tasks of one's own are written there, and are rows as well")
    parser.add_argument("--watch", type=Path, help="watch_dataset.npy of the package seglearn, for one of these tasks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, help="default: one for each core")
    parser.add_argument("--folder", type=Path, default=Path("runs/recommended"), help="of the records")
    parser.add_argument("--document", type=Path, help="page to write, or one with the marks of such a table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
