"""Which generated part is made by what, and in which pages such parts stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from jaragua_documents import board_files, command_line, errors, extras, held_layers, lists, run_file
from jaragua_documents.regions import filled, names_in

DOCS = Path(__file__).parents[2] / "docs"

MAKERS: Mapping[str, Callable[[], str]] = {
    "verbs": command_line.verbs,
    "command-line": command_line.reference,
    "run-file-keys": run_file.keys,
    "exit-codes": errors.exit_codes,
    "board-statuses": errors.statuses,
    "reset-causes": errors.reset_causes,
    "operator-bits": lists.operator_bits,
    "strategies": lists.strategies,
    "boards": lists.boards,
    "environments": board_files.environment_table,
    "board-figures": board_files.figures_table,
    "emulated-environments": board_files.emulated_table,
    "model-defaults": lists.model_defaults,
    "held-layers": held_layers.saved,
    "extras": extras.table_of_extras,
    "node-lanes": lists.node_lanes,
    "coordinator-lanes": lists.coordinator_lanes,
}


def pages() -> list[Path]:
    """Pages with generated parts."""
    return [page for page in sorted(DOCS.rglob("*.md")) if names_in(page.read_text(encoding="utf-8"))]


def current(page: Path) -> str:
    """The page as it should be."""
    return filled(page.read_text(encoding="utf-8"), MAKERS)
