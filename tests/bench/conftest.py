"""The two networks of the bit-exactness promise."""

from __future__ import annotations

import pytest

from jaragua_compiler import Dense, Network, plan
from jaragua_compiler.plan import Plan

SINE = Network("sine", 1, (Dense(32, "relu"), Dense(32, "relu"), Dense(1, "linear")), "mean_squared_error")
MLP = Network("mlp", 64, (Dense(32, "relu"), Dense(10, "linear")), "softmax_cross_entropy")


@pytest.fixture(params=[SINE, MLP], ids=["SINE", "MLP"])
def network_plan(request: pytest.FixtureRequest) -> Plan:
    """Each of the two networks, planned."""
    network: Network = request.param
    return plan(network)


@pytest.fixture
def mlp_plan() -> Plan:
    """The classifier of 64-32-10."""
    return plan(MLP)
