"""SPARQL with a time limit (S4.6), and the queries that come with Jaragua."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jaragua.errors import DataError, InternalError, RunError

MOST_ROWS: Final = 10_000


@dataclass(frozen=True)
class Answer:
    """Rows of a query. truncated: there were more than MOST_ROWS."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


def ready_queries() -> dict[str, str]:
    """Name -> text of the queries in the package."""
    place = files("jaragua.semantics.graph").joinpath("queries")
    found = {one.name.removesuffix(".rq"): one for one in place.iterdir() if one.name.endswith(".rq")}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


def query_text(name: str) -> str:
    """The text of a file, or of a ready query by its name. Raises DataError."""
    ready = ready_queries()
    path = Path(name)
    if name in ready and not path.exists():
        return ready[name]
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        hint = f"name a file of SPARQL, or one of: {', '.join(ready)}"
        raise DataError(f"the query {name} cannot be read: {error}", hint) from error


def ask(folder: Path, text: str, limit_seconds: float, most_rows: int = MOST_ROWS) -> Answer:
    """The answer of a query on the graph in a folder.

    Raises RunError when the time is over (the query is ended), DataError for a query that is wrong.
    """
    command = [sys.executable, "-m", "jaragua.semantics.graph.query_process", str(folder), str(most_rows)]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, encoding="utf-8", timeout=limit_seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        hint = "narrow it, or give it more time with --limit"
        raise RunError(f"the query was stopped after {limit_seconds:g} s", hint) from error
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if done.returncode < 0 or "Memory" in last:
            raise RunError("the query was stopped: it takes too much memory", "narrow it") from error
        raise InternalError(f"the query's process failed: {last}") from error
    if "error" in document:
        raise DataError(document["error"], document["hint"])
    return Answer(tuple(document["columns"]), tuple(map(tuple, document["rows"])), document["truncated"])
