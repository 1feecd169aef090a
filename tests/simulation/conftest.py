"""Short simulations for every test of this room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jaragua.settings import EvaluationSettings
from jaragua.simulation import Simulation, device_names

Make = Callable[..., Simulation]


@pytest.fixture
def make() -> Make:
    """A simulation of five sine devices, with some of its values changed."""
    plain = Simulation(
        task="sine",
        strategy="tinyreptile",
        engine="w16",
        seed=3,
        rounds=6,
        clients=3,
        devices=device_names(5),
        ways=1,
        shots=8,
        learning_rate=0.01,
        alpha=1.0,
        alpha_final=0.0,
        evaluation=EvaluationSettings(tasks=5),
    )

    def changed(**changes: Any) -> Simulation:
        """A name that begins with eval_ is one of the evaluation."""
        evaluation = {name[5:]: value for name, value in changes.items() if name.startswith("eval_")}
        return plain.changed(evaluation, **{name: changes[name] for name in changes if not name.startswith("eval_")})

    return changed
