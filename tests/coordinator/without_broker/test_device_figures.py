"""R31.10: what is made when an update is stored is what would be made when the round is closed."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from test_round_machine import DEVICES, LONG, World

from jaragua.coordinator.device_figures import DeviceFigures
from jaragua.coordinator.rounds import rules
from jaragua.store import StoredUpdate
from jaragua.store.files import json_line

_NUMBERS = st.floats(0, 1e24, allow_nan=False)
_UPDATES = st.builds(
    lambda device, number, attempt, loss, score, samples: StoredUpdate(
        number, device, attempt, b"", samples, loss, score, "mse", 9000, 100, 4
    ),
    st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True),
    st.integers(1, 4),
    st.integers(1, 8),
    _NUMBERS,
    _NUMBERS,
    st.integers(1, 10**6),
)
_KINDS = st.text(max_size=6)


@given(st.lists(_UPDATES, max_size=6, unique_by=lambda one: (one.device, one.round_number)), _KINDS, st.integers(0, 6))
def test_r31_10_a_line_is_that_of_all_figures_at_once(updates: list[StoredUpdate], kind: str, early: int) -> None:
    """Also of updates that an earlier process stored, and of several of one device, of which the last counts."""
    updates = sorted(updates, key=lambda one: (one.device, one.round_number))
    figures = DeviceFigures(lambda device: kind + device)
    figures.add(updates[early:])
    metrics = {
        "round": 4,
        "metric": '"devices": {}',
        "devices": figures.of(updates),
        "excluded": {"a": '"devices": {}'},
    }
    wanted = {
        one.device: {
            "kind": kind + one.device,
            "attempt": one.attempt,
            "age": 4 - one.round_number,
            "loss": one.loss,
            "score": one.score,
            "samples": one.samples,
            "instructions": 9000,
        }
        for one in updates
    }
    assert metrics["devices"] == wanted
    assert figures.line(metrics, updates) == json_line(metrics)
    assert json.loads(figures.line(metrics, updates)) == metrics


def test_r31_10_seeds_are_those_of_r2_in_every_round_and_attempt() -> None:
    world = World(LONG)
    for device in DEVICES:
        world.bring(device)
    for _ in range(3):
        world.deliver(0)
        lost = world.sent[0][0].device
        world.lose(lost)
        world.bring(lost)
    world.finish()
    assert {one.round_number for one in world.resumed.assignments} == set(range(1, LONG.rounds + 1))
    assert max(one.attempt for one in world.resumed.assignments) > 1
    for one in world.resumed.assignments:
        assert one.seed == rules.train_seed(LONG.seed, one.round_number, one.device)
