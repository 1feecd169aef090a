"""Networks and starts for the tests of learning after deployment."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from jaragua_compiler import Conv2D, Dense, Flatten, Network, calibrate, initial_weights, pack, plan
from jaragua_compiler.planning.plan import Plan

NETWORKS = {
    "even": Network("even", 6, (Dense(8, "relu"), Dense(5, "linear")), loss="softmax_cross_entropy"),
    "odd": Network("odd", 7, (Dense(3, "linear"), Dense(9, "linear")), loss="softmax_cross_entropy"),
    "no hidden layer": Network("flat", 13, (Dense(4, "linear"),), loss="softmax_cross_entropy"),
    "12 bits of features": Network("wide", 130, (Dense(4, "linear"),), loss="softmax_cross_entropy"),  # A2.4
    "convolution": Network(
        "conv",
        (6, 6, 1),
        (Conv2D(40, kernel=(3, 3), stride=(2, 2), padding="same", activation="relu"), Flatten(), Dense(3, "linear")),
        loss="softmax_cross_entropy",
    ),
}


@cache
def laid_out(name: str) -> Plan:
    """The plan of one of NETWORKS."""
    return plan(NETWORKS[name])


def random_start(layout: Plan, seed: int) -> bytes:
    """A random blob whose exponents suit inputs from -1 to 1."""
    weights = initial_weights(layout.network, seed)
    inputs = np.random.default_rng(seed).uniform(-1, 1, (20, layout.network.input_size))
    return pack(layout, weights, calibrate(layout, weights, inputs))


@pytest.fixture(scope="module", params=NETWORKS)
def layout(request: pytest.FixtureRequest) -> Plan:
    """Each of NETWORKS."""
    return laid_out(request.param)


@pytest.fixture(scope="module")
def start() -> Callable[[Plan, int], bytes]:
    """`random_start`."""
    return random_start
