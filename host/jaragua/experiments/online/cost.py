"""Instructions of one sample on the emulated Cortex-M4: `python -m jaragua.experiments.online.cost --task digits`.

Each row is the least that the board counted for a sample, over one job: forward, learner, and what is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import numpy as np

from jaragua.emulate import EmulatedFleet, build_image
from jaragua.errors import JaraguaError
from jaragua.online.pools import pools
from jaragua.online.trained_model import TrainedModel, train_model
from jaragua.serial import Board, samples_of
from jaragua.simulation.models import model_named
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_compiler.online import Settings
from jaragua_compiler.online.learner import known_mask
from jaragua_compiler.quantisation.rate import LearningRate
from jaragua_models import ModelError

SAMPLES = 64
RATE = LearningRate.from_float(0.02)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rows of one task; returns the process's exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--task", default="digits")
    task: str = options.parse_args(arguments).task
    return exit_code_of(lambda: _print_costs(task), JaraguaError, CompileError, ModelError)


def _print_costs(task: str) -> None:
    model = model_named(task)
    drawn = pools(model, 1)
    everything = range(drawn.classes)
    start = train_model(model, drawn, everything, 1)
    places = [(label, n) for n in range(SAMPLES) for label in everything if n < len(drawn.stream[label])][:SAMPLES]
    x = start.integers(np.stack([drawn.stream[label][n] for label, n in places]))
    samples = samples_of(x, np.array([label for label, _ in places], dtype=np.int16))
    with EmulatedFleet(build_image("qemu_m4", model.name), 1) as fleet:
        asyncio.run(_count(fleet.urls[0], start, samples, known_mask(everything)))


async def _count(url: str, start: TrainedModel, samples: list[bytes], known: int) -> None:
    rows = {
        "predict, learn": Settings(known, horizon_log2=0, replays=0, threshold=0),
        "and detector": Settings(known, horizon_log2=0, replays=0),
        "and 8 prototypes": Settings(known, horizon_log2=0),
        "and statistics": Settings(known),
        "and standardised": Settings(known, standardise=True, warm_up=0),
    }
    async with Board(url) as board:
        evaluated = await board.evaluate(board.new_job(), samples, start.blob)
        trained = await board.train(board.new_job(), samples, RATE, start.blob)
        sys.stdout.write(f"forward alone {evaluated.instructions:,}; a step of all layers {trained.instructions:,}\n")
        for name, settings in rows.items():
            state = await board.learn_online(board.new_job(), samples, settings, RATE, start.blob)
            sys.stdout.write(f"{name} {state.instructions:,}\n")
        health = await board.health()
        sys.stdout.write(f"stack free {health.stack_free_bytes:,} of {health.stack_bytes:,} bytes\n")


if __name__ == "__main__":
    sys.exit(main())
