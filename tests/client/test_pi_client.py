"""The Pi client: the same bits as the engine run by hand, a will when it is killed, and no sample on the broker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fleet_bench import Headquarters, adapt_command, beside, digits_blob, run, running, settings, train_command, until

import jaragua_compiler as compiler
import jaragua_models
from common.processes import process_of
from jaragua.client.client import run_client
from jaragua.client.engine_trainer import EngineTrainer
from jaragua.node.step_limits import step_limits
from jaragua.node.training import jobs
from jaragua.node.training.jobs import dither_seed
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.settings import step_settings_of
from jaragua.wire.messages import TrainCommand, decode, unpack_update
from jaragua.wire.topics import TopicKind
from jaragua_broker import Broker
from jaragua_compiler import LearningRate, NativeEngine, ReferenceEngine
from jaragua_compiler.engines.replay_order import replay_order

BLOB = digits_blob()


def update_by_hand(model_name: str, blob: bytes, command: TrainCommand) -> tuple[bytes, int]:
    """The weights the reference has after the same samples, and how many it had right on the way."""
    model = jaragua_models.get(model_name)
    layout = compiler.plan(model.network)
    support = model.tasks.train_task(command.device, command.seed, command.ways, command.shots).support
    inputs = compiler.quantise_inputs(layout, compiler.exponents(layout, blob), support.x)
    targets = compiler.quantise_targets(layout, compiler.exponents(layout, blob), support.y)
    engine, rate = ReferenceEngine(layout), LearningRate.from_float(command.learning_rate)
    engine.load(blob)
    engine.set_seed(dither_seed(command))
    engine.set_limits(step_limits(layout, compiler.exponents(layout, blob), step_settings_of(command)))
    order = replay_order(len(inputs), command.passes, command.replay_buffer_size or 0)
    steps = [engine.train_step(inputs[index], targets[index], rate) for index in order]
    return engine.blob(), sum(step.correct for step in steps)


def blob_of(model_name: str) -> bytes:
    model = jaragua_models.get(model_name)
    layout = compiler.plan(model.network)
    weights = compiler.initial_weights(model.network, 3)
    return compiler.pack(layout, weights, compiler.calibrate(layout, weights, model.tasks.calibration()))


@contextlib.asynccontextmanager
async def client_process(url: str, folder: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`jaragua client` as a process of its own."""
    arguments = ["client", "--broker", url, "--fleet", "home", "--node", "pi-1", "--data-dir", str(folder), *options]
    program = "from jaragua.cli.main import main; main()"
    async with process_of(sys.executable, "-c", program, *arguments) as process:
        yield process


@pytest.mark.parametrize(
    "changes",
    [
        {"passes": 1},
        {"passes": 3},
        {"passes": 3, "replay_buffer_size": 4, "loss_threshold": 0.9},
    ],
    ids=str,
)
def test_update_equals_the_reference_run_by_hand(broker: Broker, tmp_path: Path, changes: dict[str, Any]) -> None:
    command = train_command(BLOB, ways=5, shots=7, **changes)

    async def story() -> None:
        async with beside(broker.url, run_client(settings(broker.url, tmp_path), NativeEngine)) as headquarters:
            await headquarters.publish_blob(BLOB)
            await headquarters.command("pi-1", "train", command)
            header, update = await headquarters.update_number(1)
            expected, correct = update_by_hand("digits", BLOB, command)
            assert update == expected
            assert header.score == correct / (35 * command.passes)

    run(story())


@pytest.mark.parametrize(("model", "loss_threshold"), [("digits", 0.9), ("sine", 0.3)])
def test_a11_8_the_loss_threshold_of_a_job_is_not_that_of_the_next(model: str, loss_threshold: float) -> None:
    """Engines are kept between jobs. Of the four ways to train none gives another's bits; nor does a second time."""
    blob, task_sampler, trainer = (
        blob_of(model),
        TaskSampler.of(model),
        EngineTrainer(NativeEngine, lambda progress: None),
    )
    ways = {"ways": 3, "shots": 8} if model == "digits" else {"ways": 1, "shots": 12}
    found = set()
    for changes in (
        {"replay_buffer_size": 3, "loss_threshold": loss_threshold},
        {"replay_buffer_size": 3},
        {"loss_threshold": loss_threshold},
        {},
    ) * 2:
        command = train_command(blob, passes=2, learning_rate=0.02, **ways, **changes)
        header, update = unpack_update(run(jobs.train(trainer, task_sampler, command, blob)).payload)
        assert update == update_by_hand(model, blob, command)[0]
        assert header.samples == 2 * command.ways * command.shots  # those passed over count
        found.add(update)
    assert len(found) == 4


def test_regression_update_equals_the_reference(broker: Broker, tmp_path: Path) -> None:
    blob = blob_of("sine")
    command = train_command(blob, ways=1, shots=10, learning_rate=0.01)

    async def story() -> None:
        async with beside(
            broker.url, run_client(settings(broker.url, tmp_path, model="sine"), NativeEngine)
        ) as headquarters:
            await headquarters.publish_blob(blob)
            await headquarters.command("pi-1", "train", command)
            header, update = await headquarters.update_number(1)
            assert update == update_by_hand("sine", blob, command)[0]
            assert header.metric == "mse"
            assert 0.0 < header.score == header.loss

    run(story())


