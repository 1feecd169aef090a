"""K8: enrolled classes and a learner go on after a power cut as if there had been none, to the bit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np

import jaragua_models
from common.native_flash import native_board, until_kept
from images import built_image
from jaragua.serial import Board, samples_of
from jaragua_compiler import ReferenceEngine, calibrate, initial_weights, pack, plan
from jaragua_compiler.online import ReferenceLearner, Settings
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_compiler.quantisation.rate import LearningRate

PLAN = plan(jaragua_models.get("digits").network)
RATE = LearningRate.from_float(0.05)
SETTINGS = Settings(known=0b111, replays=2, threshold=4000, standardise=True, warm_up=8)
LATER = replace(SETTINGS, replays=3)
CLASSES, BEFORE, SAMPLES = 5, 50, 90


def image() -> Path:
    """Of a board that can do both."""
    return built_image("native", "digits", prototypes=CLASSES)


def start() -> bytes:
    weights = initial_weights(PLAN.network, 3)
    return pack(PLAN, weights, calibrate(PLAN, weights, np.random.default_rng(3).random((50, 64))))


def stream() -> tuple[np.ndarray, np.ndarray]:
    """Four classes, of which the fourth comes late: before the power cut a row is opened (O6)."""
    random = np.random.default_rng(11)
    labels = random.integers(0, np.where(np.arange(SAMPLES) < BEFORE // 2, 3, 4))
    inputs = random.integers(0, 120, (SAMPLES, 64)) + 90 * (np.arange(64) // 16 == labels[:, None])
    return inputs.astype(np.int16), labels.astype(np.int16)


def test_k8_a_learner_goes_on_after_a_power_cut_to_the_bit(tmp_path: Path) -> None:
    inputs, labels = stream()
    samples = samples_of(inputs, labels)
    reference = ReferenceLearner(PLAN)
    reference.begin(start(), SETTINGS, RATE)
    for x, label in zip(inputs[:BEFORE], labels[:BEFORE], strict=True):
        reference.learn(x, int(label))
    reference.resume(LATER, RATE)
    for x, label in zip(inputs[BEFORE:], labels[BEFORE:], strict=True):
        reference.learn(x, int(label))

    async def before(url: str) -> None:
        async with Board(url) as board:
            await board.learn_online(board.new_job(), samples[:BEFORE], SETTINGS, RATE, start())
            await until_kept(tmp_path / "flash", 1)

    async def after(url: str) -> None:
        async with Board(url) as board:
            assert (await board.online_state()).opened == 1
            state = await board.learn_online(board.new_job(), samples[BEFORE:], LATER, RATE)
            told, expected = await board.online_state(), reference.report()
            assert {name: getattr(told, name) for name in expected.__dataclass_fields__} == expected.__dict__
            assert await board.read_update(state) == reference.blob()

    for story in (before, after):
        with native_board(tmp_path / "flash", image()) as url:
            asyncio.run(story(url))


def test_k6_k8_enrolled_classes_go_on_after_a_power_cut_to_the_bit(tmp_path: Path) -> None:
    """A class that was forgotten stays so."""
    inputs, labels = stream()
    samples = samples_of(inputs, labels)
    reference = ReferenceEngine(with_prototypes(PLAN, CLASSES))
    reference.load(start())
    for x, label in zip(inputs[:BEFORE], labels[:BEFORE], strict=True):
        if label != 1:
            reference.enrol(x, int(label))

    async def enrol(url: str) -> None:
        async with Board(url) as board:
            await board.enrol(board.new_job(), samples[:BEFORE], start())
            await until_kept(tmp_path / "flash", 1)

    async def forget(url: str) -> None:
        async with Board(url) as board:
            await board.forget(1)
            await until_kept(tmp_path / "flash", 2)

    async def recognise(url: str) -> None:
        async with Board(url) as board:
            told = await board.recognise(board.new_job(), samples[BEFORE:])
            assert told == [reference.recognise(x) for x in inputs[BEFORE:]]
            assert 1 not in {one.label for one in told}

    for story in (enrol, forget, recognise):
        with native_board(tmp_path / "flash", image()) as url:
            asyncio.run(story(url))
