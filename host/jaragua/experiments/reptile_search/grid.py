"""What is searched: tasks, rates, works. Small rounds on purpose; docs/results/benchmarks.md says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from jaragua.settings import EvaluationSettings
from jaragua.simulation import Simulation, device_names
from jaragua.simulation.models import model_named

#: Samples a step of batch Reptile (Nichol, Achiam and Schulman take 5 to 10 on Omniglot).
BATCHES: Final = (5, 10)
MOST_PASSES: Final = 8
#: Samples a step of a single pass that keeps nothing: TinyReptile with accumulation, not batch Reptile.
ACCUMULATIONS: Final = (2, 3)
#: Of a wave of the task `sine`: half the mean of the squares of amplitudes between 0.1 and 5.
_WAVE_MEAN_SQUARE: Final = (5.0**3 - 0.1**3) / (5.0 - 0.1) / 3 / 2


@dataclass(frozen=True)
class Schedule:
    """How a device goes through its samples, in a round and when it is new: passes, and samples a step.

    loss_threshold: A11.8; 0 disables. replay_buffer_size: samples it holds; 0: all
    (`replay_order`).
    """

    passes: int
    batch: int
    loss_threshold: float = 0.0
    replay_buffer_size: int = 0

    def __str__(self) -> str:
        buffer = f", replay buffer {self.replay_buffer_size}" if self.replay_buffer_size else ""
        least = f", loss threshold {self.loss_threshold:g}" if self.loss_threshold else ""
        return f"{self.passes} × {self.batch}{buffer}{least}"


STREAM: Final = Schedule(1, 1)


@dataclass(frozen=True)
class Trials:
    """What every schedule of work is tried with.

    seeds: of all figures; the held-out tasks are the same for each.
    scouts: how many of them, the first ones, evaluate every rate. most_passes: of batch Reptile.
    """

    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    scouts: int = 3
    most_passes: int = MOST_PASSES


@dataclass(frozen=True)
class Task:
    """shots: the support-set sizes (samples of each class) that new devices adapt with; one start serves them all.

    stream_passes: of TinyReptile; more than one is over a support set that is kept (B5). selective: the loss threshold
    and the replay buffer, for each size, of TinyReptile with loss-threshold skipping, in the last of these passes
    (B6); or none.
    name: of its rows; default: the model's.
    """

    model: str
    rounds: int
    trials: Trials
    shots: tuple[int, ...]
    selective: tuple[tuple[float, int], ...] = ()
    eval_tasks: int = 400
    stream_passes: tuple[int, ...] = (1,)
    name: str = ""

    @property
    def point(self) -> float:
        """What the metric changes by where learning is one point better.

        Of an accuracy 0.01; of a squared error 1 % of the mean square of what is to be followed.
        """
        return 0.01 if model_named(self.model).network.classifier else -0.01 * _WAVE_MEAN_SQUARE

    @property
    def streams(self) -> list[tuple[int, Schedule]]:
        """What TinyReptile is tried with: shots, and the schedule of work."""
        plain = [(shots, Schedule(passes, 1)) for passes in self.stream_passes for shots in self.shots]
        sizes = zip(self.shots, self.selective, strict=bool(self.selective))
        return plain + [(shots, Schedule(self.stream_passes[-1], 1, *numbers)) for shots, numbers in sizes]

    def samples(self, shots: int) -> int:
        """In a support set."""
        return shots * model_named(self.model).defaults.ways

    def simulation(self, schedule: Schedule, rate: float, shots: int, seed: int) -> Simulation:
        """Devices do in a round what new ones do to adapt, at the same rate."""
        defaults = model_named(self.model).defaults
        return Simulation(
            task=self.model,
            strategy="tinyreptile" if schedule.batch == 1 else "reptile",
            engine="w16",
            seed=seed,
            rounds=self.rounds,
            clients=defaults.clients,
            devices=device_names(defaults.clients),
            ways=defaults.ways,
            shots=defaults.shots,
            learning_rate=rate,
            alpha=defaults.alpha,
            alpha_final=0.0,
            passes=schedule.passes,
            batch=schedule.batch,
            loss_threshold=schedule.loss_threshold,
            replay_buffer_size=schedule.replay_buffer_size,
            evaluation=EvaluationSettings(
                tasks=self.eval_tasks,
                queries=defaults.queries,
                shots=shots,
                passes=schedule.passes,
                batch=schedule.batch,
            ),
        )


def _doubling(least: float, count: int) -> tuple[float, ...]:
    return tuple(least * 2**step for step in range(count))


_THREE: Final = (1, 2, 3)
_SIX: Final = (*_THREE, 4, 5, 6)
_TEN: Final = (*_SIX, 7, 8, 9, 10)
_OMNIGLOT: Final = Task(
    "omniglot-cnn",
    100,
    Trials(_doubling(0.01, 6), _THREE, scouts=1),
    (1, 2, 5),
    ((0.8, 2), (0.8, 4), (0.8, 11)),
    eval_tasks=200,
    stream_passes=(1, 2),
)
#: By models. Omniglot has a longer training, too: after 100 rounds a single pass has not learned what it can.
TASKS: Final[Mapping[str, tuple[Task, ...]]] = {
    tasks[0].model: tasks
    for tasks in (
        (
            Task(
                "sine",
                1000,
                Trials(_doubling(0.0025, 7), _TEN),
                (8, 16, 32, 64),
                4 * ((0.1, 16),),
                stream_passes=(1, 2),
            ),
        ),
        (Task("digits", 300, Trials(_doubling(0.05, 5), _SIX), (1, 2, 5, 10), 4 * ((0.1, 20),), stream_passes=(1, 2)),),
        (Task("presence", 200, Trials(_doubling(0.0015625, 9), _TEN), (2, 5, 10, 20), ((0.6, 0), *3 * ((0.5, 0),))),),
        (
            Task(
                "keywords-mel",
                500,
                Trials(_doubling(0.00625, 7), _SIX),
                (1, 2, 3),
                3 * ((0.5, 0),),
                stream_passes=(1, 2),
            ),
        ),
        (
            _OMNIGLOT,
            replace(
                _OMNIGLOT,
                rounds=1000,
                trials=replace(_OMNIGLOT.trials, rates=_doubling(0.005, 7), seeds=_SIX, scouts=2, most_passes=4),
                selective=(),
                stream_passes=(1,),
                name="omniglot-cnn, 1,000 rounds",
            ),
        ),
    )
}


def shortened(task: Task) -> Task:
    """That everything works, not what it gives."""
    trials = Trials(task.trials.rates[2:4], task.trials.seeds[:2])
    return replace(
        task,
        rounds=3,
        trials=trials,
        shots=task.shots[:1],
        selective=task.selective[:1],
        eval_tasks=8,
        stream_passes=(1,),
    )
