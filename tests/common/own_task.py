"""A small task of one's own: valves whose state shows in pressure and flow, each machine with an offset of its own."""

from __future__ import annotations

import random
from pathlib import Path

MEANS = {"closed": (5.0, 0.0), "leaking": (4.0, 1.0), "open": (2.0, 4.0)}
TASK = """
[task]
kind = "table"
path = "valves.csv"
label = "state"
device = "machine"
held_out = ["m5", "m6"]

[network]
hidden = [8]

[defaults]
rounds = 5
"""


def valves(machines: int = 6, rows: int = 36) -> list[str]:
    """Lines of a CSV file: a header, then `rows` of each machine m1, m2, …; always the same."""
    draw = random.Random(1)
    lines = ["machine,pressure,flow,state"]
    for machine in range(1, machines + 1):
        offset = draw.gauss(0, 1)
        for row in range(rows):
            state = sorted(MEANS)[row % len(MEANS)]
            cells = [f"{draw.gauss(mean + offset, 0.5):.3f}" for mean in MEANS[state]]
            lines.append(",".join([f"m{machine}", *cells, state]))
    return lines


def write_valves(folder: Path, more: str = "") -> Path:
    """valves.csv and valves.toml in a folder; the path of the second. more: TOML that is added."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "valves.csv").write_text("\n".join(valves()) + "\n", encoding="utf-8")
    path = folder / "valves.toml"
    path.write_text(TASK + more, encoding="utf-8")
    return path
