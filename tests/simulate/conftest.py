"""Short simulations for every test of this room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

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
        eval_tasks=5,
    )

    def changed(**changes: Any) -> Simulation:
        return replace(plain, **changes)

    return changed
