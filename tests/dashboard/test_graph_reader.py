"""The dashboard reads a graph again and again, beside the process that writes it (S4.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jaragua.dashboard import graph_reader
from jaragua.dashboard.graph_reader import GraphReader
from jaragua.dashboard.learning import Learning
from jaragua.errors import StoreError
from limits import GENEROUS_S


@pytest.mark.parametrize(
    "error", [OSError("a file of it is gone"), ValueError("no graph"), RuntimeError("closed"), StoreError("taken", "")]
)
def test_s4_1_a_graph_that_cannot_be_read_for_a_moment_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What was found before stays, and the problem is told as long as there is one."""
    first, second = Learning((("board-1",),)), Learning((("board-1",), ("board-2",)))
    answers: list[Learning | Exception] = [first, error, second]
    seen: list[tuple[Learning, str]] = []
    reader = GraphReader(tmp_path, "home")

    def read() -> Learning:
        seen.append((reader.found, reader.problem))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def story() -> None:
        running = asyncio.create_task(reader.run())
        async with asyncio.timeout(GENEROUS_S):
            while answers or reader.found is not second:
                assert not running.done()
                await asyncio.sleep(0)
        running.cancel()

    monkeypatch.setattr(graph_reader, "_EVERY_SECONDS", 0)
    monkeypatch.setattr(reader, "_read", read)
    asyncio.run(story())
    assert [found for found, _ in seen] == [Learning(), first, first]
    assert [bool(problem) for _, problem in seen] == [False, False, True]
    assert str(error.args[0]) in seen[2][1]
    assert reader.problem == ""
