"""Emulated boards that take images while they run, as those of `jaragua emulate` do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jaragua.emulate import EmulatedFleet
from jaragua.emulate.registry import Running, announced

Uploader = Callable[[str, Path], Awaitable[None]]


@asynccontextmanager
async def programmable(
    boards: Sequence[tuple[str, EmulatedFleet]], folder: Path, uploader: Uploader | None = None
) -> AsyncIterator[None]:
    """boards: environment and boards. uploader: in the place of what puts an image on the board of a port."""

    def listed(programmer: str) -> list[Running]:
        return [
            Running(board.url, environment, "", board.uid.hex(), programmer)
            for environment, fleet in boards
            for board in fleet.boards
        ]

    async def upload(url: str, image: Path) -> None:
        fleet = next(fleet for _, fleet in boards if url in fleet.urls)
        fleet.program(url, image, folder)

    async with announced(listed, uploader or upload):
        yield
