"""`jaragua fleet`: the knowledge graph of a fleet: keep it current, add files, export it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output
from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import from_fields
from jaragua.cli.verbs.semantics import graph_folder
from jaragua.errors import DataError, UsageError

app = typer.Typer(no_args_is_help=True)

_GRAPH = typer.Option(help=graph_folder.HELP)


@dataclass(frozen=True, kw_only=True)
class ServeOptions(BrokerOptions):
    """The options of `jaragua fleet serve`."""

    fleet: Annotated[str, typer.Option(help="Name of the fleet.")] = "home"
    graph: Annotated[Path | None, _GRAPH] = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False


@app.command()
@from_fields(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Keep the graph current from the descriptions of a fleet; run until Ctrl-C."""
    from jaragua.directory.service import Directory
    from jaragua.node.program import run_until_signal, say_log
    from jaragua.semantics.graph.contents import add_zoo
    from jaragua.semantics.graph.store import GraphStore
    from jaragua.wire.topics import check_id

    say_log(options.verbose)
    url = options.address()
    fleet = check_id(options.fleet, "the fleet's name")
    folder = graph_folder.folder_of(options.graph)
    with GraphStore(folder) as store:
        add_zoo(store)
        output.say(f"the graph is in {folder}")
        run_until_signal(Directory(store, fleet).run(url))


@app.command()
def add(
    files: Annotated[
        list[Path], typer.Argument(help="Thing Descriptions (.json) and models' descriptions (.ttl, jaragua.json).")
    ],
    graph: Annotated[Path | None, _GRAPH] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Add descriptions from files to the graph, and the zoo's."""
    from jaragua.semantics.graph.contents import add_file, add_zoo
    from jaragua.semantics.graph.store import GraphStore

    with GraphStore(graph_folder.folder_of(graph)) as store:
        add_zoo(store)
        refused = {str(path): found for path in files if (found := add_file(store, path))}
    if json:
        output.print_result({"added": len(files) - len(refused), "refused": refused})
    else:
        output.show(f"{len(files) - len(refused)} of {len(files)} descriptions are in the graph")
    if refused:
        sentences = "\n".join(f"{path}: {'; '.join(found)}" for path, found in refused.items())
        if json:
            raise typer.Exit(DataError.exit_code)
        raise DataError(sentences, "correct them; the others are in the graph")


@app.command()
def export(
    out: Annotated[
        Path, typer.Argument(help="File to write: .ttl is Turtle, .jsonld is JSON-LD; with --sdf a folder.")
    ],
    sdf: Annotated[bool, typer.Option("--sdf", help="Write the things as SDF (RFC 9880) into a folder.")] = False,
    graph: Annotated[Path | None, _GRAPH] = None,
) -> None:
    """Write all descriptions of the graph to one file, or its things as SDF into a folder."""
    from jaragua.store.files import write_whole

    if sdf:
        _export_sdf(out, graph)
        return
    media = {".ttl": "turtle", ".jsonld": "json-ld"}.get(out.suffix)
    if media is None:
        raise UsageError(f"{out.name} ends neither in .ttl nor in .jsonld", "the ending says which format is written")
    with graph_folder.opened(graph) as store:
        content = store.export(media)
    write_whole(out, content)
    output.show(f"{out} has {len(content):,} bytes")


def _export_sdf(folder: Path, graph: Path | None) -> None:
    """Two files a thing (S4.7); what cannot be converted is said at the end, and the others are written."""
    from json import dumps

    from jaragua.semantics.things.sdf import file_name, sdf_of
    from jaragua.store.files import write_whole

    with graph_folder.opened(graph) as store:
        documents = store.documents()
    problems = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        try:
            model, mapping = sdf_of(document)
        except DataError as error:
            problems.append(f"{name}: {error.message}")
            continue
        for ending, content in (("sdf", model), ("sdf-mapping", mapping)):
            write_whole(folder / f"{file_name(document)}.{ending}.json", (dumps(content, indent=1) + "\n").encode())
    output.show(f"{folder} has {len(documents) - len(problems)} of {len(documents)} things as SDF")
    if problems:
        raise DataError("\n".join(problems), "the others are written")
