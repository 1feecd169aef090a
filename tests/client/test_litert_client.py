"""A Pi with the engine `litert` in the fleet: float32 both ways (M9), a blob where the coordinator knows no other."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleet_bench import Headquarters, adapt_command, beside, digits_blob, run, settings, train_command, until

import jaragua_models
from common.processes import process_of
from jaragua.cli.main import run as run_command
from jaragua.client.client import run_client, run_litert_client
from jaragua.client.litert_trainer import TrainingFiles
from jaragua.coordinator.rounds.figures import implausible
from jaragua.node.training.proximal_decay import NO_DECAY
from jaragua.wire.messages import TrainCommand
from jaragua_broker import Broker
from jaragua_compiler import LearningRate, NativeEngine, exponents, initial_weights, pack, plan, unpack
from jaragua_compiler.engines.replay_order import replay_order
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.floating.form import pack_floats, unpack_floats
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.litert import export
from jaragua_compiler.litert.training_file import find_training_files

FOLDER = Path(__file__).parent / "litert"
DIGITS = jaragua_models.get("digits")
PLAN = plan(DIGITS.network)
START = pack_floats(PLAN, initial_weights(DIGITS.network, 1))
BLOB = digits_blob()
CHANGES = [
    {},
    {"passes": 3},
    {"passes": 3, "proximal_decay": NO_DECAY // 2},
    {"passes": 2, "batch": 10},
    {"passes": 2, "batch": 0},
    {"passes": 3, "loss_threshold": 1.8},
    {"passes": 3, "replay_buffer_size": 4, "loss_threshold": 1.8},
    {"passes": 3, "batch": 10, "loss_threshold": 1.8},
    {"passes": 2, "proximal_decay": NO_DECAY // 2, "loss_threshold": 1.8},
]


def files() -> TrainingFiles:
    return TrainingFiles(find_training_files(FOLDER))


def float_command(**changes: Any) -> TrainCommand:
    return train_command(BLOB, start=hashlib.sha256(START).digest(), **changes)


def by_hand(command: TrainCommand, start: Weights) -> tuple[np.ndarray, float]:
    """What the float engine makes of the same samples: all numbers, and the mean loss on the way."""
    support = DIGITS.tasks.train_task(command.device, command.seed, command.ways, command.shots).support
    batch = len(support.y) if command.batch == 0 else command.batch or 1
    weights, losses = start, []
    for each_pass in np.split(
        replay_order(len(support.y), command.passes, command.replay_buffer_size or 0), command.passes
    ):
        for first in range(0, len(support.y), batch):
            some = each_pass[first : first + batch]
            weights = batch_step(weights, support.x[some], support.y[some], command, losses)
        if command.proximal_decay is not None:
            weights = moved(start, moved(weights, start, -1.0), command.proximal_decay / NO_DECAY)
    return flat(weights), float(np.mean(losses))


def batch_step(weights: Weights, xs: np.ndarray, ys: np.ndarray, command: TrainCommand, losses: list[float]) -> Weights:
    """One step by the mean of the gradients, at the rate as boards have it; the losses are added to the list."""
    step = LearningRate.from_float(command.learning_rate).to_float() / len(ys)
    engine = FloatEngine(DIGITS.network, weights)
    for x, y in zip(xs, ys, strict=True):
        losses.append(engine.train_step(x, y, 0.0).loss)
        if losses[-1] >= (command.loss_threshold or 0.0):
            weights = moved(weights, engine.gradients, -step)
    return weights


def moved(weights: Weights, by: Weights, fraction: float) -> Weights:
    return [(w + fraction * v, b + fraction * c) for (w, b), (v, c) in zip(weights, by, strict=True)]


def flat(weights: Weights) -> np.ndarray:
    return np.concatenate([part.ravel() for pair in weights for part in pair])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_m9_a_start_in_float32_gives_an_update_in_float32(
    broker: Broker, tmp_path: Path, changes: dict[str, Any]
) -> None:
    command = float_command(ways=5, shots=5, **changes)

    async def story() -> None:
        async with beside(broker.url, run_litert_client(settings(broker.url, tmp_path), files())) as headquarters:
            assert (await headquarters.device_is("pi-1", "ready")).format == "f32"
            await headquarters.publish_blob(START)
            await headquarters.command("pi-1", "train", command)
            header, update = await headquarters.update_number(1)
            expected, loss = by_hand(command, unpack_floats(PLAN, START))
            assert (header.encoding, header.base) == ("f32", command.start)
            assert header.samples == 25 * command.passes
            assert distance(flat(unpack_floats(PLAN, update)), expected) < 1e-5
            if command.loss_threshold:
                every, _ = by_hand(replace(command, loss_threshold=None), unpack_floats(PLAN, START))
                assert distance(every, expected) > 0.01  # some are passed over
            assert header.loss == pytest.approx(loss, rel=1e-4)

    run(story())


def test_m11_training_that_leaves_the_finite_numbers_is_sent_with_figures_inside_their_ranges(
    broker: Broker, tmp_path: Path
) -> None:
    """R17 leaves such an update out; if it never came, its round would wait until the deadline."""
    far = pack_floats(PLAN, [(1e30 * w, b) for w, b in initial_weights(DIGITS.network, 1)])
    command = train_command(BLOB, start=hashlib.sha256(far).digest(), ways=5, shots=5)

    async def story() -> None:
        async with beside(broker.url, run_litert_client(settings(broker.url, tmp_path), files())) as headquarters:
            await headquarters.publish_blob(far)
            await headquarters.command("pi-1", "train", command)
            header, update = await headquarters.update_number(1)
            assert not np.isfinite(np.frombuffer(update, "<f4")).all()
            assert implausible(header, 25) == ""
            assert (header.encoding, header.samples) == ("f32", 25)

    run(story())


@pytest.mark.parametrize("changes", [{}, {"loss_threshold": 1.8}], ids=str)
def test_m9_a_command_without_start_is_answered_with_a_blob(
    broker: Broker, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """It has the exponents of the start, and what it learned is the float engine's but for both roundings."""
    command = train_command(BLOB, ways=5, shots=5, **changes)

    async def story() -> None:
        async with beside(broker.url, run_litert_client(settings(broker.url, tmp_path), files())) as headquarters:
            await headquarters.publish_blob(BLOB)
            await headquarters.command("pi-1", "train", command)
            header, update = await headquarters.update_number(1)
            start = unpack(PLAN, BLOB)
            assert (header.encoding, header.base) == ("blob", command.hash)
            assert exponents(PLAN, update) == exponents(PLAN, BLOB)
            assert update == pack(PLAN, unpack(PLAN, update), exponents(PLAN, BLOB))
            learned, wanted = flat(unpack(PLAN, update)) - flat(start), by_hand(command, start)[0] - flat(start)
            assert distance(learned, wanted) < 0.02

    run(story())


