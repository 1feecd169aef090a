"""What there is by name: strategies, boards, models of the zoo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from jaragua.coordinator.connection import gate as coordinator_gate
from jaragua.node.connection import gate as node_gate
from jaragua.node.connection.lanes import Lane
from jaragua.strategies.registry import REGISTRY
from jaragua.wire.definitions import OPERATOR_TEXTS
from jaragua_compiler.planning.boards import boards as known_boards
from jaragua_documents.markdown import code, table
from jaragua_models import get, names


def strategies() -> str:
    """Every strategy with its own options and their defaults."""
    return table(
        ("name", "what it is", "its own options, with defaults that are not 0"),
        ((code(name), kind.SUMMARY, ", ".join(map(code, _told(kind.OPTIONS)))) for name, kind in REGISTRY.items()),
    )


def _told(options: Mapping[str, float]) -> Iterator[str]:
    for key, value in options.items():
        yield f"{key} = {value:g}" if value else key


def boards() -> str:
    """Every board that `jaragua compile` knows by name, with the memory that a network may take."""
    return table(
        ("name", "board", "core", "RAM for a network (of all), bytes", "flash for a network (of all), bytes"),
        (
            (
                code(board.name),
                board.title,
                board.core,
                f"{board.free_ram_bytes:,} ({board.ram_bytes:,})",
                f"{board.free_flash_bytes:,} ({board.flash_bytes:,})",
            )
            for board in known_boards()
        ),
    )


def operator_bits() -> str:
    """The bits of an identity's operators."""
    rows = ((str(row.bit), code(row.name), row.meaning) for row in OPERATOR_TEXTS.values())
    return table(("bit", "name", "meaning"), rows)


def model_defaults() -> str:
    """The defaults of each model of the zoo."""
    rows = []
    for name in names():
        values = get(name).defaults_of(None)
        counts = (values.ways, values.shots, values.passes, values.queries, values.clients, values.rounds)
        rows.append(
            (code(name), code(values.strategy), f"{values.learning_rate:g}", f"{values.alpha:g}", *map(str, counts))
        )
    header = ("model", "strategy", "learning_rate", "alpha", "ways", "shots", "passes", "queries", "clients", "rounds")
    return table(header, rows)


def node_lanes() -> str:
    """How many messages of each kind a node reads (M14)."""
    return _lanes(node_gate.LANES)


def coordinator_lanes() -> str:
    """How many messages of each kind a coordinator reads (M15)."""
    return _lanes(coordinator_gate.LANES)


def _lanes(lanes: Iterable[Lane]) -> str:
    return table(
        ("messages", "a second", "at once"),
        ((lane.what, f"{lane.a_second:,}", f"{lane.at_once:,}") for lane in lanes),
    )
