"""The committed figures (figures.json), and the table of docs/reference/boards.md that is made of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("figures.json")


@dataclass(frozen=True)
class BoardFigures:
    """One image. ram_bytes: with the stack; instructions: of a training step, 0 if no emulator has the core.

    stack_used_bytes: at most, in a job; 0 if no emulator has the board. counted_on: the environment that counted.
    """

    environment: str
    model: str
    ram_bytes: int
    flash_bytes: int
    stack_bytes: int
    stack_used_bytes: int
    instructions: int
    counted_on: str


def stored() -> list[BoardFigures]:
    """What `python -m jaragua.experiments.boards.measure` wrote last."""
    return [BoardFigures(**entry) for entry in json.loads(FILE.read_text(encoding="utf-8"))]


def store(figures: list[BoardFigures]) -> None:
    """Writes the file."""
    FILE.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")
