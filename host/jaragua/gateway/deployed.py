"""A learned start on boards, and the proof that they answer as the simulator does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import BoardError
from jaragua.serial import Board, samples_of
from jaragua.serial.failures import update_command
from jaragua.strategies.vectors import flat
from jaragua_compiler.engine_protocol import Engine
from jaragua_compiler.engines.host_build import has_compiler
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.export.inputs.weights_file import read_weights
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import Int16Array, exponents, quantise_inputs
from jaragua_compiler.reference.engine import ReferenceEngine
from jaragua_models import HasRows, Model
from jaragua_models.base import Features


@dataclass(frozen=True)
class Deployed:
    """Trained weights of a model as devices take them (A6), with the plan of its network."""

    model: Model
    plan: Plan
    blob: bytes

    def integers(self, x: Features) -> Int16Array:
        """Samples float32 [n, inputs] -> int16, as the network takes them."""
        return quantise_inputs(self.plan, exponents(self.plan, self.blob), x)


@dataclass(frozen=True)
class Comparison:
    """rows: how many were asked. different: numbers of those that were answered otherwise than by the simulator."""

    rows: int
    different: tuple[int, ...]


def start_of(model: Model, path: Path) -> Deployed:
    """The start in a safetensors file of a run or a simulation. Raises: CompileError if it is of another network."""
    codec = ModelCodec(model)
    return Deployed(model, codec.plan, codec.pack(flat(read_weights(path, model.network))))


async def deploy(ports: Sequence[str], start: Deployed) -> None:
    """Send the start to each board, which computes with it from then on. Raises: PortError, BoardError."""
    probe = samples_of(start.integers(rows_of(start.model)[:1]), _no_targets(start.plan, 1))
    for port in ports:
        async with Board(port) as board:
            _check_architecture(port, board, start.plan)
            await board.infer(board.new_job(), probe, start.blob)


async def compare(port: str, start: Deployed) -> Comparison:
    """Ask a board for its outputs of every row of the model's data, and compare each with the simulator's, to the bit.

    Raises: PortError, BoardError.
    """
    inputs = start.integers(rows_of(start.model))
    async with Board(port) as board:
        _check_architecture(port, board, start.plan)
        found = await board.infer(board.new_job(), samples_of(inputs, _no_targets(start.plan, len(inputs))), start.blob)
    wanted = simulated(start, inputs)
    return Comparison(len(inputs), tuple(np.flatnonzero((found != wanted).any(axis=1)).tolist()))


def simulated(start: Deployed, inputs: Int16Array) -> Int16Array:
    """What the simulator's engine answers: outputs int16 [n, outputs]."""
    engine: Engine = NativeEngine(start.plan) if has_compiler() else ReferenceEngine(start.plan)
    engine.load(start.blob)
    return np.stack([engine.forward(row) for row in inputs])


def rows_of(model: Model) -> Features:
    """All samples of a model's data, or what it shows of them for calibration. Raises: ModelError."""
    return model.tasks.rows().x if isinstance(model.tasks, HasRows) else model.tasks.calibration()


def _no_targets(plan: Plan, count: int) -> Int16Array:
    return np.zeros((count, plan.network.targets), np.int16)


def _check_architecture(port: str, board: Board, plan: Plan) -> None:
    found = board.identity
    if found.architecture != plan.architecture:
        raise BoardError(
            f"{port}: the board's image computes the network of {found.model!r}, not that of {plan.network.name!r}",
            f"put its image on the board: {update_command(port)} --model NAME",
        )
