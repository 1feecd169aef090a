"""What travels, and what it costs in bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaragua_models
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation import Buffered, device_names, simulate
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.rounds.state import State
from jaragua.simulation.transport.channel import Differences
from jaragua.strategies import ClientWork, Strategy

FIVE_SHARED_LAYER = ClientWork(0.01, local_layers=1, upload_fraction=0.5, delta_bits=8)


class FakeFleet:
    """A fleet that only packs."""

    def start(self, vector: Any) -> bytes:
        return bytes(vector.astype("<f8").tobytes())

    def numbers(self, start: bytes) -> Any:
        return np.frombuffer(start, "<f8").copy()


@pytest.fixture
def codec() -> ModelCodec:
    return ModelCodec(jaragua_models.get("sine"))


def channel(codec: ModelCodec, memory: Any = None) -> Differences:
    return Differences(FakeFleet(), codec, FIVE_SHARED_LAYER, codec.initial(1), memory or {})  # type: ignore[arg-type]


def test_whole_blobs_cost_a_blob_each_way(make: Any, codec: ModelCodec) -> None:
    result = simulate(make())
    assert result.bytes_up == result.bytes_down == 6 * 3 * codec.blob_bytes


def test_a_device_in_float32_among_boards_costs_float32_each_way(make: Any) -> None:
    """M9: three of four bytes of a mixed fleet of int8 boards would be missing."""
    blobs, codec = simulate(make(engine="w8")), ModelCodec(jaragua_models.get("sine@w8"))
    mixed = simulate(make(engine="w8", float_fraction=0.5))
    assert blobs.bytes_up == 6 * 3 * codec.blob_bytes
    assert mixed.bytes_up == mixed.bytes_down == 6 * (2 * 4 * mixed.parameters + codec.blob_bytes)


def test_the_first_start_costs_nothing_all_draw_it_from_the_seed(codec: ModelCodec) -> None:
    first = codec.initial(1)
    start, cost = channel(codec).send(first, ["a", "b"])
    assert (start, cost) == (first.tobytes(), 0)


def test_first_weights_of_a_file_are_sent_whole_to_all(make: Any, codec: ModelCodec) -> None:
    """No device can draw them from the seed."""
    wanted = make(strategy="tinymetafed", rounds=1, clients=3)
    assert simulate(wanted).bytes_down == 0
    assert simulate(wanted, start=codec.initial(7)).bytes_down == 3 * codec.blob_bytes


def test_the_last_layer_is_never_sent(codec: ModelCodec) -> None:
    first, line = codec.initial(1), channel(codec)
    head = codec.plan.shapes[-1]
    count = int(np.prod(head[0])) + int(np.prod(head[1]))
    start, _ = line.send(first + 1.0, ["a"])
    arrived, _ = line.receive(["a"], np.ones((1, len(first))))
    sent = np.frombuffer(start)
    np.testing.assert_array_equal(sent[-count:], first[-count:])
    np.testing.assert_allclose(sent[:-count], first[:-count] + 1.0)
    assert not arrived[0, -count:].any()


def test_who_missed_rounds_is_sent_all_it_missed_at_most_a_blob(codec: ModelCodec) -> None:
    line, first, draw = channel(codec), codec.initial(1), np.random.default_rng(3)
    vectors = [first + draw.normal(size=len(first)) * 0.01 * number for number in range(1, 20)]
    costs = [line.send(vector, ["always"])[1] for vector in vectors]
    _, late = line.send(vectors[-1], ["late"])
    assert late == len(first.tobytes()) < sum(costs)
    twice = channel(codec)
    alone = [twice.send(vector, [])[1] for vector in vectors[:2]]
    assert alone == [0, 0]
    assert twice.send(vectors[1], ["late"])[1] >= sum(costs[:2])


def test_what_a_device_could_not_send_it_sends_later(codec: ModelCodec) -> None:
    line, count = channel(codec), len(codec.initial(1))
    learned = np.random.default_rng(4).normal(size=(1, count))
    arrived = np.zeros(count)
    for row in (learned, np.zeros_like(learned), np.zeros_like(learned)):
        arrived += line.receive(["a"], row)[0][0]
    np.testing.assert_allclose(arrived[: sum(line._blocks)], learned[0, : sum(line._blocks)], atol=0.02)


def test_a_channel_goes_on_from_its_memory(codec: ModelCodec) -> None:
    first, draw = codec.initial(1), np.random.default_rng(5)
    vectors = [first + draw.normal(size=len(first)) for _ in range(3)]
    learned = draw.normal(size=(2, len(first)))
    whole = channel(codec)
    for vector in vectors[:2]:
        whole.send(vector, ["a"])
        whole.receive(["a", "b"], learned)
    again = channel(codec, whole.arrays())
    assert again.send(vectors[2], ["a", "b"]) == whole.send(vectors[2], ["a", "b"])
    np.testing.assert_array_equal(again.receive(["b"], learned[:1])[0], whole.receive(["b"], learned[:1])[0])


#: What a point is (docs/reference/strategies.md): of a squared error of sines, a hundredth of that of predicting zero.
SINE_POINT = 0.0463


@pytest.mark.parametrize(
    ("numbers", "points"),
    [
        ({"task": "digits", "ways": 5, "shots": 5, "learning_rate": 0.1, "rounds": 100}, 0.01),
        ({"task": "presence", "ways": 2, "shots": 10, "learning_rate": 0.05, "rounds": 200}, 0.01),
        ({"task": "sine", "ways": 1, "shots": 32, "learning_rate": 0.01, "rounds": 1000}, SINE_POINT),
    ],
)
def test_tinymetafed_sends_at_least_four_times_less_and_learns_as_well(
    make: Any, use_data: Callable[[str], Path], numbers: dict[str, Any], points: float
) -> None:
    if numbers["task"] == "presence":
        use_data("room_occupancy_estimation")
    clients = jaragua_models.get(numbers["task"]).defaults.clients
    same = numbers | {"eval_tasks": 100, "seed": 1, "clients": clients, "devices": device_names(clients)}
    plain, small = (simulate(make(strategy=name, **same)) for name in ("tinyreptile", "tinymetafed"))
    print(f"tinyreptile {plain.after} {plain.bytes_up + plain.bytes_down}, tinymetafed {small.after}")
    assert 4 * (small.bytes_up + small.bytes_down) <= plain.bytes_up + plain.bytes_down
    worse = small.after.mean - plain.after.mean
    assert (worse if plain.metric == "mse" else -worse) <= points


class Interrupt:
    """Ends the fourth call of a method, before or after what it does."""

    def __init__(self, method: Callable[..., Any], after: bool) -> None:
        self._method, self._after, self._calls = method, after, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self._calls += 1
        done = self._method(*arguments, **named) if self._after or self._calls != 4 else None
        if self._calls == 4:
            raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("buffered", [None, Buffered(1, slow_fraction=0.5)])
@pytest.mark.parametrize(
    ("room", "name", "after"),
    [(IntegerFleet, "train", False), (Strategy, "aggregate", False), (State, "after", True)],
)
def test_tinymetafed_stopped_in_the_middle_of_a_round_goes_on_to_the_same_end(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffered: Any, room: Any, name: str, after: bool
) -> None:
    wanted = make(strategy="tinymetafed", clients=2, buffered=buffered)
    interrupt = Interrupt(getattr(room, name), after)
    with monkeypatch.context() as patch:
        patch.setattr(room, name, lambda *arguments, **named: interrupt(*arguments, **named))
        with pytest.raises(KeyboardInterrupt):
            simulate(wanted, state_folder=tmp_path)
    resumed, undisturbed = simulate(wanted, state_folder=tmp_path), simulate(wanted)
    assert resumed.final_hash == undisturbed.final_hash
    assert (resumed.bytes_up, resumed.bytes_down) == (undisturbed.bytes_up, undisturbed.bytes_down)
