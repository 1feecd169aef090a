"""A run's figures as event files of TensorBoard (extra `tensorboard`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaragua.errors import StoreError, ToolError
from jaragua.reasons import reason_of
from jaragua.report.details import METRIC, RunDetails
from jaragua.report.page.values import number, sequence, table, text


def scalars(run: RunDetails) -> Iterator[tuple[str, float, int]]:
    """Name, value and round of everything that TensorBoard draws as a curve."""
    for one in run.rounds:
        place = number(one.get("round"))
        if place is None:
            continue
        for name, key in (("loss", "loss"), (text(one.get(METRIC) or "score"), "score"), ("alpha", "alpha")):
            yield from _one(f"round/{name}", one.get(key), int(place))
        for key in ("bytes_up", "bytes_down"):
            yield from _one(f"traffic/{key}", one.get(key), int(place))
        for device, figures in table(one.get("devices")).items():
            for key in ("loss", "score"):
                yield from _one(f"device_{key}/{text(device)}", table(figures).get(key), int(place))
    yield from _held_out(run.held_out)


def _held_out(held: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    for point in map(table, sequence(held.get("curve"))):
        place = number(point.get("rounds"))
        for when in ("before", "after") if place is not None else ():
            yield from _one(f"held_out/{when}_adaptation", table(point.get(when)).get("mean"), int(place or 0))


def _one(name: str, value: object, place: int) -> Iterator[tuple[str, float, int]]:
    found = number(value)
    if found is not None:
        yield name, found, place


def export(run: RunDetails, folder: Path) -> int:
    """Write the event files of a run into a folder; the number of values. Raises: ToolError, StoreError."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ToolError("event files need tensorboardX", "pip install 'jaragua[tensorboard]'") from error
    found = list(scalars(run))
    try:
        with SummaryWriter(str(folder), write_to_disk=True) as writer:
            for name, value, place in found:
                writer.add_scalar(name, value, place)
            writer.add_text("configuration", f"```\n{json.dumps(run.settings, indent=1, default=str)}\n```", 0)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {reason_of(error)}", "check the folder and its rights"
        ) from error
    return len(found)
