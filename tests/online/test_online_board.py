"""L4.11: a board that goes on learning gives the bits of the reference, native and on the emulated Cortex-M4."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import jaragua_models
from images import built_image
from jaragua.emulate import EmulatedBoard, NativeBoard, QemuBoard
from jaragua.serial import Board, BoardEvent, BoardRefused, BoardRestarted, samples_of
from jaragua.wire.definitions import JobPhase, Operator
from jaragua.wire.messages import OnlineState
from jaragua_compiler import calibrate, initial_weights, pack, plan
from jaragua_compiler.online import ReferenceLearner, Settings
from jaragua_compiler.quantisation.rate import LearningRate

PLAN = plan(jaragua_models.get("digits").network)
RATE = LearningRate.from_float(0.05)
SETTINGS = Settings(known=0b111, replays=2, threshold=4000)


def start() -> bytes:
    """Random weights."""
    weights = initial_weights(PLAN.network, 3)
    return pack(PLAN, weights, calibrate(PLAN, weights, np.random.default_rng(3).random((50, 64))))


def stream(seed: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0..2 at first, then 3 too, then what was learned no longer holds."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, np.where(np.arange(samples) < 20, 3, 4))
    inputs = random.integers(0, 120, (samples, 64)) + 90 * (np.arange(64) // 16 == labels[:, None])
    labels[samples // 2 :] = (labels[samples // 2 :] + 1) % 4
    return inputs.astype(np.int16), labels.astype(np.int16)


@pytest.fixture(scope="module", params=["native", pytest.param("qemu_m4", marks=pytest.mark.board)])
def emulated(request: pytest.FixtureRequest) -> Iterator[EmulatedBoard]:
    """Both kinds of board, one after the other."""
    kind = NativeBoard if request.param == "native" else QemuBoard
    with kind(built_image(request.param, "digits")) as board:
        yield board


def test_l4_11_a_stream_gives_the_bits_of_the_reference(emulated: EmulatedBoard, seed: int) -> None:
    """Two jobs, the second going on with the learner; events in between (O8)."""
    inputs, labels = stream(seed, 120)
    samples = samples_of(inputs, labels)
    events: list[BoardEvent] = []
    reference = ReferenceLearner(PLAN)
    reference.begin(start(), SETTINGS, RATE)
    outcomes = [reference.learn(x, int(label)) for x, label in zip(inputs[:70], labels[:70], strict=True)]
    reference.resume(replace(SETTINGS, standardise=True, replays=3), RATE)
    outcomes += [reference.learn(x, int(label)) for x, label in zip(inputs[70:], labels[70:], strict=True)]

    async def main() -> None:
        async with Board(emulated.url, on_event=events.append) as board:
            assert board.identity.operators >> Operator.ONLINE & 1
            first = await board.learn_online(board.new_job(), samples[:70], SETTINGS, RATE, start())
            later = replace(SETTINGS, standardise=True, replays=3)
            second = await board.learn_online(board.new_job(), samples[70:], later, RATE)
            state = await board.online_state()
            blob = await board.read_update(second)
        right = sum(outcome.correct for outcome in outcomes if outcome is not None)
        assert (first.state, first.done, first.correct + second.correct) == (JobPhase.DONE, 70, right)
        expected = reference.report()
        assert {name: getattr(state, name) for name in expected.__dataclass_fields__} == expected.__dict__
        assert blob == reference.blob()
        opened = [event for event in events if isinstance(event, OnlineState) and event.opened]
        assert opened[0].opened_label == 3

    asyncio.run(main())


def test_l4_11_what_a_learner_needs(emulated: EmulatedBoard) -> None:
    """No learner to go on with, a setting outside its range, a job that is done already (L4.5), other weights."""
    inputs, labels = stream(1, 20)
    samples = samples_of(inputs, labels)

    async def main() -> None:
        async with Board(emulated.url) as board:
            await board.upload(start())
            await board.evaluate(board.new_job(), samples, start())
            with pytest.raises(BoardRestarted):
                await board.learn_online(board.new_job(), samples, SETTINGS, RATE)
            with pytest.raises(BoardRefused, match="bad_setting"):
                await board.learn_online(board.new_job(), samples, Settings(known=0), RATE, fresh=True)
            job = board.new_job()
            first = await board.learn_online(job, samples, SETTINGS, RATE, fresh=True)
            again = await board.learn_online(job, samples, SETTINGS, RATE, fresh=True)
            assert replace(again, id=first.id) == first
            await board.train(board.new_job(), samples, RATE)
            with pytest.raises(BoardRestarted):
                await board.learn_online(board.new_job(), samples, SETTINGS, RATE)

    asyncio.run(main())
