"""From a TOML file to a model of the zoo."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from jaragua_compiler import CompileError, Conv2D, Dense, Flatten, Network
from jaragua_models.base import Defaults, Model, TaskSource
from jaragua_models.errors import ModelError
from jaragua_models.own_data import description as told
from jaragua_models.own_data import files
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.samples import Table, held_out
from jaragua_models.own_data.tasks import ClassTasks, DeviceTasks, standardised

QUERIES_A_WAY = 5
USUAL_WAYS = 5


def from_toml(path: str | Path) -> Model:
    """The model a TOML file describes (tasks.md); its data are read now. Raises: ModelError, with the place."""
    description = told.read(Path(path))
    table = files.read(description)
    kept = _held_out(description, table)
    defaults = _defaults(description, table, kept)
    return Model(
        name=description.name,
        summary=description.summary,
        network=_network(Path(path), description, table, defaults),
        tasks=_tasks(description, table, kept),
        defaults=defaults,
        metric="accuracy",
        own_labels=description.naming == "shuffled",
    )


def _held_out(description: Description, table: Table) -> tuple[str, ...]:
    """Devices, or of images classes: a task needs two of these."""
    if description.kind == "images":
        return held_out(table.origin, "class", list(table.classes), description.held_out, least=2)
    return held_out(table.origin, "device", table.devices.tolist(), description.held_out, least=1)


def _tasks(description: Description, table: Table, kept: tuple[str, ...]) -> TaskSource:
    if description.kind == "images":
        return ClassTasks(description.name, table, kept)
    if description.kind == "table":
        training = np.flatnonzero(~np.isin(table.devices, kept))
        table = replace(table, x=standardised(table, training), exact=None)
    return DeviceTasks(description.name, table, kept, description.naming)


def _defaults(description: Description, table: Table, kept: tuple[str, ...]) -> Defaults:
    """What the file says; else every class (fixed) or up to five ways, and five queries a way."""
    count = len(table.classes)
    if description.kind == "images":
        count = min(len(kept), count - len(kept))
    usual = count if description.naming == "fixed" else min(USUAL_WAYS, count)
    ways = int(description.defaults.get("ways", usual))
    filled = {"ways": ways, "queries": QUERIES_A_WAY * ways, **description.defaults}
    return replace(told.START, **filled)  # type: ignore[arg-type]


def _network(path: Path, description: Description, table: Table, defaults: Defaults) -> Network:
    outputs = Dense(len(table.classes) if description.naming == "fixed" else defaults.ways, "linear")
    try:
        if description.kind != "images":
            hidden = [Dense(units, "relu") for units in description.hidden]
            return Network(description.name, table.x.shape[1], (*hidden, outputs))
        stack = [Conv2D(count, (3, 3), (2, 2), "same", "relu") for count in description.filters]
        return Network(description.name, (description.side, description.side, 1), (*stack, Flatten(), outputs))
    except CompileError as error:
        raise ModelError(f"{path}: [network]: {error.message}", error.hint) from error
