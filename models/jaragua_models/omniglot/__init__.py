"""Handwritten characters of 50 alphabets: five that nobody has seen, from one drawing of each."""

from dataclasses import replace

from jaragua_models.base import Defaults, Model
from jaragua_models.omniglot.images import PARTS
from jaragua_models.omniglot.networks import stack
from jaragua_models.omniglot.tasks import OmniglotTasks

TASKS = OmniglotTasks()
DEFAULTS = Defaults(
    learning_rate=0.02, ways=5, shots=5, passes=4, queries=75, clients=5, alpha=1.0, rounds=5000, training_shots=10
)

PROTOTYPES = replace(
    DEFAULTS,
    strategy="protoreptile",
    learning_rate=0.015,
    training_ways=20,
    training_shots=20,
    rounds=1000,
    temperature=0.1,
    episode_queries=1,
)
"""A round is ten episodes of 20 characters: one drawing of each is enrolled, and one is trained on."""

MODEL = Model(
    name="omniglot",
    summary="tell five handwritten characters of any alphabet apart, from a few drawings of each",
    network=stack("omniglot", (32, 32, 32, 32)),
    tasks=TASKS,
    defaults=DEFAULTS,
    metric="accuracy",
    own_labels=True,
    recommended=PROTOTYPES,
    sensors=("camera",),
    data_set=PARTS[0].source.url,
)
