"""Spoken keywords: a few words of one speaker, from a few takes of each."""

from dataclasses import replace

from jaragua_compiler import Dense, Network
from jaragua_models.base import Defaults, Model
from jaragua_models.keywords.clips import SOURCE
from jaragua_models.keywords.tasks import KeywordTasks

DEFAULTS = Defaults(
    learning_rate=0.03,
    ways=5,
    shots=3,
    passes=16,
    queries=5,
    clients=5,
    alpha=1.0,
    rounds=2000,
    training_passes=4,
)

PROTOTYPES = replace(
    DEFAULTS,
    strategy="protoreptile",
    learning_rate=0.01,
    training_ways=10,
    training_shots=3,
    training_passes=1,
    rounds=1000,
    devices=29,
    temperature=0.3,
    episode_queries=2,
)
"""An episode enrols a take of each word of a speaker and trains on the two others; all training speakers take turns."""

MODEL = Model(
    name="keywords",
    summary="tell five spoken words of one speaker apart, from three takes of each",
    network=Network("keywords", 325, (Dense(25, "relu"), Dense(5))),
    tasks=KeywordTasks(),
    defaults=DEFAULTS,
    metric="accuracy",
    own_labels=True,
    recommended=PROTOTYPES,
    sensors=("microphone",),
    data_set=SOURCE.url,
)
