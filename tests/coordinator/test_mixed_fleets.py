"""M9 and R14 over a real broker: boards in integers and a Pi in float32 in one run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from fleet_simulator import SimulatedNode
from test_rounds_over_mqtt import FOUR, run_to_end, two_nodes

import jaragua_models
from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator.codec import ModelCodec
from jaragua.store import Store
from jaragua.strategies import ClientUpdate

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


def test_r14_a_weight_that_no_board_moved_is_what_the_pi_says(make_config: MakeConfig) -> None:
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
