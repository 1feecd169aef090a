"""The file of a run of all devices of a load measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jaragua.config import RunConfig, parse

_TEXT: Final = """
[run]
name = "load"
seed = 1
rounds = {rounds}
fleet = "load"
directory = "{directory}"
[model]
name = "{model}"
[strategy]
name = "fedavg"
clients_per_round = {devices}
[broker]
url = "{url}"
[round]
quorum = {devices}
deadline_s = {deadline_s}
[devices]
minimum = {devices}
wait_s = 600
[privacy]
{privacy}
"""


def written(
    folder: Path, *, devices: int, rounds: int, model: str, url: str, deadline_s: int = 600, privacy: str = ""
) -> tuple[Path, RunConfig]:
    """`load.toml` in a folder, and what it says. privacy: lines of its section."""
    path = folder / "load.toml"
    text = _TEXT.format(
        directory=folder / "run",
        devices=devices,
        rounds=rounds,
        model=model,
        url=url,
        deadline_s=deadline_s,
        privacy=privacy,
    )
    path.write_text(text, encoding="utf-8")
    return path, parse(text, path)
