"""M9 and R14 over a real broker: boards in integers and a Pi in float32 in one run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import FOUR, run_to_end, two_nodes

import jaragua_models
from jaragua.config import RunConfig, parse, strategy_of
from jaragua.coordinator.events import RunEvent, UpdateChecked
from jaragua.coordinator.selection import trained_parts
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import Formats
from jaragua.deploy.run_file import settings_text
from jaragua.errors import RunError
from jaragua.simulation import simulate
from jaragua.simulation.settings import simulation_of
from jaragua.store import Store
from jaragua.strategies import ClientUpdate
from jaragua.wire import messages

MakeConfig = Callable[..., RunConfig]


def boards_and_a_pi(config: RunConfig) -> tuple[SimulatedNode, SimulatedNode]:
    gateway, pi = two_nodes(config)
    pi.format, pi.kind = "f32", "pi"
    return gateway, pi


def test_m9_a_pi_in_float32_gets_a_start_and_answers_in_its_own_form(make_config: MakeConfig) -> None:
    config = make_config(clients=4, quorum=4)
    nodes = boards_and_a_pi(config)
    result = run_to_end(config, nodes)
    assert {one.device: one.updates for one in result.devices} == dict.fromkeys(FOUR, 3)
    assert {command.start is not None for command in nodes[0].commands} == {False}
    assert {command.start is not None for command in nodes[1].commands} == {True}
    blob_bytes, float_bytes = len(result.final_blob), 4 * sum(map(sum, parameters()))
    assert result.bytes_down == 3 * (blob_bytes + float_bytes)


def parameters() -> list[tuple[int, int]]:
    shapes = ModelCodec(jaragua_models.get("sine")).plan.shapes
    return [(int(np.prod(weights)), int(np.prod(biases))) for weights, biases in shapes]


def test_r14_1_and_r14_2_a_weight_that_no_board_moved_is_what_the_pi_says(make_config: MakeConfig) -> None:
    """The rule written out once more, over the updates that the store kept."""
    config = make_config(clients=4, quorum=4, rounds=1)
    result = run_to_end(config, boards_and_a_pi(config))
    codec = ModelCodec(jaragua_models.get("sine"))
    start = codec.initial(config.run.seed)
    bases = {"blob": codec.pack(start), "f32": codec.pack_floats(start)}
    with Store(config.run.directory / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        kept = store.updates(record.run, 1)
    rows = np.array([codec.learned(one.encoding, bases[one.encoding], one.blob) for one in kept])
    told = np.array([(row != 0) | (one.encoding == "f32") for one, row in zip(kept, rows, strict=True)])
    by_hand = start + (rows * told).sum(axis=0) / told.sum(axis=0)
    assert hashlib.sha256(codec.pack(by_hand)).hexdigest() == result.model_hash
    plain = [ClientUpdate(one.device, start + row, one.samples) for one, row in zip(kept, rows, strict=True)]
    assert not np.allclose(strategy_of(config).aggregate(1, start, plain), by_hand)


def test_r14_boards_of_int8_and_of_int16_weights_and_a_pi_in_one_run(make_config: MakeConfig) -> None:
    """Each is sent a start of its own format; the run's is that of its model."""
    config = make_config(clients=4, quorum=4)
    url, fleet = config.broker.url, config.run.fleet
    words = SimulatedNode(url, fleet, "gateway-1", FOUR[:2])
    octets = SimulatedNode(url, fleet, "gateway-2", FOUR[2:3], model="sine@w8")
    pi = SimulatedNode(url, fleet, "pi-1", FOUR[3:], format="f32", kind="pi")
    result = run_to_end(config, (words, octets, pi))
    assert {one.device: one.updates for one in result.devices} == dict.fromkeys(FOUR, 3)
    own, other = (ModelCodec(jaragua_models.get(name)) for name in ("sine", "sine@w8"))
    float_bytes = 4 * sum(map(sum, parameters()))
    assert result.bytes_down == 3 * (own.blob_bytes + other.blob_bytes + float_bytes)
    starts = [{command.hash for command in node.commands if command.round == 1} for node in (words, octets, pi)]
    assert starts[0] == starts[2] != starts[1]
    with Store(config.run.directory / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        sizes = {one.device: len(one.blob) for one in store.updates(record.run, 3)}
    assert sizes == dict(zip(FOUR, (own.blob_bytes, own.blob_bytes, other.blob_bytes, float_bytes), strict=True))


def test_r14_what_started_from_another_format_is_rejected(make_config: MakeConfig) -> None:
    """An int8 board that answers with int16 weights, and says it began where it was told to."""
    config = make_config(clients=1, quorum=1, minimum=1, rounds=1, deadline_s=0.4)
    node = SimulatedNode(config.broker.url, config.run.fleet, "gateway", FOUR[:1], model="sine@w8")
    codec = ModelCodec(jaragua_models.get("sine"))
    blob = codec.pack(codec.initial(1))
    node.tamper = lambda header, _: [
        messages.pack_update(replace(header, bytes=len(blob), sha256=hashlib.sha256(blob).digest()), blob)
    ]
    seen: list[RunEvent] = []
    with pytest.raises(RunError):
        run_to_end(config, (node,), seen.append)
    reasons = {one.reason for one in seen if isinstance(one, UpdateChecked)}
    assert reasons == {"it is a blob, which its start is not"}


def test_r35_4_a_device_that_holds_layers_counts_for_its_last_one_and_a_simulation_agrees(
    make_config: MakeConfig,
) -> None:
    """R35.3: its commands and updates are those of any other device."""
    config = make_config(clients=4, quorum=4, learning_rate=0.01)
    url, fleet = config.broker.url, config.run.fleet
    whole = SimulatedNode(url, fleet, "gateway-1", FOUR[:3])
    head = SimulatedNode(url, fleet, "gateway-2", FOUR[3:], model="sine@head")
    result = run_to_end(config, (whole, head))
    assert {one.device: one.updates for one in result.devices} == dict.fromkeys(FOUR, 3)
    simulation = replace(simulation_of(config), devices=FOUR, head_devices=1)
    assert simulate(simulation).final_hash == result.model_hash
    assert simulate(replace(simulation, head_devices=0)).final_hash != result.model_hash


def test_r35_4_what_an_update_says_of_layers_that_its_device_holds_is_not_read() -> None:
    head = ModelCodec(jaragua_models.get("sine@head"))
    start, other = head.initial(1), head.initial(2)
    base, update = head.pack(start), head.pack(other)
    learned = head.learned("blob", base, update)
    assert not learned[: head.held].any()
    assert learned[head.held :].any()
    assert np.array_equal(head.learned_by_all("blob", base, [update, base])[0], learned)


@pytest.mark.parametrize(
    "said",
    [
        {"strategy.name": "tinymetafed"},
        {"strategy.name": "protoreptile"},
        {"strategy.combine": "median"},
        {"strategy.name": "fedavg", "privacy.secure_aggregation": True},
        {},
    ],
)
def test_r35_6_runs_whose_updates_are_not_taken_apart_have_no_such_devices(
    said: dict[str, str | bool], tmp_path: Path
) -> None:
    config = parse(settings_text("digits", said), tmp_path / "run.toml")
    assert ("head" in trained_parts(config)) is not bool(said)
    whole = Formats(ModelCodec(jaragua_models.get("sine")), alone=False, whole=True)
    assert [one.held for one in whole.others] == [0]


def test_r14_4_a_strategy_that_sends_differences_takes_one_format(make_config: MakeConfig) -> None:
    config = make_config(strategy="tinymetafed", minimum=2, clients=2, quorum=2, wait_s=0.5)
    other = SimulatedNode(config.broker.url, config.run.fleet, "gateway", FOUR, model="sine@w8")
    with pytest.raises(RunError, match="0 of 2 devices"):
        run_to_end(config, (other,))
