"""From a TOML file to a model of the zoo."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from jaragua_compiler import CompileError, Conv2D, Dense, Flatten, Network
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.export.inputs.interface import ModelInterface, Parameter
from jaragua_models.base import Defaults, Features, Model, TaskSource
from jaragua_models.errors import DataError, ModelError
from jaragua_models.keywords import features, tables
from jaragua_models.own_data import description as told
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.devices import name_of, owner_of
from jaragua_models.own_data.reading import files
from jaragua_models.own_data.samples import Table, held_out
from jaragua_models.own_data.settings import default_settings, recommended_settings
from jaragua_models.own_data.statistics import Statistics
from jaragua_models.own_data.tasks import ClassTasks, DeviceTasks, standardised


def from_toml(path: str | Path, scaling: InputFormat | None = None) -> Model:
    """The model a TOML file describes (tasks.md); its data are read now.

    scaling: that of a fleet or of trained weights, for the file's own. Raises: ModelError, with the place.
    """
    description = told.read(Path(path))
    table = files.read(description)
    kept = held_out_of(description, table)
    defaults = default_settings(description, table, kept)
    table, inputs = _scaled(description, table, kept, scaling)
    return Model(
        name=description.name,
        summary=description.summary,
        network=_network(Path(path), description, table, defaults),
        tasks=_tasks(description, table, kept),
        defaults=defaults,
        metric="accuracy",
        own_labels=description.naming == "shuffled",
        recommended=recommended_settings(description, table, kept, defaults),
        interface=_interface(description, table, inputs),
    )


def from_toml_with(path: str | Path, interface: ModelInterface, origin: str) -> Model:
    """The model of a TOML file with the scaling of a fleet, or of weights; origin: whose it is, for messages.

    Raises: ModelError; CompileError if it is of other data.
    """
    model = from_toml(path, interface.inputs)
    if model.interface is not None:
        model.interface.check_same_data(interface, origin)
    return model


def statistics_of(path: str | Path) -> Statistics:
    """Of the rows that train, in a table. Raises: ModelError."""
    description = told.read(Path(path))
    if description.kind != "table":
        raise DataError(f"{path}: there is nothing to scale in {description.kind}.", "Only tables have columns.")
    table = files.read(description)
    return _statistics(table, held_out_of(description, table))


def device_statistics(path: str | Path, device: str) -> tuple[str, Statistics]:
    """The name in a fleet (N1) of the device whose rows `device` stands for (N2), and the statistics of these rows.

    Raises: ModelError; DataError if it is held out, or no row is of it.
    """
    description = told.read(Path(path))
    if description.kind != "table":
        raise DataError(f"{path}: there is nothing to scale in {description.kind}.", "Only tables have columns.")
    table = files.read(description)
    kept = held_out_of(description, table)
    training = sorted(set(table.devices.tolist()) - set(kept))
    owner = owner_of(device, training, kept, table.origin)
    rows = table.x[table.devices == owner].astype(np.float64)
    return name_of(owner), Statistics.of(table.columns, rows.reshape(-1, len(table.columns)))


def held_out_of(description: Description, table: Table) -> tuple[str, ...]:
    """Devices, or of images classes: a task needs two of these."""
    if description.kind == "images":
        return held_out(table.origin, "class", list(table.classes), description.held_out, least=2)
    return held_out(table.origin, "device", table.devices.tolist(), description.held_out, least=1)


def _scaled(
    description: Description, table: Table, kept: tuple[str, ...], scaling: InputFormat | None
) -> tuple[Table, InputFormat | None]:
    """A table in -1..1, and how it became so; None where 32 bits do not hold its readings (I1)."""
    if description.kind != "table":
        return table, None
    inputs = scaling or description.scaling
    if inputs is not None:
        _check_columns(table, inputs)
    elif description.path is None:
        return table, None  # of the fleet, or of weights
    elif not (~np.isin(table.devices, kept)).any():
        hint = "Add [scaling], or wait for that of a run; `jaragua data TASK.toml --scaling` prints it."
        raise DataError(f"{table.origin}: no row is of a device that trains, so there is no scaling.", hint)
    else:
        try:
            inputs = _statistics(table, kept).format()
        except (CompileError, OverflowError):
            training = np.flatnonzero(~np.isin(table.devices, kept))
            return replace(table, x=standardised(table, training)), None
    return replace(table, x=_standard(table, inputs)), inputs


def _standard(table: Table, inputs: InputFormat) -> Features:
    try:
        return inputs.standardised(table.x)
    except CompileError as error:
        raise DataError(f"{table.origin}: {error.message}", error.hint) from error


def _check_columns(table: Table, inputs: InputFormat) -> None:
    names = tuple(column.name for column in inputs.columns)
    if names != table.columns:
        message = f"{table.origin}: the scaling is of {', '.join(names)}, the table has {', '.join(table.columns)}."
        raise DataError(message, "Name the same columns in the same order: features = [...].")


def _statistics(table: Table, kept: tuple[str, ...]) -> Statistics:
    """Of the rows that train, by column. Raises: CompileError for columns that 32 bits cannot hold."""
    table.require_rows()
    rows = table.x[~np.isin(table.devices, kept)].astype(np.float64)
    if not len(rows):
        hint = "Give it rows of a device that is not in held_out."
        raise DataError(f"{table.origin}: no row is of a device that trains.", hint)
    try:
        found = Statistics.of(table.columns, rows.reshape(-1, len(table.columns)))
        found.format()
    except DataError as error:
        raise DataError(f"{table.origin}: {error.message}", error.hint) from error
    return found


def _interface(description: Description, table: Table, inputs: InputFormat | None) -> ModelInterface:
    classes = table.classes if description.naming == "fixed" else ()
    return ModelInterface(description.kind, classes, inputs, _front_end(description))


def _front_end(description: Description) -> dict[str, Parameter]:
    """What makes inputs of a recording (F1 to F13), an image (D5, D6) or a window of rows (D7, D8)."""
    if description.kind == "audio":
        return {
            "rate_hz": tables.RATE_HZ,
            "clip_samples": tables.CLIP_SAMPLES,
            "frame_samples": tables.FRAME_SAMPLES,
            "hop_samples": description.sound.hop_samples,
            "frames": description.sound.frames,
            "bands": tables.BANDS,
            "lowest_hz": tables.LOWEST_HZ,
            "highest_hz": tables.HIGHEST_HZ,
            "exponent": features.EXPONENT,
            **asdict(description.sound),
        }
    if description.kind == "images":
        return {
            "side": description.side,
            "channels": description.channels,
            "dark_on_light": description.dark_on_light,
        }
    return {"window": description.window, "windows": description.windows} if description.window else {}


def _tasks(description: Description, table: Table, kept: tuple[str, ...]) -> TaskSource:
    if description.kind == "images":
        return ClassTasks(description.name, table, kept)
    return DeviceTasks(description.name, table, kept, description.naming)


def _network(path: Path, description: Description, table: Table, defaults: Defaults) -> Network:
    outputs = Dense(len(table.classes) if description.naming == "fixed" else defaults.ways, "linear")
    try:
        if description.kind != "images":
            inputs = table.x.shape[1]
            units = description.hidden
            hidden = [Dense(inputs)] if units == "metric" else [Dense(one, "relu") for one in units]
            return Network(description.name, inputs, (*hidden, outputs))
        stack = [Conv2D(count, (3, 3), (2, 2), "same", "relu") for count in description.filters]
        return Network(
            description.name, (description.side, description.side, description.channels), (*stack, Flatten(), outputs)
        )
    except CompileError as error:
        raise ModelError(f"{path}: [network]: {error.message}", error.hint) from error
