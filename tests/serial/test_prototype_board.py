"""L4.13: a board enrols, recognises and trains with prototypes as the NumPy reference does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from images import built_image
from jaragua.emulate import EmulatedBoard, NativeBoard
from jaragua.serial import Board
from jaragua.serial.failures import BoardRefused
from jaragua.serial.jobs import Steps, samples_of
from jaragua.wire.definitions import Operator
from jaragua_compiler import LearningRate, ReferenceEngine
from jaragua_compiler.engine_protocol import ACCEPT_ALL
from jaragua_compiler.planning.plan import with_prototypes

Lesson = Any
CLASSES = 12
TEMPERATURE = LearningRate.from_float(0.05)


@pytest.fixture
def board_with_room() -> Iterator[EmulatedBoard]:
    with NativeBoard(built_image("native", "digits", prototypes=CLASSES)) as board:
        yield board


def reference(lesson: Lesson) -> ReferenceEngine:
    """With the samples of the lesson enrolled."""
    engine = ReferenceEngine(with_prototypes(lesson.plan, CLASSES))
    engine.load(lesson.blob)
    engine.set_temperature(TEMPERATURE)
    for x, y in zip(lesson.inputs, lesson.labels, strict=True):
        engine.enrol(x, int(y[0]))
    return engine


def test_l4_13_a_board_with_prototypes_gives_the_bits_of_the_reference(
    board_with_room: EmulatedBoard, lesson: Lesson, other_lesson: Lesson
) -> None:
    engine, queries = reference(lesson), other_lesson.samples
    label = int(lesson.labels[0][0])

    async def main() -> None:
        async with Board(board_with_room.url) as board:
            assert board.identity.prototypes == CLASSES
            assert board.identity.operators >> Operator.PROTOTYPES & 1
            await board.enrol(board.new_job(), queries, lesson.blob)
            await board.enrol(board.new_job(), lesson.samples, fresh=True)
            told = await board.recognise(board.new_job(), queries)
            assert told == [engine.recognise(x) for x in other_lesson.inputs]
            nearest = min(one.relative for one in told)
            engine.set_rejection(nearest)
            answered = await board.recognise(board.new_job(), queries, rejection=nearest)
            assert answered == [engine.recognise(x) for x in other_lesson.inputs]
            assert {one.accepted for one in answered} == {True, False}
            engine.set_rejection(ACCEPT_ALL)
            count, prototype = await board.prototype(label)
            assert (count, prototype.tolist()) == (engine.enrolled(label), engine.prototype(label).tolist())
            evaluated = await board.evaluate(board.new_job(), queries, temperature=TEMPERATURE)
            pairs = list(zip(other_lesson.inputs, other_lesson.labels, strict=True))
            assert evaluated.loss_sum == sum(engine.evaluate_prototypes(x, y).loss for x, y in pairs)
            state = await board.train(board.new_job(), queries, lesson.rate, steps=Steps(temperature=TEMPERATURE))
            steps = [engine.train_prototypes(x, y, lesson.rate) for x, y in pairs]
            assert (state.correct, state.loss_sum) == (sum(s.correct for s in steps), sum(s.loss for s in steps))
            assert await board.read_update(state) == engine.blob() != lesson.blob
            await board.forget(label)
            engine.forget(label)
            told = await board.recognise(board.new_job(), queries)
            assert told == [engine.recognise(x) for x in other_lesson.inputs]

    asyncio.run(main())


def test_l4_13_a_class_beyond_the_outputs_is_one_and_what_cannot_be_done_has_a_name(
    board_with_room: EmulatedBoard, lesson: Lesson
) -> None:
    beyond = samples_of(lesson.inputs, np.full((len(lesson.inputs), 1), CLASSES - 1, np.int16))

    async def main() -> None:
        async with Board(board_with_room.url) as board:
            await board.upload(lesson.blob)
            with pytest.raises(BoardRefused, match="no_prototype"):
                await board.recognise(board.new_job(), lesson.samples, lesson.blob)
            await board.enrol(board.new_job(), beyond, lesson.blob)
            told = await board.recognise(board.new_job(), lesson.samples)
            assert {one.label for one in told} == {CLASSES - 1}
            with pytest.raises(BoardRefused, match="no_prototype"):
                await board.prototype(0)
            with pytest.raises(BoardRefused, match="bad_sample"):
                await board.forget(CLASSES)
            await board.enrol(board.new_job(), [], fresh=True)
            with pytest.raises(BoardRefused, match="no_prototype"):
                await board.recognise(board.new_job(), lesson.samples)

    asyncio.run(main())


def test_l4_13_an_image_without_prototypes_refuses_them(native_board: EmulatedBoard, lesson: Lesson) -> None:
    async def main() -> None:
        async with Board(native_board.url) as board:
            assert board.identity.prototypes == 0
            with pytest.raises(BoardRefused, match="unsupported"):
                await board.enrol(board.new_job(), lesson.samples, lesson.blob)
            with pytest.raises(BoardRefused, match="unsupported"):
                await board.forget(0)

    asyncio.run(main())
