"""The boards a network can be compiled for by name: core, memory, and what of it is left for other things."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Literal

from jaragua_compiler.errors import CompileError

Core = Literal["cortex_m4", "cortex_m0plus", "rv32imc"]


@dataclass(frozen=True)
class Board:
    """One entry of boards.toml. The reserves are for the rest of the firmware; a network gets what remains, or less.

    `budget_bytes` is what the user gives it of the RAM that remains (None: all).
    """

    name: str
    title: str
    core: Core
    ram_bytes: int
    flash_bytes: int
    reserve_ram_bytes: int
    reserve_flash_bytes: int
    budget_bytes: int | None = None

    @property
    def free_ram_bytes(self) -> int:
        """RAM a network may take, stack included."""
        return self.ram_bytes - self.reserve_ram_bytes if self.budget_bytes is None else self.budget_bytes

    @property
    def free_flash_bytes(self) -> int:
        """Flash a network may take: code and initial weights."""
        return self.flash_bytes - self.reserve_flash_bytes


def with_budget(board: Board, budget_bytes: int) -> Board:
    """The board with a budget of RAM for the network. Raises CompileError if the board has not so much."""
    if not 1 <= budget_bytes <= board.free_ram_bytes:
        raise CompileError(
            f"a RAM budget of {budget_bytes:,} bytes is not available: {board.name} has {board.free_ram_bytes:,}.",
            f"Give 1 to {board.free_ram_bytes}, or leave it out to use all.",
        )
    return replace(board, budget_bytes=budget_bytes)


class UnknownBoardError(CompileError):
    """There is no board of that name."""


@cache
def boards() -> tuple[Board, ...]:
    """All boards, in the order of boards.toml."""
    text = files("jaragua_compiler.planning").joinpath("boards.toml").read_text(encoding="utf-8")
    return tuple(Board(name=name, **entry) for name, entry in tomllib.loads(text)["boards"].items())


def find_board(name: str, budget_bytes: int | None = None) -> Board:
    """The board of that name, with a budget of RAM if one is given.

    Raises UnknownBoardError, which names the nearest; CompileError if the board has not so much RAM.
    """
    known = {board.name: board for board in boards()}
    if name in known:
        return known[name] if budget_bytes is None else with_budget(known[name], budget_bytes)
    matches = get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.4)
    suggestion = f"Did you mean {matches[0]!r}? " if matches else ""
    raise UnknownBoardError(f"there is no board {name!r}.", f"{suggestion}`jaragua boards --known` lists them.")
