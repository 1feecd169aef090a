"""Sine waves of any amplitude and phase: the regression of the Reptile and TinyReptile papers."""

from jaragua_compiler import Dense, Network
from jaragua_models.base import Defaults, Model
from jaragua_models.sine.tasks import SineTasks

MODEL = Model(
    name="sine",
    summary="follow a sine wave of unknown amplitude and phase from a few of its points",
    # Targets reach 5; a wave not yet learned may overshoot.
    network=Network(
        "sine", 1, (Dense(32, "relu"), Dense(32, "relu"), Dense(1)), "mean_squared_error", output_range=8.0
    ),
    tasks=SineTasks(),
    defaults=Defaults(learning_rate=0.01, ways=1, shots=32, passes=16, queries=50, clients=5, alpha=1.0, rounds=300),
    metric="mse",
)
