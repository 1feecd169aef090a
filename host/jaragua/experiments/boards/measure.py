"""Build every board without a vendor framework, train where an emulator runs it, write figures.json.

`python -m jaragua.experiments.boards.measure`, some minutes; then `python -m jaragua_documents`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

import jaragua_compiler as compiler
import jaragua_models
from jaragua.boards import Environment, environments
from jaragua.emulate import build_image, emulated_board
from jaragua.emulate.elf import Image
from jaragua.errors import JaraguaError
from jaragua.experiments.boards.figures import BoardFigures, store
from jaragua.serial import Board, samples_of
from jaragua.serial.jobs import Steps
from jaragua_compiler import LearningRate
from jaragua_compiler.command_line import exit_code_of

_SAMPLES: Final = 50
_SEED: Final = 1
_RATE: Final = LearningRate.from_float(0.02)
#: Models that the table shows for the smallest board of each.
_ALSO: Final = (("bbcmicrobit", "sine"),)


@dataclass(frozen=True)
class _Run:
    instructions: int = 0
    stack_used_bytes: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures all; returns the process's exit code."""
    del arguments
    return exit_code_of(_measure_all, JaraguaError)


def _measure_all() -> None:
    boards = [one for one in environments() if not one.needs_a_framework and one.core != "host"]
    pairs = [(one, one.model) for one in boards]
    pairs += [(one, model) for one in boards for name, model in _ALSO if one.name == name]
    store(_with_counts_of_the_same_core([_measured(*pair) for pair in pairs]))


def _measured(board: Environment, model: str) -> BoardFigures:
    print(f"{board.name}: {model}", file=sys.stderr)
    image = build_image(board.name, model, accumulate=False, prototypes=0)
    run = _trained(image, model) if board.is_emulated else _Run()
    symbols = Image(image)
    return BoardFigures(
        environment=board.name,
        model=model,
        ram_bytes=symbols.address("jrg_port_ram_bytes"),
        flash_bytes=symbols.address("jrg_port_flash_bytes"),
        stack_bytes=board.stack_bytes,
        stack_used_bytes=run.stack_used_bytes,
        instructions=run.instructions,
        counted_on=board.name if board.is_emulated else "",
    )


def _trained(image: Path, model: str) -> _Run:
    with emulated_board(image) as board:
        return asyncio.run(_train(board.url, model))


async def _train(url: str, model: str) -> _Run:
    """The least instructions of a step, over samples of noise; what of the stack a job has used."""
    network = jaragua_models.get(model).network
    plan = compiler.plan(network)
    generator = np.random.default_rng(_SEED)
    weights = compiler.initial_weights(network, _SEED)
    x = generator.random((_SAMPLES, network.input_size)).astype(np.float32)
    is_classifier = network.loss != "mean_squared_error"
    waves = generator.random((_SAMPLES, network.outputs)).astype(np.float32)
    exponents = compiler.calibrate(plan, weights, x, None if is_classifier else waves)
    labels = np.arange(_SAMPLES) % network.outputs
    targets = compiler.quantise_targets(plan, exponents, labels if is_classifier else waves)
    samples = samples_of(compiler.quantise_inputs(plan, exponents, x), targets)
    async with Board(url) as board:
        job = await board.train(board.new_job(), samples, _RATE, compiler.pack(plan, weights, exponents), Steps(_SEED))
        health = await board.health()
    return _Run(job.instructions, health.stack_bytes - health.stack_free_bytes)


def _with_counts_of_the_same_core(figures: list[BoardFigures]) -> list[BoardFigures]:
    """A board that no emulator runs has the instructions of another with its core and the same network."""
    cores = {one.name: one.core for one in environments()}
    counted = {(cores[one.environment], one.model): one for one in reversed(figures) if one.instructions}
    return [
        one if one.counted_on else _counted_elsewhere(one, counted.get((cores[one.environment], one.model)))
        for one in figures
    ]


def _counted_elsewhere(figures: BoardFigures, other: BoardFigures | None) -> BoardFigures:
    if other is None:
        return figures
    return replace(figures, instructions=other.instructions, counted_on=other.environment)


if __name__ == "__main__":
    sys.exit(main())