@pytest.mark.parametrize("in_float32", [True, False])
def test_m4_adaptation_helps(broker: Broker, tmp_path: Path, in_float32: bool) -> None:
    start = {"start": hashlib.sha256(START).digest()} if in_float32 else {}

    async def story() -> None:
        async with beside(broker.url, run_litert_client(settings(broker.url, tmp_path), files())) as headquarters:
            await headquarters.publish_blob(START if in_float32 else BLOB)
            result = await headquarters.ask("pi-1", adapt_command(BLOB, passes=8, **start))
            assert result.ok, result.reason
            assert result.after > result.before + 0.2

    run(story())


def test_m9_a_start_that_is_not_finite_is_refused_with_the_reason(broker: Broker, tmp_path: Path) -> None:
    bad = START[:-4] + np.float32(np.nan).tobytes()

    async def story() -> None:
        async with beside(broker.url, run_litert_client(settings(broker.url, tmp_path), files())) as headquarters:
            await headquarters.publish_blob(bad)
            result = await headquarters.ask("pi-1", adapt_command(BLOB, start=hashlib.sha256(bad).digest()))
            assert not result.ok
            assert "finite" in (result.reason or "")

    run(story())


def test_m9_a_device_of_integers_takes_the_blob_whatever_start_says(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with beside(broker.url, run_client(settings(broker.url, tmp_path), NativeEngine)) as headquarters:
            assert (await headquarters.device_is("pi-1", "ready")).format is None
            await headquarters.publish_blob(BLOB)
            await headquarters.command("pi-1", "train", float_command())
            header, update = await headquarters.update_number(1)
            assert (header.encoding, header.base, len(update)) == ("blob", float_command().hash, len(BLOB))

    run(story())


def test_a_run_without_a_training_file_leaves_the_device_out_until_there_is_one(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with beside(broker.url, run_litert_client(settings(broker.url, tmp_path), files())) as headquarters:
            await headquarters.device_is("pi-1", "ready")
            await headquarters.publish_run("presence")
            reason = (await headquarters.device_is("pi-1", "stale")).reason or ""
            assert "no training file is for 'presence'" in reason
            assert "jaragua export-litert presence" in reason
            await headquarters.publish_run("digits")
            await until(lambda: headquarters.device_states("pi-1")[-1].state == "ready")

    run(story())


@contextlib.asynccontextmanager
async def client_process(python: str, url: str, folder: Path, *options: str) -> AsyncIterator[Any]:
    """`jaragua client --engine litert`, with no compiler in its PATH."""
    words = ["client", "--broker", url, "--fleet", "home", "--node", "pi-1", "--data-dir", str(folder), *options]
    environment = {"PATH": str(folder), "HOME": str(folder)}
    async with process_of(python, "-m", "jaragua.cli.main", *words, environment=environment) as process:
        yield process


def test_a_process_without_a_compiler_trains_and_says_goodbye(broker: Broker, tmp_path: Path) -> None:
    options = ("--engine", "litert", "--litert", str(FOLDER / "digits.tflite"), "--model", "digits")

    async def story() -> None:
        async with (
            Headquarters(broker.url) as headquarters,
            client_process(sys.executable, broker.url, tmp_path, *options) as process,
        ):
            await headquarters.publish_blob(START)
            await headquarters.command("pi-1", "train", float_command())
            assert (await headquarters.update_number(1))[0].encoding == "f32"
            process.send_signal(signal.SIGTERM)
            await headquarters.node_is("pi-1", "disconnected")
            assert await process.wait() == 0

    run(story())


def test_an_export_without_tensorflow_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda package: None)
    assert run_command(["export-litert", "digits", "--out", str(tmp_path / "digits.tflite")]) == 10
    assert "TensorFlow is not installed; only the export needs it" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_export_replaces_nothing_but_a_file_of_its_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a device (/dev/null) it made an ordinary file. Said before the conversion, so without TensorFlow, too."""
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda package: None)
    (tmp_path / "table.csv").write_text("machine,pressure,state")
    os.mkfifo(tmp_path / "null")
    for name, sentence in (
        ("null", "is not an ordinary file"),
        (".", "is not an ordinary file"),
        ("table.csv", "is there, and no .tflite file"),
        ("no/digits.tflite", "There is no folder"),
    ):
        assert run_command(["export-litert", "digits", "--out", str(tmp_path / name)]) == 7
        assert sentence in capsys.readouterr().err
    for content in (b"", b"\x1c\0\0\0TFL3"):
        (tmp_path / "old.tflite").write_bytes(content)
        assert run_command(["export-litert", "digits", "--out", str(tmp_path / "old.tflite")]) == 10


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--engine", "litert"), 2, "needs a training file"),
        (("--litert", str(FOLDER)), 2, "--litert is for --engine litert"),
        (("--engine", "litert", "--litert", "absent.tflite"), 7, "absent.tflite cannot be read"),
        (
            ("--engine", "litert", "--litert", str(FOLDER), "--model", "presence"),
            7,
            "no training file is for 'presence'",
        ),
        (("--engine", "tensorflow"), 2, "tensorflow"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    where = ("--broker", "mqtt://127.0.0.1:1", "--fleet", "home", "--node", "pi-1", "--data-dir", str(tmp_path))
    assert run_command(["client", *where, *options]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
