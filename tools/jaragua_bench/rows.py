"""The rows of the bench: a network each, and the task of the zoo its samples come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from jaragua_bench.synthetic import SyntheticTasks
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.graph.network import Conv2D, Dense, Flatten, Network
from jaragua_models import Model, ModelError, from_toml, get
from jaragua_models.own_data import from_toml_with

_ROUNDS_MOST = 300  # of meta-training the start: by then the part of zero-gradient rows has settled


@dataclass(frozen=True)
class Row:
    """A network, or None for the zoo's own, and a model of the zoo (or a TOML file) with samples for it."""

    zoo: str
    network: Network | None = None
    ways: int | None = None
    rounds: int = _ROUNDS_MOST
    tasks: int = 8  # held-out tasks whose samples are measured
    learning_rate: float | None = None  # the zoo's, for its own network
    float32: bool = True  # the baseline fits the board's RAM


ROWS: Mapping[str, Row] = {
    "SINE": Row("sine"),
    "MLP": Row("digits", rounds=150),
    # At 0.05, which was the zoo's rate, most of these few units die: steps that learn nothing cost nearly nothing.
    "KWS": Row("keywords-mel", Network("keywords-3", 650, (Dense(25, "relu"), Dense(3))), ways=3, learning_rate=0.02),
    "CNN": Row(
        "omniglot-cnn",
        Network(
            "omniglot-cnn",
            (28, 28, 1),
            (
                Conv2D(8, (3, 3), (2, 2), "same", "relu"),
                Conv2D(16, (3, 3), (2, 2), "same", "relu"),
                Flatten(),
                Dense(5),
            ),
        ),
    ),
    # A step is as long as 40 of CNN's: few rounds and one task tell as much.
    "OMNIGLOT-REPTILE": Row("omniglot-reptile", rounds=20, tasks=1, float32=False),
}


def row_named(name: str) -> Row:
    """The row of that name, or one for the TOML file of a task. Raises: CompileError for a row there is not."""
    if is_task(name):
        return Row(name)
    if name not in ROWS:
        raise CompileError(f"the bench has no model {name!r}.", f"It has: {', '.join(ROWS)}, or a task's TOML file.")
    return ROWS[name]


def is_task(name: str) -> bool:
    """Whether a name is that of a file that describes one's own data."""
    return name.endswith(".toml")


def row_model(name: str, interface: ModelInterface | None = None) -> tuple[Model, str]:
    """The model of a row, and what its samples are: a task of the zoo, or a made-up one where its data is missing.

    interface: of the weights that are measured, if they are of one's own data. Raises: CompileError for a row there is
    not, ModelError for one's own data.
    """
    row = row_named(name)
    if is_task(name):
        model = from_toml(name) if interface is None else from_toml_with(name, interface, "the start")
    else:
        model = get(row.zoo)
    network = row.network or model.network
    defaults = dataclasses.replace(
        model.defaults,
        ways=row.ways or model.defaults.ways,
        rounds=min(model.defaults.rounds, row.rounds),
        learning_rate=row.learning_rate or model.defaults.learning_rate,
    )
    model = dataclasses.replace(model, network=network, defaults=defaults)
    try:
        model.tasks.calibration()
    except ModelError:
        return dataclasses.replace(model, tasks=SyntheticTasks(network.input_size, network.outputs)), "synthetic"
    return model, row.zoo
