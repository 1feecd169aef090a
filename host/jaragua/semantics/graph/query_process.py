"""Answers one query: `python -m jaragua.semantics.graph.query_process FOLDER MOST_ROWS`, with SPARQL on stdin.

A query of the store cannot be interrupted, so its process is ended when its time is over (S4.6).
"""

from __future__ import annotations

import json
import resource
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from jaragua.errors import JaraguaError
from jaragua.semantics.graph.extra import needed
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.graph.terms import value_of

_MOST_MEMORY_BYTES = 4 << 30


def main() -> int:
    """Print the result as one JSON document, or an error's."""
    folder, most = Path(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    text = sys.stdin.read()
    try:
        with GraphStore(folder, read_only=True) as store:
            document = _answer(store.query(text), most)
    except JaraguaError as error:
        document = {"error": error.message, "hint": error.hint}
    json.dump(document, sys.stdout)
    return 0


def _answer(result: Any, most: int) -> dict[str, Any]:
    oxigraph = needed("pyoxigraph")
    if isinstance(result, oxigraph.QueryBoolean):
        return {"columns": ["answer"], "rows": [[bool(result)]], "truncated": False}
    if isinstance(result, oxigraph.QueryTriples):
        columns = ["subject", "predicate", "object"]
        found = list(islice(result, most + 1))
        rows = [[value_of(part) for part in (one.subject, one.predicate, one.object)] for one in found[:most]]
        return {"columns": columns, "rows": rows, "truncated": len(found) > most}
    columns = [variable.value for variable in result.variables]
    found = list(islice(result, most + 1))
    rows = [[value_of(solution[name]) for name in columns] for solution in found[:most]]
    return {"columns": columns, "rows": rows, "truncated": len(found) > most}


if __name__ == "__main__":
    sys.exit(main())
