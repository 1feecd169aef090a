"""M11: what a device reports is inside documented ranges, and what an older folder holds does not end a run."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rounds_over_mqtt import FOUR, run_to_end, two_nodes

from jaragua.config import RunConfig
from jaragua.coordinator.events import RoundFinished, RunEvent, UpdateChecked
from jaragua.coordinator.rounds.figures import LARGEST_LOSS, implausible, mean_of, tamed
from jaragua.errors import Interrupted
from jaragua.store import StoredUpdate, read_run
from jaragua.wire import messages

MakeConfig = Callable[..., RunConfig]
NUMBERS = st.floats() | st.sampled_from([1e308, -1e308, math.inf, -math.inf, math.nan, -0.0, 5e-324])
COUNTS = st.integers(-(2**63), 2**63 - 1)
FIGURES = st.tuples(NUMBERS, NUMBERS, COUNTS, COUNTS)


def update(loss: float, score: float, samples: int, instructions: int, metric: str = "mse") -> StoredUpdate:
    return StoredUpdate(1, "board-1", 1, b"", samples, loss, score, metric, instructions, 0, 1)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, COUNTS, COUNTS), min_size=1, max_size=8), st.sampled_from(["mse", "accuracy"])
)
def test_m11_means_of_whatever_a_folder_holds_are_numbers(
    found: list[tuple[float, float, int, int]], metric: str
) -> None:
    stored = [tamed(update(*figures, metric), most_samples=1000) for figures in found]
    samples = [one.samples for one in stored]
    means = [mean_of((one.loss for one in stored), samples), mean_of((one.score for one in stored), samples)]
    json.dumps([means, [(one.loss, one.score, one.samples, one.instructions) for one in stored]], allow_nan=False)
    assert 0 <= means[0] <= 1.0001 * LARGEST_LOSS[metric]


@given(NUMBERS, NUMBERS, COUNTS, COUNTS)
def test_m11_what_passes_the_check_is_stored_as_it_came(
    loss: float, score: float, samples: int, instructions: int
) -> None:
    one = update(loss, score, samples, instructions)
    header = messages.UpdateHeader("r", 1, "d", 1, b"", "blob", samples, loss, "mse", score, instructions, 0, b"")
    if not implausible(header, 1000):
        assert tamed(one, 1000) == one


@pytest.mark.parametrize("figure", [{"loss": 1e308}, {"score": 1e300}, {"samples": 2**63 - 1}, {"instructions": 2**40}])
def test_m11_an_update_with_an_impossible_figure_is_rejected_and_the_run_ends_well(
    make_config: MakeConfig, figure: dict[str, float]
) -> None:
    config = make_config(clients=4, quorum=4, rounds=2)
    gateway, client = two_nodes(config)
    lied: list[int] = []

    def lie_once(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        if lied:
            return [messages.pack_update(header, blob)]
        lied.append(header.round)
        return [messages.pack_update(replace(header, **figure), blob)]  # type: ignore[arg-type]

    client.tamper = lie_once
    seen: list[RunEvent] = []
    result = run_to_end(config, (gateway, client), seen.append)
    (rejected,) = [one for one in seen if isinstance(one, UpdateChecked) and one.result == "rejected"]
    assert rejected.device == FOUR[3]
    assert "outside" in rejected.reason
    assert result.rounds == 2
    assert math.isfinite(result.loss)


def test_m11_a_folder_that_holds_an_impossible_update_goes_on(make_config: MakeConfig) -> None:
    """As versions before M11 stored it: the mean of three such losses overflows."""
    config = make_config(clients=4, quorum=4, rounds=3)
    gateway, client = two_nodes(config)

    def stop_in_round_two(event: RunEvent) -> None:
        if isinstance(event, UpdateChecked) and event.round_number == 2:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        run_to_end(config, (gateway, client), stop_in_round_two)
    database = sqlite3.connect(config.run.directory / "run.sqlite")
    with database:
        database.execute(
            "UPDATE updates SET loss = 1e308, score = 9e999, samples = ?, instructions = ?", 2 * (2**63 - 1,)
        )
    database.close()
    seen: list[RunEvent] = []
    run_to_end(config, two_nodes(config), seen.append)
    closed = [one.metrics for one in seen if isinstance(one, RoundFinished)]
    assert [one["round"] for one in closed] == [2, 3]
    assert all(math.isfinite(one["loss"]) and math.isfinite(one["score"]) for one in closed)
    assert all(point["samples"] <= 4 * 5 for one in closed for point in one["devices"].values())
    assert read_run(config.run.directory)["status"] == "finished"
