"""Where the graph is: `--graph FOLDER`, or the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaragua.errors import StoreError

if TYPE_CHECKING:
    from jaragua.semantics.graph.store import GraphStore

HELP = "Folder of the graph; default: ~/.local/state/jaragua/graph."


def folder_of(graph: Path | None) -> Path:
    """The folder that was named, or the user's own."""
    from jaragua.folders import state_folder

    return graph or state_folder() / "graph"


@contextmanager
def opened(graph: Path | None) -> Iterator[GraphStore]:
    """The graph, to be read. Raises StoreError if there is none."""
    from jaragua.semantics.graph.store import GraphStore

    folder = folder_of(graph)
    if not folder.is_dir():
        raise StoreError(f"there is no graph in {folder}", "`jaragua fleet serve` or `jaragua fleet add` makes one")
    with GraphStore(folder, read_only=True) as store:
        yield store
