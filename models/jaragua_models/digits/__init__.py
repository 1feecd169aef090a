"""Handwritten digits, 8×8: five of the ten digits under names of the device's own, from a handful of images."""

from jaragua_compiler import Dense, Network
from jaragua_models.base import Defaults, Model
from jaragua_models.digits.tasks import DigitTasks

MODEL = Model(
    name="digits",
    summary="tell five handwritten digits apart, each under a name only this device gives it",
    network=Network("digits", 64, (Dense(32, "relu"), Dense(10))),
    tasks=DigitTasks(),
    defaults=Defaults(learning_rate=0.1, ways=5, shots=5, passes=16, queries=50, clients=5, alpha=1.0, rounds=1000),
    metric="accuracy",
    own_labels=True,
    sensors=("camera",),
    data_set="https://doi.org/10.24432/C50P49",
)
