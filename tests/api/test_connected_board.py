"""`jaragua.connect`: a board without asyncio, on the firmware itself: native and on the emulated Cortex-M4."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import jaragua
from images import built_image
from jaragua.emulate import EmulatedBoard, NativeBoard, QemuBoard
from jaragua.errors import BoardError, ModelError, PortError
from jaragua_compiler import (
    Dense,
    LearningRate,
    Network,
    ReferenceEngine,
    exponents,
    plan,
    quantise_inputs,
    quantise_targets,
    unpack,
)
from jaragua_compiler.planning.plan import with_prototypes

TASK = jaragua.load_task("digits")


@pytest.fixture(scope="module")
def native() -> Iterator[EmulatedBoard]:
    with NativeBoard(built_image("native", "digits")) as board:
        yield board


@pytest.fixture(scope="module")
def qemu() -> Iterator[EmulatedBoard]:
    with QemuBoard(built_image("qemu_m4", "digits")) as board:
        yield board


@pytest.fixture(params=["native", pytest.param("qemu", marks=pytest.mark.board)])
def emulated(request: pytest.FixtureRequest) -> EmulatedBoard:
    board: EmulatedBoard = request.getfixturevalue(request.param)
    return board


@pytest.fixture(scope="module")
def result() -> jaragua.Result:
    return jaragua.simulate(TASK, rounds=3, clients=2, eval_tasks=2)


class Reference:
    """What the NumPy engine makes of a blob."""

    def __init__(self, blob: bytes) -> None:
        self.plan = plan(TASK.network)
        self.formats = exponents(self.plan, blob)
        self.engine = ReferenceEngine(self.plan)
        self.engine.load(blob)

    def train(self, x: np.ndarray, y: np.ndarray, rate: float, passes: int) -> int:
        """Right answers."""
        inputs = quantise_inputs(self.plan, self.formats, x)
        targets = quantise_targets(self.plan, self.formats, y)
        steps = [
            self.engine.train_step(*sample, LearningRate.from_float(rate))
            for _ in range(passes)
            for sample in zip(inputs, targets, strict=True)
        ]
        return sum(step.correct for step in steps)

    def logits(self, x: np.ndarray) -> np.ndarray:
        rows = [self.engine.forward(row) for row in quantise_inputs(self.plan, self.formats, x)]
        return np.ldexp(np.array(rows, dtype=float), -self.formats.output)


def test_training_through_it_gives_the_bits_of_the_reference(emulated: EmulatedBoard, result: jaragua.Result) -> None:
    task = TASK.held_out(1, queries=20)
    with jaragua.connect(emulated.url) as board:
        assert board.load(result) == result.final_hash
        first = board.blob()
        assert hashlib.sha256(first).hexdigest() == result.final_hash
        reference = Reference(first)
        before = board.infer(task.query.x)
        np.testing.assert_array_equal(before.outputs, reference.logits(task.query.x))
        figures = board.train(task.support.x, task.support.y, learning_rate=0.03, passes=2)
        assert figures.correct == reference.train(task.support.x, task.support.y, 0.03, 2)
        assert figures.samples == 2 * len(task.support)
        after = board.infer(task.query.x)
        np.testing.assert_array_equal(after.outputs, reference.logits(task.query.x))
        assert after.classes is not None
        np.testing.assert_array_equal(after.classes, after.outputs.argmax(axis=1))
        assert board.blob() == reference.engine.blob() != first
        trained = unpack(reference.plan, reference.engine.blob())
        for number, (weights, biases) in enumerate(trained):
            np.testing.assert_array_equal(board.weights()[f"layers.{number}.weight"], weights)
            np.testing.assert_array_equal(board.weights()[f"layers.{number}.bias"], biases)
        assert board.identify().working == hashlib.sha256(reference.engine.blob()).digest()


def test_classes_are_enrolled_recognised_and_forgotten(result: jaragua.Result) -> None:
    """The class 11 has no output; its prototype is one all the same (L4.13)."""
    task = TASK.held_out(1, queries=20)
    labels = np.where(task.support.y == task.support.y[0], 11, task.support.y)
    with (
        NativeBoard(built_image("native", "digits", prototypes=12)) as native_board,
        jaragua.connect(native_board.url) as board,
    ):
        board.load(result)
        reference = Reference(board.blob())
        engine = ReferenceEngine(with_prototypes(reference.plan, 12))
        engine.load(board.blob())
        for x, label in zip(quantise_inputs(reference.plan, reference.formats, task.support.x), labels, strict=True):
            engine.enrol(x, int(label))
        assert board.enrol(task.support.x, labels, fresh=True).samples == len(labels)
        queries = quantise_inputs(reference.plan, reference.formats, task.query.x)
        expected = [engine.recognise(x) for x in queries]
        found = board.recognise(task.query.x, threshold=0.5)
        assert found.classes.tolist() == [one.label for one in expected]
        assert found.accepted.tolist() == [one.relative <= 1 << 14 for one in expected]
        unit = np.ldexp(1.0, -(reference.formats.inputs[-1] + 15 - engine.plan.prototype_head.input_width))
        assert found.distances.tolist() == [one.distance * unit**2 for one in expected]
        assert board.prototype(11).tolist() == (engine.prototype(11) * unit).tolist()
        board.forget(11)
        assert 11 not in board.recognise(task.query.x).classes
        with pytest.raises(BoardError, match="no_prototype"):
            board.prototype(11)


def test_an_image_without_prototypes_says_how_to_build_one(native: EmulatedBoard) -> None:
    with jaragua.connect(native.url) as board, pytest.raises(ModelError, match="has no prototypes") as caught:
        board.forget(1)
    assert "JARAGUA_PROTOTYPES=N" in caught.value.hint


def test_every_form_of_weights_can_be_loaded(native: EmulatedBoard, result: jaragua.Result, tmp_path: Path) -> None:
    events: list[object] = []
    with jaragua.connect(native.url, TASK, on_event=events.append) as board:
        assert board.load(result.save(tmp_path / "start.safetensors")) == result.final_hash
        blob = board.blob()
        board.load()
        assert board.blob() != blob
        assert board.load(blob) == result.final_hash
        one = TASK.held_out(2).query.x[0]
        assert board.infer(one).outputs.shape == (1, 10)
        assert board.train(one, 3).samples == 1  # at the model's learning rate
        assert repr(board) == f"native {native.uid.hex()} on {native.url}: digits"
        with pytest.raises(ModelError, match="blob: "):
            board.load(blob[:-4])
        with pytest.raises(ModelError, match="1 samples with 2 labels"):
            board.train(one, [1, 2])
        with pytest.raises(ModelError, match="64 inputs"):
            board.infer(one[:5])


def test_it_works_where_an_event_loop_runs(native: EmulatedBoard, result: jaragua.Result) -> None:
    """As in a notebook."""

    async def cell() -> str:
        with jaragua.connect(native.url) as board:
            return board.load(result)

    assert asyncio.run(cell()) == result.final_hash


def test_a_network_of_ones_own_is_checked_and_packed(native: EmulatedBoard) -> None:
    same = Network("other", 64, layers=TASK.network.layers, loss=TASK.network.loss)
    with jaragua.connect(native.url, same) as board:
        board.load()
        assert set(board.weights()) == {f"layers.{n}.{kind}" for n in (0, 1) for kind in ("weight", "bias")}
        with pytest.raises(ModelError, match="no default"):
            board.train(np.zeros(64), 0)
    tiny = Network("tiny", 64, layers=(Dense(10, "linear"),), loss="softmax_cross_entropy")
    for other in (tiny, "sine"):
        with pytest.raises(ModelError, match="the board computes architecture"):
            jaragua.connect(native.url, other)


def test_errors_are_the_projects(native: EmulatedBoard) -> None:
    with pytest.raises(PortError):
        jaragua.connect("/dev/ttyNONE")
    board = jaragua.connect(native.url)
    with pytest.raises(BoardError, match="no weights were loaded") as caught:
        board.infer(np.zeros(64))
    assert "load" in caught.value.hint
    board.close()
    board.close()
    with pytest.raises(BoardError, match="was closed"):
        board.identify()
