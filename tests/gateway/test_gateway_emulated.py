"""The gateway over the real firmware: the native image on a pty, and the Cortex-M4's on QEMU."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_bench import Headquarters, adapt_command, digits_blob, run, running, settings, train_command, until

from jaragua.emulate.fleet import EmulatedFleet
from jaragua.emulate.image import NATIVE, QEMU, build_image
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.node.feeder import Feeder
from jaragua.node.trainer import SampleSet
from jaragua.wire.messages import TrainCommand
from jaragua_broker import Broker
from jaragua_compiler import LearningRate, ReferenceEngine

BLOB = digits_blob()
NAMES = ["left", "right"]


def update_of_reference(command: TrainCommand) -> tuple[bytes, int]:
    """The weights, and the right answers on the way, of the reference on the same samples."""
    feeder = Feeder.of("digits")
    samples: SampleSet = feeder.support(command, BLOB).visited(command.passes, command.memory or 0)
    engine, rate = ReferenceEngine(feeder.plan), LearningRate.from_float(command.learning_rate)
    engine.load(BLOB)
    engine.set_least_loss(samples.integer_least_loss(feeder.plan, BLOB))
    steps = [engine.train_step(x, target, rate) for x, target in zip(samples.inputs, samples.targets, strict=True)]
    return engine.blob(), sum(step.correct for step in steps)


@pytest.fixture(scope="module", params=[NATIVE, pytest.param(QEMU, marks=pytest.mark.board)])
def fleet(request: pytest.FixtureRequest) -> Iterator[EmulatedFleet]:
    with EmulatedFleet(build_image(request.param), len(NAMES)) as boards:
        yield boards


def ports(fleet: EmulatedFleet) -> list[PortSettings]:
    return [PortSettings(url, name) for url, name in zip(fleet.urls, NAMES, strict=True)]


@pytest.mark.parametrize("changes", [{}, {"least_loss": 0.9, "memory": 4}], ids=str)
def test_boards_train_to_the_bits_of_the_reference(
    broker: Broker, fleet: EmulatedFleet, tmp_path: Path, changes: dict[str, Any]
) -> None:
    async def story() -> None:
        work = run_gateway(settings(broker.url, tmp_path, "gw", kind="gateway"), ports(fleet))
        async with Headquarters(broker.url) as headquarters, running(work):
            commands = {name: train_command(BLOB, name, ways=5, shots=6, passes=2, **changes) for name in NAMES}
            for name in NAMES:
                await headquarters.device_is(name, "ready")
            await headquarters.publish_blob(BLOB)
            for command in commands.values():
                await headquarters.command("gw", "train", command)
            await until(lambda: {header.device for header, _ in headquarters.updates()} == set(NAMES))
            for header, update in headquarters.updates():
                expected, correct = update_of_reference(commands[header.device])
                assert hashlib.sha256(update).digest() == hashlib.sha256(expected).digest()
                assert (header.samples, header.score) == (60, correct / 60)

    run(story())


def test_adaptation_on_a_board_helps(broker: Broker, fleet: EmulatedFleet, tmp_path: Path) -> None:
    async def story() -> None:
        work = run_gateway(settings(broker.url, tmp_path, "gw", kind="gateway"), ports(fleet))
        async with Headquarters(broker.url) as headquarters, running(work):
            await headquarters.device_is("left", "ready")
            await headquarters.publish_blob(BLOB)
            result = await headquarters.ask("gw", adapt_command(BLOB, "left", passes=8))
            assert result.ok
            assert result.after > result.before + 0.2

    run(story())


@contextlib.asynccontextmanager
async def gateway_process(url: str, folder: Path, port: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`jaragua gateway` as a process of its own."""
    options = ["--port", port, "--id", "left", "--broker", url, "--fleet", "home", "--node", "gw"]
    command = [sys.executable, "-m", "jaragua.cli.main", "gateway", *options, "--data-dir", str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_killed_gateway_is_lost_and_its_successor_does_the_work(broker: Broker, tmp_path: Path) -> None:
    """Promise 3: killed over its work, a gateway leaves a `lost`; the one started after it gives the same bits."""
    command = train_command(BLOB, "left", ways=10, shots=20, passes=20)

    async def story() -> None:
        with EmulatedFleet(build_image(NATIVE), 1) as boards:
            async with Headquarters(broker.url) as headquarters:
                await headquarters.publish_blob(BLOB)
                async with gateway_process(broker.url, tmp_path, boards.urls[0]) as process:
                    await headquarters.device_is("left", "ready")
                    await headquarters.command("gw", "train", command)
                    await headquarters.device_is("left", "training")
                    process.kill()
                    await headquarters.node_is("gw", "lost")
                assert headquarters.updates() == []
                async with gateway_process(broker.url, tmp_path, boards.urls[0]):
                    await headquarters.device_is("left", "ready")
                    await headquarters.command("gw", "train", command)
                    assert (await headquarters.update_number(1))[1] == update_of_reference(command)[0]

    run(story())


@pytest.mark.board
def test_board_switched_off_and_on_trains_again(broker: Broker, tmp_path: Path) -> None:
    """L2.3, L4.5: the port stays (as a socket does), the board's memory is gone."""

    async def story() -> None:
        with EmulatedFleet(build_image(QEMU), 1) as boards:
            where = settings(broker.url, tmp_path, "gw", kind="gateway")
            work = run_gateway(where, [PortSettings(boards.urls[0], "left")])
            async with Headquarters(broker.url) as headquarters, running(work):
                await headquarters.device_is("left", "ready")
                await headquarters.publish_blob(BLOB)
                first = train_command(BLOB, "left")
                await headquarters.command("gw", "train", first)
                await headquarters.update_number(1)
                boards.boards[0].restart()
                second = train_command(BLOB, "left", number=2, seed=12)
                await headquarters.command("gw", "train", second)
                await until(lambda: headquarters.updates()[-1][0].round == 2)
                assert headquarters.updates()[-1][1] == update_of_reference(second)[0]

    run(story())
