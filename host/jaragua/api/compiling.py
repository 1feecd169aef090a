"""`compile_network`: what `jaragua compile` does, from Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from jaragua.api.one_tree import one_tree
from jaragua.api.start_weights import StartWeights, weights_of
from jaragua.api.tasks import LearningTask
from jaragua.semantics.models.writing import with_description
from jaragua.tuning.rejection import calibration_for
from jaragua_compiler import Network, Plan
from jaragua_compiler.export import (
    Choice,
    Compiled,
    Component,
    Figures,
    LoadedModel,
    Row,
    check_fits,
    compile_model,
    read_samples,
    shaped_samples,
    write_folder,
)
from jaragua_compiler.export.inputs.source import Source
from jaragua_compiler.graph.initial_weights import FloatArray, first_weights
from jaragua_compiler.graph.network import Loss, WeightFormat
from jaragua_compiler.planning.boards import Board, find_board
from jaragua_models import Model
from jaragua_models.loading import ZOO_SEED, load_model, model_with_tasks

Samples = npt.ArrayLike | os.PathLike[str]


@dataclass(frozen=True)
class CompiledNetwork:
    """A network's C for a board: its files and what it takes of the board's memory. `compile_network` returns one."""

    board: Board
    """The board it was made for: core, memory, and how much of it a network may take."""
    compiled: Compiled
    """All that the compiler knows of it."""

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.plan.network.name

    @property
    def plan(self) -> Plan:
        """Widths, offsets and the network itself, as the engines take it."""
        return self.compiled.plan

    @property
    def figures(self) -> Figures:
        """Rows of `ram` and `flash`, each with a name and its bytes; the bytes of flash include an estimate of code."""
        return self.compiled.figures

    @property
    def ram_bytes(self) -> int:
        """All RAM that it needs: weights, arena, state, one sample and the stack."""
        return self.figures.ram_bytes

    @property
    def flash_bytes(self) -> int:
        """All flash that it needs: weights, and an estimate of the code at -O2."""
        return self.figures.flash_bytes

    @property
    def files(self) -> Mapping[str, bytes]:
        """Content of each file by its name: C, headers, weights, a self-test, README.md."""
        return self.compiled.files

    @one_tree()
    def write(self, folder: str | os.PathLike[str] | None = None, *, force: bool = False) -> Path:
        """Write the files to a folder that builds on its own: all of them, or none if one fails.

        Args:
            folder: Its parent must be there. None: NETWORK-BOARD in the working directory.
            force: Write over files that were changed, or that another program wrote.

        Returns:
            The folder.

        Raises:
            jaragua.errors.ModelError: The folder holds files of somebody else, or cannot be written.
        """
        place = Path(folder or f"{self.name}-{self.board.name}")
        write_folder(self.compiled.files, place, force=force)
        return place

    def __repr__(self) -> str:
        lines = [f"  {place:<6}{used:>9,} of {free:>9,} bytes" for place, used, free in self._totals()]
        return "\n".join([f"{self.name} for {self.board.title}: {len(self.files)} files", *lines])

    def _repr_html_(self) -> str:
        """For notebooks: every row of memory."""
        parts = [_html_rows("RAM", self.figures.ram), _html_rows("flash", self.figures.flash)]
        totals = "".join(
            f"<tr><th>all {place}</th><th>{used:,} of {free:,}</th></tr>" for place, used, free in self._totals()
        )
        caption = escape(f"{self.name} for {self.board.title}, bytes")
        return f"<table><caption>{caption}</caption>{''.join(parts)}{totals}</table>"

    def _totals(self) -> list[tuple[str, int, int]]:
        return [
            ("RAM", self.ram_bytes, self.board.free_ram_bytes),
            ("flash", self.flash_bytes, self.board.free_flash_bytes),
        ]


class EnrolmentOptions(TypedDict, total=False):
    """Of `compile_network`, for classes that are enrolled on the board."""

    prototypes: int
    episodes: bool
    false_accepts: float
    unseen: str | os.PathLike[str]


@one_tree()
def compile_network(
    model: str | os.PathLike[str] | LearningTask | Network,
    board: str,
    *,
    weights: WeightFormat | None = None,
    train: str | None = None,
    ram_budget: int | None = None,
    start: StartWeights | None = None,
    samples: Samples | None = None,
    loss: Loss | None = None,
    **enrolment: Unpack[EnrolmentOptions],
) -> CompiledNetwork:
    """Generate the C of a network that trains on a board.

    Args:
        model: A name of the zoo, a task of `load_task`, its TOML file, a model file (.keras, .onnx, .tflite), or a
            `jaragua_compiler.Network`. All but model files begin with random weights unless `start` is given.
        board: Name of the board; `jaragua boards --known` lists them.
        weights: Format of the trained weights, `w16` or `w8`. None: the network's own.
        train: What trains: `all`, `last`, `auto` (as much as fits), or layers such as `0,2`. None: the network's own.
        ram_budget: Bytes of RAM it may take. None: all that the board has for it.
        start: Weights to begin with: a `Result`, or a safetensors file.
        samples: Typical inputs, from which the formats of the integers are estimated: an array [samples, inputs], or
            one with the shape of a sample in the model file, or a .npy file. None: those of the task; of a model file
            its own ranges, and else -1 to 1.
        loss: Loss of a model file that does not say its own.
        **enrolment: `prototypes`, also the C to enrol classes on the board, with room for so many; `episodes`, also
            the C for enrolled samples that teach (A12.10); and `false_accepts`, the part of unknown samples that the
            calibrated threshold accepts. It is 0.05 where the tasks can calibrate a threshold; where they cannot, every
            class is accepted, and a warning says so. `unseen`: a safetensors file of weights that trained without the
            task's validation devices, on which the threshold is calibrated.

    Returns:
        Files and figures; nothing is written until `write`.

    Raises:
        jaragua.errors.ModelError: No such model or board, an operator that boards do not have, too little memory (the
            message names the largest parts), or weights of another network.
        jaragua.errors.UsageError: `false_accepts` without `prototypes`, or out of its range.
        jaragua.errors.DataError: The data of the task are missing.
    """
    target = find_board(board, ram_budget)
    prototypes = enrolment.get("prototypes")
    choice = Choice(weights, train, prototypes, enrolment.get("episodes", False))
    loaded = _loaded(model, loss, start)
    check_fits(loaded.network, choice, target)  # before any data is read
    shown = loaded.typical_inputs() if samples is None else _shown(samples, loaded)
    if start is not None:
        loaded = loaded.started(weights_of(start, loaded.network))
    unseen = None if (given := enrolment.get("unseen")) is None else Path(given)
    wanted = prototypes, enrolment.get("false_accepts")
    rejection = calibration_for(lambda: _with_tasks(model, start), *wanted, _warn, unseen)
    component = Component(None, loaded.inputs, loaded.classes, rejection)
    arguments = (target, choice, shown, loaded.ranges, loaded.source, component)
    compiled = compile_model(loaded.network, loaded.weights, *arguments)
    return CompiledNetwork(target, with_description(compiled, _name_of(model), loaded.network))


def _name_of(model: str | os.PathLike[str] | LearningTask | Network) -> str:
    if isinstance(model, Network):
        return model.name
    return model.source if isinstance(model, LearningTask) else os.fspath(model)


def _loaded(
    model: str | os.PathLike[str] | LearningTask | Network, loss: Loss | None, start: StartWeights | None
) -> LoadedModel:
    """The model; one's own data are scaled as those of the start's file were."""
    if isinstance(model, Network):
        return LoadedModel(model, first_weights(model, ZOO_SEED), Source("random"))
    return load_model(_name_of(model), loss, _file_of(start))


def _with_tasks(model: str | os.PathLike[str] | LearningTask | Network, start: StartWeights | None) -> Model | None:
    """What calibrates a threshold; None for a bare network and a model file, which have no tasks."""
    if isinstance(model, Network):
        return None
    return model_with_tasks(_name_of(model), _file_of(start))


def _file_of(start: StartWeights | None) -> Path | None:
    return Path(start) if isinstance(start, str | os.PathLike) else None


def _warn(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=4)


def _shown(samples: Samples, loaded: LoadedModel) -> FloatArray:
    if isinstance(samples, str | os.PathLike):
        return read_samples(Path(samples), loaded.network, loaded.source.samples)
    return shaped_samples(np.asarray(samples), loaded.network, loaded.source.samples)


def _html_rows(place: str, rows: tuple[Row, ...]) -> str:
    return "".join(f"<tr><td>{place}: {escape(row.name)}</td><td>{row.bytes:,}</td></tr>" for row in rows)
