"""A simulation on Ray's workers ends with the model of one process (run by `make test-ray`; skipped without Ray)."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from jaragua.errors import ConfigurationError, ToolError
from jaragua.simulation import device_names, simulate


@pytest.mark.parametrize("clients", [5, 24])
def test_the_model_is_that_of_one_process(make: Any, clients: int) -> None:
    """Few devices go one by one, many in step: what C left of these is a matrix before it travels."""
    pytest.importorskip("ray")
    wanted = make(clients=clients, devices=device_names(clients), eval_tasks=7)
    here, there = simulate(wanted, workers=1), simulate(wanted, workers=2, ray="local")
    assert there.final_hash == here.final_hash
    assert there.scores == here.scores
    assert (there.bytes_up, there.client_tasks) == (here.bytes_up, here.client_tasks)


def test_a_classifier_is_trained_here_and_evaluated_there(make: Any) -> None:
    pytest.importorskip("ray")
    wanted = make(task="digits", strategy="pretrained", ways=5, shots=5, learning_rate=0.1, eval_tasks=7)
    here, there = simulate(wanted, workers=1), simulate(wanted, workers=2, ray="local")
    assert there.final_hash == here.final_hash
    assert there.scores == here.scores


def test_without_ray_the_extra_is_named(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ToolError, match="Ray is not installed"):
        simulate(make(), ray="local")


def test_a_mixed_fleet_is_refused(make: Any) -> None:
    """On a worker the first devices of its share would compute in float32, and R14 would be lost on the way back."""
    with pytest.raises(ConfigurationError, match=r"float_fraction.*--ray"):
        simulate(make(engine="w8", float_fraction=0.2), ray="local")
