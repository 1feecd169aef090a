"""The gateway over the real firmware: the native image on a pty, and the Cortex-M4's on QEMU."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_bench import Headquarters, adapt_command, digits_blob, run, running, settings, train_command, until

from common.socket_ports import socket_port
from images import built_image
from jaragua.emulate.fleet import EmulatedFleet
from jaragua.emulate.image import NATIVE, QEMU
from jaragua.gateway.gateway import board_opener, port_settings, run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.node.training.jobs import dither_seed
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.node.training.trainer import SampleSet
from jaragua.serial.patience import patience_of
from jaragua.serial.transport import open_transport
from jaragua.wire.link.noise import Noise
from jaragua.wire.messages import TrainCommand
from jaragua_broker import Broker
from jaragua_compiler import LearningRate, ReferenceEngine

BLOB = digits_blob()
NAMES = ["left", "right"]


def update_of_reference(command: TrainCommand) -> tuple[bytes, int]:
    """The weights, and the right answers on the way, of the reference on the same samples."""
    task_sampler = TaskSampler.of("digits")
    samples: SampleSet = task_sampler.support(command, BLOB).replayed(command.passes, command.replay_buffer_size or 0)
    engine, rate = ReferenceEngine(task_sampler.plan), LearningRate.from_float(command.learning_rate)
    engine.load(BLOB)
    engine.set_seed(dither_seed(command))
    engine.set_limits(samples.limits(task_sampler.plan, BLOB))
    steps = [engine.train_step(x, target, rate) for x, target in zip(samples.inputs, samples.targets, strict=True)]
    return engine.blob(), sum(step.correct for step in steps)


@pytest.fixture(scope="module", params=[NATIVE, pytest.param(QEMU, marks=pytest.mark.board)])
def fleet(request: pytest.FixtureRequest) -> Iterator[EmulatedFleet]:
    with EmulatedFleet(built_image(request.param), len(NAMES)) as boards:
        yield boards


def ports(fleet: EmulatedFleet) -> list[PortSettings]:
    return [PortSettings(url, name) for url, name in zip(fleet.urls, NAMES, strict=True)]


@pytest.mark.parametrize("changes", [{}, {"loss_threshold": 0.9, "replay_buffer_size": 4}], ids=str)
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


async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """0x01 as fast as they are read."""
    while True:
        writer.write(b"\x01" * 65536)
        await writer.drain()


def test_l5_6_a_board_completes_rounds_beside_a_babbling_and_an_absent_port(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The babbling port is never given up here, which is worse than what L5.7 allows."""
    monkeypatch.setattr("jaragua.serial.link_driver.BABBLE_BYTES", 1 << 60)
    command = train_command(BLOB, "left", ways=5, shots=6, passes=2)

    async def story() -> None:
        with EmulatedFleet(built_image(NATIVE), 1) as boards:
            async with socket_port(babble) as noisy, Headquarters(broker.url) as headquarters:
                urls = [noisy, boards.urls[0], str(tmp_path / "ttyACM9")]
                work = run_gateway(
                    settings(broker.url, tmp_path, "gw", kind="gateway"),
                    port_settings(urls, ["noisy", "left", "absent"]),
                )
                async with running(work):
                    await headquarters.device_is("left", "ready")
                    await headquarters.publish_blob(BLOB)
                    await headquarters.command("gw", "train", command)
                    assert (await headquarters.update_number(1))[1] == update_of_reference(command)[0]

    run(story())
    assert caplog.text.count("ttyACM9 does not exist") == 1


def test_l5_7_a_babbling_port_is_closed_with_a_named_reason_and_tried_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jaragua.gateway.port.BABBLE_PAUSE_SECONDS", 0.01)

    async def story() -> None:
        async with socket_port(babble) as noisy, Headquarters(broker.url) as headquarters:
            opened: list[str] = []
            opener = board_opener(patience_of(None))

            def counted(url: str, on_event: Any, listener: Any = None) -> Any:
                opened.append(url)
                return opener(url, on_event, listener)

            where = settings(broker.url, tmp_path, "gw", kind="gateway")
            async with running(run_gateway(where, [PortSettings(noisy)], counted)):
                await headquarters.node_is("gw", "ready")
                await until(lambda: len(opened) >= 3)

    run(story())
    assert caplog.text.count("not one frame of Jaragua among them") == 1


@contextlib.asynccontextmanager
async def noisy_line(url: str, error_rate: float, seed: int) -> AsyncIterator[str]:
    """A socket whose bytes to and from the board on `url` are damaged, dropped and doubled; yields its URL."""
    noise, pumps = Noise(random.Random(seed), error_rate), set[asyncio.Task[None]]()
    board = await open_transport(url)

    async def pump_up(writer: asyncio.StreamWriter) -> None:
        while data := await board.read():
            writer.write(noise.spoil(data))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pumps.add(asyncio.create_task(pump_up(writer)))
        while data := await reader.read(4096):
            board.write(noise.spoil(data))

    try:
        async with socket_port(serve) as line:
            yield line
    finally:
        for task in pumps:
            task.cancel()
        await board.close()


def test_l3_8_every_round_completes_with_the_same_hash_over_one_percent_of_spoiled_bytes(
    broker: Broker, tmp_path: Path, seed: int
) -> None:
    async def story() -> None:
        with EmulatedFleet(built_image(NATIVE), 1) as boards:
            async with noisy_line(boards.urls[0], 0.01, seed) as url, Headquarters(broker.url) as headquarters:
                where = settings(broker.url, tmp_path, "gw", kind="gateway")
                async with running(run_gateway(where, [PortSettings(url, "left")])):
                    await headquarters.device_is("left", "ready")
                    await headquarters.publish_blob(BLOB)
                    for number in (1, 2, 3):
                        command = train_command(BLOB, "left", number, ways=5, shots=6)
                        await headquarters.command("gw", "train", command)
                        await until(lambda number=number: headquarters.updates()[number - 1 :], 120)
                        assert headquarters.updates()[-1][1] == update_of_reference(command)[0]

    run(story(), 400)


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
        with EmulatedFleet(built_image(NATIVE), 1) as boards:
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
        with EmulatedFleet(built_image(QEMU), 1) as boards:
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
