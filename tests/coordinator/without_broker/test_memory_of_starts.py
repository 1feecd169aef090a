"""R32: of starts that nobody reads differences from any more, the publisher keeps sizes alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import jaragua_models
from jaragua.coordinator.connection.fleet import Fleet
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.model_version import ModelVersionMaker
from jaragua.coordinator.weights.publication import ModelPublisher
from jaragua.store import Initialisation, RunRecord, Store
from jaragua.strategies import ClientWork

CODEC = ModelCodec(jaragua_models.get("sine"))
WORK = ClientWork(0.1, local_layers=1, download_fraction=0.25, delta_bits=8)
ROUNDS = 60


def test_r32_the_history_of_differences_holds_no_weights(tmp_path: Path, seed: int) -> None:
    maker, draw = ModelVersionMaker(CODEC, WORK, seed), np.random.default_rng(seed)
    record = RunRecord("run-1", "run", seed, ROUNDS, "training", {})
    vector = CODEC.initial(seed)
    current = Initialisation(0, vector, b"")
    fleet = Fleet("mqtt://127.0.0.1", "home")
    with Store(tmp_path / "run.sqlite") as store:
        store.create_run(record, current)
        publisher = ModelPublisher(maker, store, record, current)
        starts = [publisher.newest]
        for number in range(1, ROUNDS + 1):
            vector = vector + draw.normal(0, 0.01, len(vector))
            starts.append(publisher.after(Initialisation(number, vector, b"")))
            publisher.move_to(starts[-1], fleet)
            least = starts[-1].total - len(starts[-1].blob)
            leading = {one.sha256 for one in starts if one.total - len(one.payload) >= least}
            assert {one.sha256 for one in publisher._leading()} == leading
    history = publisher._delta_history
    assert not any(one.blob for one in history[1:])
    assert [one.total for one in history] == [one.total for one in starts]
    assert 0 < sum(bool(one.payload) for one in history) < len(history)
    assert sum(len(one.payload) for one in history) <= 2 * CODEC.blob_bytes
