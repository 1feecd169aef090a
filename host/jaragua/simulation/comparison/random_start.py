"""The random start at its best: the rate and the number of passes that suit it, on the held-out tasks themselves.

Rate and passes are picked on the first of the tasks that they are then evaluated on, so the baseline is favoured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.simulation.clients.engine import Evaluation, VirtualFleet
from jaragua.simulation.comparison.adaptation_search import TASKS_OF_A_START, AdaptationSearch
from jaragua.simulation.settings import Simulation
from jaragua.strategies import ClientWork
from jaragua_models import Task

RATES: Final = (0.01, 0.03, 0.1, 0.3)
#: Tasks on which rate and passes are picked.
TRIED_TASKS: Final = 20
#: Multiplications of the whole search: seconds of one processor.
_MOST_WORK: Final = 2.0e10
#: So that a simulation of another seed has other starts.
_SEEDS: Final = 1 << 64


@dataclass(frozen=True)
class RandomStart:
    """What random weights reach. evaluated: of the first `tasks` tasks, as many as the work allowed."""

    learning_rate: float
    passes: int
    evaluated: Evaluation
    tasks: int


def best_random_start(
    simulation: Simulation, fleet: VirtualFleet, codec: ModelCodec, tasks: Sequence[Task], work: ClientWork
) -> RandomStart:
    """The best of some rates and passes. work: what a new device does; its rate and passes are replaced."""
    starts = random_starts(simulation, fleet, codec, len(tasks))
    search = AdaptationSearch(simulation, fleet, tasks, work, _MOST_WORK)
    count = min(TRIED_TASKS, len(tasks))
    best = search.best(starts, RATES, count)
    reached = search.tasks_within_reach(best.passes, count)
    evaluated = search.evaluated(starts, best.learning_rate, best.passes, reached)
    return RandomStart(best.learning_rate, best.passes, evaluated, reached)


def random_starts(simulation: Simulation, fleet: VirtualFleet, codec: ModelCodec, tasks: int) -> list[bytes]:
    """One for each TASKS_OF_A_START tasks."""
    numbers = range(0, tasks, TASKS_OF_A_START)
    return [fleet.start(codec.initial(simulation.seed + number * _SEEDS)) for number in numbers]
