"""`jaragua query`: SPARQL on the graph, with a time limit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output
from jaragua.cli.verbs.semantics import graph_folder

app = typer.Typer()


@app.command()
def query(
    file: Annotated[str, typer.Argument(help="A file of SPARQL, or the name of a ready query (semantics.md).")],
    limit: Annotated[float, typer.Option(min=0.1, help="Seconds after which the query is stopped.")] = 10.0,
    graph: Annotated[Path | None, typer.Option(help=graph_folder.HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Run a SPARQL query on the graph of devices and models."""
    from jaragua.semantics.graph.ask import ask, query_text

    text = query_text(file)
    with graph_folder.opened(graph):
        pass  # that there is one is said before a process is started
    answer = ask(graph_folder.folder_of(graph), text, limit)
    if json:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        output.print_result({"columns": list(answer.columns), "rows": rows, "truncated": answer.truncated})
        return
    table = output.new_table(f"{len(answer.rows)} rows", *((name, False) for name in answer.columns))
    for row in answer.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    output.show_table(table)
    if answer.truncated:
        output.say(f"only the first {len(answer.rows):,} rows are shown: add LIMIT, or narrow the query")
