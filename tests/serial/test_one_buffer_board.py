"""L4.3 with one buffer, and A8: the network of the Reptile paper, 112,709 int8 weights, trains on a board of 256 KB.

Everything is in the image: all layers, the link's buffers, the stack. Nothing of it needs the Omniglot data.
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import jaragua_compiler as compiler
import jaragua_models
from images import built_image
from jaragua.emulate import QemuBoard
from jaragua.serial import Board, samples_of
from jaragua.serial.jobs import Steps
from jaragua.wire.definitions import JobPhase
from jaragua_compiler import LearningRate, NativeEngine

RATE = LearningRate.from_float(0.02)
SEED = 20_261_120
RAM_BYTES = 256 * 1024
WATCHDOG_MS = 30_000  # of the port qemu_m4 (W5)


@pytest.mark.long
@pytest.mark.board
def test_a8_the_network_of_the_reptile_paper_trains_on_256_kilobytes() -> None:
    """Two jobs from one start: the second one's blob comes again; the same seed gives the same bits."""
    network = jaragua_models.get("omniglot-reptile").network
    layout = compiler.plan(network)
    generator = np.random.default_rng(SEED)
    weights = compiler.initial_weights(network, SEED)
    images = (generator.random((3, network.input_size)) < 0.15).astype(np.float32)
    exponents = compiler.calibrate(layout, weights, images)
    blob = compiler.pack(layout, weights, exponents)
    inputs = compiler.quantise_inputs(layout, exponents, images)
    labels = compiler.quantise_targets(layout, exponents, np.arange(3))

    engine = NativeEngine(layout)
    engine.load(blob)
    engine.set_seed(SEED)
    steps = [engine.train_step(x, label, RATE) for x, label in zip(inputs, labels, strict=True)]

    async def main() -> None:
        async with Board(board.url) as link:
            assert link.identity.blob_bytes == len(blob)
            assert link.identity.ram_bytes <= RAM_BYTES
            for _ in range(2):
                state = await link.train(link.new_job(), samples_of(inputs, labels), RATE, blob, Steps(SEED))
                assert (state.state, state.done) == (JobPhase.DONE, 3)
                assert state.loss_sum == sum(step.loss for step in steps)
                assert await link.read_update(state) == engine.blob()
            before = (await link.health()).uptime_ms
            await link.identify()
            # W4: the longest interval without a feed is the hash of the whole blob, which the identity asks for.
            hash_ms = (await link.health()).uptime_ms - before
            assert 500 < hash_ms < WATCHDOG_MS / 4
            health = await link.health()
            assert health.stack_free_bytes > health.stack_bytes // 4

    with QemuBoard(built_image("qemu_m4", "omniglot-reptile")) as board:
        asyncio.run(main())
