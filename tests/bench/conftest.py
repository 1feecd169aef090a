"""The two networks of the bit-exactness promise, and some of awkward sizes."""

from __future__ import annotations

import pytest

from jaragua_compiler import Dense, Network, plan
from jaragua_compiler.planning.plan import Plan

SINE = Network("sine", 1, (Dense(32, "relu"), Dense(32, "relu"), Dense(1, "linear")), "mean_squared_error")
MLP = Network("mlp", 64, (Dense(32, "relu"), Dense(10, "linear")), "softmax_cross_entropy")


@pytest.fixture(scope="module", params=[SINE, MLP], ids=["SINE", "MLP"])
def network_plan(request: pytest.FixtureRequest) -> Plan:
    """Each of the two networks, planned."""
    network: Network = request.param
    return plan(network)


# Odd widths, a hidden layer without ReLU, and more inputs than a 32-bit accumulator holds (A3.4).
UNEVEN = Network("uneven", 7, (Dense(5, "relu"), Dense(3, "linear"), Dense(9, "relu"), Dense(3, "linear")))
WIDE = Network("wide", 301, (Dense(6, "relu"), Dense(2, "linear")), "mean_squared_error")


@pytest.fixture(params=[UNEVEN, WIDE], ids=["UNEVEN", "WIDE"])
def awkward_plan(request: pytest.FixtureRequest) -> Plan:
    """Networks whose sizes fit no unrolled loop."""
    network: Network = request.param
    return plan(network)


@pytest.fixture
def mlp_plan() -> Plan:
    """The classifier of 64-32-10."""
    return plan(MLP)
