"""Images of the boards: they build, fit, and train on emulators that others wrote, to the bit as the simulator.

Building all of them takes minutes; `make boards` does it. An ordinary run takes the smallest board alone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import jaragua_compiler as compiler
import jaragua_models
from images import built_image
from jaragua.boards import Environment, environment, environments
from jaragua.emulate import emulated_board
from jaragua.emulate.elf import Image
from jaragua.serial import Board, samples_of
from jaragua.serial.jobs import Steps
from jaragua.wire.definitions import JobPhase
from jaragua.wire.messages import Health, Identity
from jaragua_compiler import LearningRate, NativeEngine

ALL = os.environ.get("JARAGUA_ALL_BOARDS") == "1"
SEED = 20_261_130
SAMPLES = 20
RATE = LearningRate.from_float(0.02)
#: Emulated, in every run: the board whose RAM the largest network of the two has to fit.
ALWAYS = [("bbcmicrobit", "digits")]
#: Of a stack that was never used after a job, at least.
FREE_STACK_BYTES = 256


def emulated() -> list[tuple[str, str]]:
    """Environment and model of each board that is run."""
    others = [(one.name, one.model) for one in environments() if one.emulator in ("qemu", "rp2040js")]
    return [*ALWAYS, *(pair for pair in others if pair not in ALWAYS)] if ALL else ALWAYS


def built() -> list[str]:
    """Environments that no emulator runs, and that need no vendor framework."""
    return [one.name for one in environments() if not one.is_emulated and not one.needs_a_framework]


class Job:
    """A training job, and the weights it ends with on the simulator's engine."""

    def __init__(self, model: str) -> None:
        network = jaragua_models.get(model).network
        layout = compiler.plan(network)
        generator = np.random.default_rng(SEED)
        weights = compiler.initial_weights(network, SEED)
        x = generator.random((SAMPLES, network.input_size)).astype(np.float32)
        labels, waves = np.arange(SAMPLES) % network.outputs, generator.random((SAMPLES, 1)).astype(np.float32)
        is_classifier = network.loss != "mean_squared_error"
        exponents = compiler.calibrate(layout, weights, x, None if is_classifier else waves)
        self.blob = compiler.pack(layout, weights, exponents)
        self.inputs = compiler.quantise_inputs(layout, exponents, x)
        self.targets = compiler.quantise_targets(layout, exponents, labels if is_classifier else waves)
        self.result = self._simulated(NativeEngine(layout))

    def _simulated(self, engine: NativeEngine) -> bytes:
        engine.load(self.blob)
        engine.set_seed(SEED)
        for x, target in zip(self.inputs, self.targets, strict=True):
            engine.train_step(x, target, RATE)
        return engine.blob()

    async def run_on(self, url: str) -> tuple[Identity, Health, bytes]:
        """What the board says of itself, and the weights it ends with."""
        async with Board(url) as link:
            job = samples_of(self.inputs, self.targets)
            state = await link.train(link.new_job(), job, RATE, self.blob, Steps(SEED))
            assert (state.state, state.done) == (JobPhase.DONE, SAMPLES)
            assert state.instructions > 0
            return link.identity, await link.health(), await link.read_update(state)


def check_sizes(board: Environment, image: Path) -> None:
    """What the linker placed fits the chip, stack and the bytes that no section has included."""
    symbols = Image(image)
    ram_bytes, flash_bytes = (symbols.address(f"jrg_port_{memory}_bytes") for memory in ("ram", "flash"))
    assert board.stack_bytes < ram_bytes <= board.ram.size_bytes - 64
    assert flash_bytes <= board.flash.size_bytes - board.keep_bytes


@pytest.mark.board
@pytest.mark.parametrize(("name", "model"), emulated())
def test_the_real_image_trains_to_the_simulators_bits(name: str, model: str) -> None:
    board = environment(name)
    if board.emulator == "qemu" and shutil.which(board.qemu) is None:
        pytest.skip(f"NO EMULATOR: {board.qemu} is not installed; `make setup-boards` installs it")
    job = Job(model)
    image = built_image(name, model)
    with emulated_board(image) as emulated:
        identity, health, weights = asyncio.run(job.run_on(emulated.url))
    assert (identity.board, identity.model) == (name, model)
    assert weights == job.result
    assert health.stack_free_bytes > FREE_STACK_BYTES
    check_sizes(board, image)


@pytest.mark.cross
@pytest.mark.skipif(not ALL, reason="MANY BUILDS: `make boards` runs it")
@pytest.mark.parametrize("name", built())
def test_a_board_without_an_emulator_builds_and_fits(name: str) -> None:
    board = environment(name)
    check_sizes(board, built_image(name, board.model))


def test_the_smallest_boards_have_16_and_8_kilobytes() -> None:
    """The whole node with `digits` in 16 KB, and with `sine` in 8 KB: the tests above link and run them."""
    smallest = {(one.name, one.model, one.ram.size_bytes) for one in environments() if 0 < one.ram.size_bytes <= 16384}
    assert smallest == {("bbcmicrobit", "digits", 16384), ("stm32vldiscovery", "sine", 8192)}
