"""Short simulations for every test of this room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from common.plain_simulation import PLAIN
from jaragua.settings import EvaluationSettings
from jaragua.simulation import Simulation

Make = Callable[..., Simulation]


@pytest.fixture
def make() -> Make:
    """A simulation of five sine devices, with some of its values changed."""
    plain = replace(PLAIN, alpha_final=0.0, evaluation=EvaluationSettings(tasks=5))

    def changed(**changes: Any) -> Simulation:
        """A name that begins with eval_ is one of the evaluation."""
        evaluation = {name[5:]: value for name, value in changes.items() if name.startswith("eval_")}
        return plain.changed(evaluation, **{name: changes[name] for name in changes if not name.startswith("eval_")})

    return changed
