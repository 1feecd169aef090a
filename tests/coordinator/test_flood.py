"""P3, M15: a flood costs a coordinator no memory and no run. The short form of `make flood`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import flood

#: Of the whole process; a queue without a bound held hundreds.
MOST_MORE_MB = 40.0


def test_p3_rounds_go_on_in_a_flood_and_memory_stays_bounded(tmp_path: Path, seed: int) -> None:
    result = asyncio.run(flood.measure(rate=1000, seconds=5.0, seed=seed, folder=tmp_path))
    print(result.table())
    assert result.sent > 500
    assert result.rejected
    # How many rounds are closed during the flood depends on the machine; `measure` waits for twenty after it.
    assert result.after.rounds >= result.before.rounds + 20
    for name in ("coordinator", *flood.NODES):
        assert result.worst.megabytes[name] < result.before.megabytes[name] + MOST_MORE_MB
        assert result.after.megabytes[name] < result.before.megabytes[name] + MOST_MORE_MB
