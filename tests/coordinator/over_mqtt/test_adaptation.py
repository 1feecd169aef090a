"""M4: evaluating starts on devices, through a real broker and simulated nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import nodes_at_work, retained

import jaragua_models
from jaragua.config import RunConfig
from jaragua.coordinator import AdaptResult, Trial, adapt_devices, open_fleet, wait_for_devices
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import BoardError
from jaragua.settings import TrainingSettings

MakeConfig = Callable[..., RunConfig]


def trial(device: str, number: int, blob: bytes, seed: int = 5) -> Trial:
    return Trial(device, number, blob, seed, TrainingSettings(0.02, passes=2), ways=1, shots=5, queries=10)


def blobs() -> list[bytes]:
    codec = ModelCodec(jaragua_models.get("sine"))
    return [codec.pack(codec.initial(seed)) for seed in (1, 2)]


def ask(config: RunConfig, trials: list[Trial], *nodes: SimulatedNode, deadline_s: float = 20) -> list[AdaptResult]:
    async def everything() -> list[AdaptResult]:
        async with nodes_at_work(*nodes), open_fleet(config.broker.url, config.run.fleet) as session:
            await wait_for_devices(session, {device for node in nodes for device in node.devices}, 20)
            return await adapt_devices(session, "trials", trials, deadline_s=deadline_s)

    return asyncio.run(everything())


def node(config: RunConfig, *devices: str) -> SimulatedNode:
    return SimulatedNode(config.broker.url, config.run.fleet, "gateway-1", devices)


def test_answers_come_in_the_order_of_the_questions(make_config: MakeConfig) -> None:
    config = make_config()
    first, second = blobs()
    trials = [trial("board-2", 1, second), trial("board-1", 1, first), trial("board-2", 0, first)]
    found = ask(config, trials, node(config, "board-1", "board-2"))
    assert [(one.device, one.number) for one in found] == [("board-2", 1), ("board-1", 1), ("board-2", 0)]
    assert all((one.metric, one.queries) == ("mse", 10) for one in found)


def test_the_same_question_has_the_same_answer(make_config: MakeConfig) -> None:
    """Two starts are evaluated on the same task: equal seeds, equal starts, equal figures."""
    config = make_config()
    start = blobs()[0]
    found = ask(config, [trial("board-1", number, start) for number in range(2)], node(config, "board-1"))
    assert (found[0].before, found[0].after) == (found[1].before, found[1].after)
    assert found[0].after < found[0].before


def test_a_trial_says_what_to_pass_over_and_how_much_to_hold(make_config: MakeConfig) -> None:
    """Of a loss that nothing reaches no sample teaches; another order of the samples teaches something else."""
    config = make_config()
    plain = trial("board-1", 0, blobs()[0])
    changes: tuple[dict[str, Any], ...] = ({}, {"loss_threshold": 1e6}, {"replay_buffer_size": 1})
    trials = [
        replace(plain, number=number, training=replace(plain.training, **changed))
        for number, changed in enumerate(changes)
    ]
    whole, nothing, held = ask(config, trials, node(config, "board-1"))
    assert nothing.after == nothing.before == whole.before
    assert len({whole.after, nothing.after, held.after}) == 3


def test_the_blobs_are_taken_off_the_broker(make_config: MakeConfig) -> None:
    config = make_config()
    ask(config, [trial("board-1", 0, blob) for blob in blobs()][:1], node(config, "board-1"))
    assert [topic for topic in retained(config) if "/blob/" in topic] == []


def test_a_device_that_is_not_there_is_named(make_config: MakeConfig) -> None:
    config = make_config()
    with pytest.raises(BoardError, match="board-9 is not there"):
        ask(config, [trial("board-9", 0, blobs()[0])], node(config, "board-1"))


def test_a_device_that_does_not_answer_is_named(make_config: MakeConfig) -> None:
    config = make_config()
    silent = node(config, "board-1")
    silent.model = "digits"  # the task cannot be drawn, so the simulated node fails and says nothing
    with pytest.raises(BoardError, match=r"board-1 did not answer an adapt command in 2 times 0\.3 s"):
        ask(config, [trial("board-1", 0, blobs()[0])], silent, deadline_s=0.3)


def test_devices_that_do_not_come_are_named(make_config: MakeConfig) -> None:
    config = make_config()

    async def everything() -> None:
        async with open_fleet(config.broker.url, config.run.fleet) as session:
            await wait_for_devices(session, ["board-1", "board-2"], 0.1)

    with pytest.raises(BoardError, match=r"not ready after 0\.1 s: board-1, board-2"):
        asyncio.run(everything())
