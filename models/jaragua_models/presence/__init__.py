"""Presence in a room, from temperature, light and sound at one of four sensor nodes."""

from jaragua_compiler import Dense, Network
from jaragua_models.base import Defaults, Model
from jaragua_models.presence.readings import SOURCE
from jaragua_models.presence.scores import Scores, scores
from jaragua_models.presence.tasks import PresenceTasks

__all__ = ["MODEL", "PresenceTasks", "Scores", "scores"]

MODEL = Model(
    name="presence",
    summary="tell whether somebody is in a room from temperature, light and sound at one sensor node",
    network=Network("presence", 3, (Dense(16, "relu"), Dense(8, "relu"), Dense(2))),
    tasks=PresenceTasks(),
    defaults=Defaults(learning_rate=0.05, ways=2, shots=10, passes=1, queries=100, clients=4, alpha=1.0, rounds=200),
    metric="accuracy",
    sensors=("light", "microphone", "temperature"),
    data_set=SOURCE.url,
)
