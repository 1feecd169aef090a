"""What is tried for a task: strategies, rates and passes of training, with and without hidden layers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from jaragua.models import LINEAR, METRIC
from jaragua.strategies import REGISTRY
from jaragua_models import Model

#: Strategies that train, in the order in which they are tried; those the registry has.
_LEARNERS: Final = ("tinyreptile", "fedavg", "protoreptile")
#: No training: plain fine-tuning from random weights.
SCRATCH: Final = "scratch"
PROTOTYPES: Final = "protoreptile"
#: Rates of training, by the task's own, and passes of a round; in the order in which they are tried.
_TRAINING: Final = ((1.0, 4), (1.0, 1), (1 / 3, 4), (3.0, 1), (3.0, 4), (1 / 3, 1))
#: Of prototypes: rates by the task's own, temperatures, wide tasks, and queries of an episode (0: no episodes); a pass
#: of a round enrols anew, so it has one.
_PROTOTYPES: Final = (
    (1 / 3, 0.3, True, 2),
    (1 / 3, 0.9, True, 0),
    (1.0, 0.3, True, 2),
    (1 / 3, 0.1, True, 2),
    (1 / 3, 0.3, False, 0),
    (1 / 3, 0.3, True, 0),
)
#: Of a metric: rates by the task's own, temperatures, queries of an episode, and the fraction of others' rounds. It
#: begins as the identity: with few devices, more rounds fit these devices alone.
_METRICS: Final = ((1 / 3, 0.3, 0, 0.1), (1.0, 0.3, 2, 0.1), (1.0, 0.3, 2, 1.0))
#: Inputs of which a metric is tried: its weights are their square.
_MOST_METRIC_INPUTS: Final = 362
_NETWORKS: Final = {"": "", LINEAR: ", without hidden layers", METRIC: " of a learned metric"}
_RATES: Final = (1e-4, 0.5)
#: Rates of adaptation, by that of training.
ADAPTATION: Final = (1 / 3, 1.0, 3.0)


@dataclass(frozen=True)
class Candidate:
    """How a start is trained. variant: before the model's name, "", LINEAR or METRIC. trains: whether it has rounds."""

    strategy: str
    learning_rate: float
    passes: int
    variant: str = ""
    trains: bool = True
    temperature: float = 0.0
    """Of prototypes (A12.4); 0: the strategy's own."""
    wide: bool = False
    """Whether a round has as many classes and samples as the training devices have (`Tuner`)."""
    queries: int = 0
    """Of an episode, in which enrolled samples teach, too (A12.10); 0: no episodes."""
    rounds_fraction: float = 1.0
    """Of the rounds that others train."""
    by_steps: bool = False
    """With prototypes: a new device takes steps of all layers, and enrols nothing."""
    own: bool = False
    """All settings are the task's own: what an untuned run trains with."""

    @property
    def has_prototypes(self) -> bool:
        """Whether rounds are with prototypes."""
        return self.strategy == PROTOTYPES

    @property
    def enrols(self) -> bool:
        """Whether a new device enrols its samples."""
        return self.has_prototypes and not self.by_steps

    @property
    def adaptations(self) -> tuple[Candidate, ...]:
        """The same start, as it is tried on new devices. Behind a metric, steps begin as logistic regression (A2.8)."""
        return (self, replace(self, by_steps=True)) if self.variant == METRIC and not self.own else (self,)

    @property
    def start(self) -> Candidate:
        """What is trained."""
        return replace(self, by_steps=False) if self.variant == METRIC and not self.own else self

    @property
    def is_set(self) -> bool:
        """Whether it is one of few, so that its score is hardly the luck of the best of many.

        The task's own settings, and a metric, which begins at the prototypes of the features.
        """
        return self.own or self.variant == METRIC

    def rounds_of(self, rounds: int) -> int:
        """As many as it trains where others train that many."""
        return max(1, round(rounds * self.rounds_fraction)) if rounds else 0

    def __str__(self) -> str:
        network = _NETWORKS[self.variant]
        if not self.trains and self.variant:
            return "prototypes on the features" if self.enrols else "logistic regression by steps on the features"
        if not self.trains:
            return "plain fine-tuning from random weights"
        if self.has_prototypes:
            wide = (", wide tasks" if self.wide else "") + (", episodes" if self.queries else "")
            words = f"{self.strategy}{network}, rate {self.learning_rate:.3g}, temperature {self.temperature:.3g}{wide}"
            words += ", then plain steps" if self.by_steps else ""
        else:
            passes = counted(self.passes, "pass", "passes")
            words = f"{self.strategy}{network}, rate {self.learning_rate:.3g}, {passes}"
        return f"the task's own settings ({words})" if self.own else words


def untrained(model: Model) -> Iterator[Candidate]:
    """Candidates that cost no training; of classifiers also without hidden layers, which begin at 0 (A2.7)."""
    rate = model.defaults.learning_rate
    yield Candidate(SCRATCH, rate, 1, trains=False)
    if model.network.classifier:
        yield Candidate(SCRATCH, rate, 1, LINEAR, trains=False)
        yield Candidate(PROTOTYPES, rate, 1, LINEAR, trains=False)


def trained(model: Model) -> list[Candidate]:
    """Candidates that train; each strategy's first before each one's second."""
    learners = [name for name in _LEARNERS if name in REGISTRY and _fits(name, model)]
    own = {name: _of_prototypes(model) if name == PROTOTYPES else _of_steps(name, model) for name in learners}
    return _of_metrics(model) + [one for several in zip(*own.values(), strict=True) for one in several]


def _of_metrics(model: Model) -> list[Candidate]:
    """Of classifiers of few inputs: these candidates cost the fewest rounds."""
    inputs = model.network.inputs
    size = math.prod(inputs) if isinstance(inputs, tuple) else inputs
    if PROTOTYPES not in REGISTRY or not model.network.classifier or size > _MOST_METRIC_INPUTS:
        return []
    rate = model.defaults.learning_rate
    return [
        replace(_with(rate * factor, temperature, queries), variant=METRIC, wide=True, rounds_fraction=fraction)
        for factor, temperature, queries, fraction in _METRICS
    ]


def _of_steps(name: str, model: Model) -> list[Candidate]:
    return [Candidate(name, _clipped(model.defaults.learning_rate * factor), passes) for factor, passes in _TRAINING]


def _of_prototypes(model: Model) -> list[Candidate]:
    rate = model.defaults.learning_rate
    return [
        replace(_with(rate * factor, temperature, queries), wide=wide)
        for factor, temperature, wide, queries in _PROTOTYPES
    ]


def _with(rate: float, temperature: float, queries: int) -> Candidate:
    """With prototypes."""
    return Candidate(PROTOTYPES, _clipped(rate), 1, temperature=temperature, queries=queries)


def adaptation_rates(rate: float) -> list[float]:
    """Rates of a new device, for one of training."""
    return sorted({_clipped(rate * factor) for factor in ADAPTATION})


def counted(count: int, one: str, several: str) -> str:
    """`1 pass`, `2 passes`."""
    return f"{count} {one if count == 1 else several}"


def _fits(name: str, model: Model) -> bool:
    """FedAvg looks for one model of all, which labels of a task's own and other regressions do not have."""
    if name == "fedavg":
        return not model.own_labels and model.network.classifier
    return name != PROTOTYPES or model.network.classifier


def _clipped(rate: float) -> float:
    least, most = _RATES
    return float(f"{min(max(rate, least), most):.3g}")
