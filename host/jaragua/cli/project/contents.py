"""The files of a new project, in memory. Pure."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from jaragua.settings import RUN_NAME_LENGTH
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models.own_data.description import START
from jaragua_models.own_data.devices import name_of

BOARD = "nano33ble"
MACHINES, ROWS = 8, 60
_MEANS = {"closed": (5.0, 0.0), "leaking": (4.0, 1.0), "open": (2.0, 4.0)}
EXAMPLE_LABEL, EXAMPLE_DEVICE = "state", "machine"
_SEED = 1


@dataclass(frozen=True)
class Columns:
    """A table by its file's name, and what its columns are: features, classes and held-out devices in their order."""

    table: str
    label: str
    device: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    held_out: tuple[str, ...]
    devices: tuple[str, ...]
    time: str | None = None
    """The column that tells when; "": the rows have no order; None: nobody said."""


def example_table() -> str:
    """CSV: pressure and flow of valves, each machine with an offset of its own. Always the same."""
    draw, out = random.Random(_SEED), io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([EXAMPLE_DEVICE, "pressure", "flow", EXAMPLE_LABEL])
    for machine in range(1, MACHINES + 1):
        offset = draw.gauss(0, 1)
        for _ in range(ROWS):
            state = draw.choice(sorted(_MEANS))
            readings = (f"{draw.gauss(mean + offset, 0.5):.3f}" for mean in _MEANS[state])
            table.writerow([f"m{machine}", *readings, state])
    return out.getvalue()


def task_text(name: str, columns: Columns) -> str:
    """The task's TOML file."""
    words = {
        "name": name,
        "table": columns.table,
        "label": _text(columns.label),
        "device": _text(columns.device),
        "time": _time(columns.time),
        "features": _list(columns.features),
        "classes": _list(columns.classes),
        "held_out": _list(columns.held_out),
    }
    return Template(_template("task.toml")).substitute(words)


def texts(
    name: str, prefix: str, columns: Columns, inputs: InputFormat | None, first_row: Sequence[str]
) -> dict[str, str]:
    """Path in the project -> text, without data, task and generated C.

    prefix: of the names in the C. first_row: readings of one sample, as text.
    """
    found = LearningRate.from_float(START.learning_rate)
    readings = ",".join(first_row)
    steps = [column.per_unit if column.wide else 0.0 for column in inputs.columns] if inputs else [0.0]
    words: Mapping[str, object] = {
        "name": name,
        "table": columns.table,
        "run": name[:RUN_NAME_LENGTH].strip("-"),
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "label_name": columns.label,
        "device_name": columns.device,
        "columns": _shown(", ".join(columns.features)),
        "wide_steps": ", ".join(map(repr, steps)),
        "clients": min(5, len(columns.devices) - len(columns.held_out)),
        "first": name_of(next(one for one in columns.devices if one not in columns.held_out)),
        "mantissa": found.mantissa,
        "exponent": found.exponent,
        "rate": START.learning_rate,
        "board": BOARD,
        "example_readings": readings,
        "example": _shown(f"{readings},{columns.classes[0]}"),
    }
    return {
        place: Template(_template(template)).substitute(words)
        for place, template in (
            ("README.md", "README.md"),
            ("run.toml", "run.toml"),
            ("firmware/platformio.ini", "platformio.ini"),
            ("firmware/src/main.cpp", "main.cpp"),
        )
    }


def _time(column: str | None) -> str:
    """The line of the key `time` (D9)."""
    if column is None:
        return '# time = "COLUMN"    # the column that tells when; [] if the rows have no order'
    return f"time = {_text(column)}" if column else "time = []    # the rows have no order"


def _template(name: str) -> str:
    place = files("jaragua.cli.project").joinpath("templates", f"{name}.template")
    return place.read_text(encoding="utf-8")


def _shown(text: str) -> str:
    """Text of the user's in a comment of C."""
    return " ".join(text.split()).replace("*/", "* /")


def _text(value: str) -> str:
    """A string of TOML, which JSON's strings are but for the byte 0x7f."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"
