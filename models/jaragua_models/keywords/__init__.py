"""Spoken keywords: a few words of one speaker, from a few takes of each."""

from jaragua_compiler import Dense, Network
from jaragua_models.base import Defaults, Model
from jaragua_models.keywords.tasks import KeywordTasks

MODEL = Model(
    name="keywords",
    summary="tell five spoken words of one speaker apart, from three takes of each",
    network=Network("keywords", 650, (Dense(25, "relu"), Dense(5))),
    tasks=KeywordTasks(),
    defaults=Defaults(
        learning_rate=0.03,
        ways=5,
        shots=3,
        passes=16,
        queries=5,
        clients=5,
        alpha=1.0,
        rounds=2000,
        training_passes=4,
    ),
    metric="accuracy",
    own_labels=True,
)