def test_client_follows_the_model_of_the_run(broker: Broker, tmp_path: Path) -> None:
    blob = blob_of("sine")

    async def story() -> None:
        async with beside(broker.url, run_client(settings(broker.url, tmp_path), NativeEngine)) as headquarters:
            assert (await headquarters.device_is("pi-1", "ready")).model == "digits"
            await headquarters.publish_run("sine")
            await until(lambda: headquarters.device_states("pi-1")[-1].model == "sine")
            await headquarters.publish_blob(blob)
            await headquarters.command("pi-1", "train", train_command(blob, ways=1, learning_rate=0.01))
            header, _ = await headquarters.update_number(1)
            assert header.metric == "mse"

    run(story())


def test_adaptation_helps(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with beside(broker.url, run_client(settings(broker.url, tmp_path), NativeEngine)) as headquarters:
            await headquarters.device_is("pi-1", "ready")
            await headquarters.publish_blob(BLOB)
            result = await headquarters.ask("pi-1", adapt_command(BLOB, passes=8))
            assert result.ok
            assert result.after > result.before + 0.2

    run(story())


def test_m5_nothing_but_known_messages_crosses_the_broker(broker: Broker, tmp_path: Path) -> None:
    """Every payload is a message of the protocol, a blob, or JSON; and no sample of the task is inside any of them."""
    command = train_command(BLOB, ways=5, shots=5)
    model = jaragua_models.get("digits")
    layout = compiler.plan(model.network)
    support = model.tasks.train_task(command.device, command.seed, 5, 5).support
    samples = compiler.quantise_inputs(layout, compiler.exponents(layout, BLOB), support.x)
    raw = [sample.tobytes() for sample in samples] + [sample.tobytes() for sample in support.x]

    async def story() -> None:
        async with Headquarters(broker.url) as headquarters:
            async with running(run_client(settings(broker.url, tmp_path), NativeEngine)):
                await headquarters.device_is("pi-1", "ready")
                await headquarters.publish_blob(BLOB)
                await headquarters.command("pi-1", "train", command)
                await headquarters.update_number(1)
                await headquarters.ask("pi-1", adapt_command(BLOB))
                await until(lambda: headquarters.of(TopicKind.TELEMETRY))
            assert headquarters.other_topics == []
            assert len(headquarters.updates()[0][1]) == len(BLOB)  # an update has no room for anything but weights
            assert not [seen.topic for seen in headquarters.seen for sample in raw if sample in seen.payload]

    run(story())


def test_killed_client_is_lost_and_ends_its_duty_when_it_is_back(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters:
            async with client_process(broker.url, tmp_path) as process:
                first = await headquarters.node_is("pi-1", "ready")
                await headquarters.publish_blob(BLOB)
                await headquarters.command("pi-1", "train", train_command(BLOB))
                sent = await headquarters.update_number(1)
                process.send_signal(signal.SIGKILL)
                lost = await headquarters.node_is("pi-1", "lost")
                assert lost.epoch == first.epoch  # M8
            count = len(headquarters.updates())
            async with client_process(broker.url, tmp_path):
                again = await headquarters.node_is("pi-1", "ready")
                assert again.epoch > lost.epoch
                assert await headquarters.update_number(count + 1) == sent  # M2

    run(story())


def test_terminated_client_says_goodbye_and_ends_well(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters, client_process(broker.url, tmp_path) as process:
            await headquarters.device_is("pi-1", "ready")
            process.send_signal(signal.SIGTERM)
            await headquarters.node_is("pi-1", "disconnected")
            assert await process.wait() == 0

    run(story())


def test_broker_that_is_not_there_ends_in_a_sentence(tmp_path: Path) -> None:
    with Broker() as gone:
        url = gone.url

    async def story() -> None:
        async with client_process(url, tmp_path, "--patience", "0.5") as process:
            _, words = await process.communicate()
            assert process.returncode == 5
            assert b"no connection to the broker" in words
            assert b"Traceback" not in words

    run(story())


def test_telemetry_comes_with_the_work_and_at_most_once_a_second(broker: Broker, tmp_path: Path) -> None:
    from jaragua.wire.messages import Telemetry

    async def story() -> None:
        async with beside(broker.url, run_client(settings(broker.url, tmp_path), NativeEngine)) as headquarters:
            await headquarters.device_is("pi-1", "ready")
            await headquarters.publish_blob(BLOB)
            for number in range(1, 9):
                await headquarters.command("pi-1", "train", train_command(BLOB, number=number, passes=20))
            await until(lambda: len(headquarters.of(TopicKind.TELEMETRY)) >= 2)
            times = [decode(Telemetry, seen.payload).ts for seen in headquarters.of(TopicKind.TELEMETRY)]
            assert all(later - earlier >= 990 for earlier, later in itertools.pairwise(times))
            progress = decode(Telemetry, headquarters.of(TopicKind.TELEMETRY)[0].payload).progress
            assert progress is not None
            assert progress["samples"] == 240

    run(story())
