"""Updates by hand."""

from __future__ import annotations

import numpy as np

from jaragua.strategies import ClientUpdate


def updates(*rows: list[float], samples: tuple[int, ...] = ()) -> list[ClientUpdate]:
    counts = samples or (10,) * len(rows)
    return [
        ClientUpdate(f"board-{number}", np.array(row), count)
        for number, (row, count) in enumerate(zip(rows, counts, strict=True))
    ]
