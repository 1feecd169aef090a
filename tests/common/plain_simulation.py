"""A small simulation that tests begin with."""

from __future__ import annotations

from jaragua.simulation import Simulation, device_names

#: Five sine devices on integers, six rounds.
PLAIN = Simulation(
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
)
