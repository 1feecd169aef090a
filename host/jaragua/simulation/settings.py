"""What is simulated, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from jaragua.bases.value import Value
from jaragua.errors import ConfigurationError
from jaragua.privacy.accountant import Spent
from jaragua.settings import (
    AggregationSettings,
    BufferSettings,
    ClockSettings,
    EvaluationSettings,
    PrivacySettings,
    RunConfig,
    TrainingSettings,
)
from jaragua.strategies import Vector

if TYPE_CHECKING:
    from jaragua.simulation.comparison.figures import Comparison

EngineName: TypeAlias = Literal["w16", "w8", "float32"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


#: Fields of a simulation that nothing of what is learned depends on.
_NOT_LEARNED_WITH = frozenset({"evaluation", "curve_tasks", "comparing", "config"})


@dataclass(frozen=True)
class Buffered(BufferSettings, ClockSettings):
    """Semi-asynchronous rounds (R13) on a virtual clock (docs/reference/simulate.md, V)."""


@dataclass(frozen=True, kw_only=True)
class Simulation(AggregationSettings, TrainingSettings):
    """One simulated run, every default filled in. Equal values give equal results, whatever the number of workers."""

    task: str
    strategy: str
    engine: EngineName
    seed: int
    rounds: int
    clients: int
    devices: tuple[str, ...]
    ways: int
    shots: int
    """Support samples of each class in a round of training."""
    alpha: float
    alpha_final: float = 0.0
    options: dict[str, float] = field(default_factory=dict)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    float_fraction: float = 0.0
    """Fraction of a round's devices in float32 beside an integer engine; they evaluate too (mixed_fleet.py)."""
    head_devices: int = 0
    """So many of the devices, the last by name, train the last layer alone (head_clients.py)."""
    checkpoints: tuple[int, ...] = ()
    """Rounds after which the weights are kept, to be evaluated at the end: a learning curve."""
    curve_tasks: int = 100
    """Held-out tasks for each point of that curve."""
    comparing: bool = field(default=False, compare=False)
    """Whether simple methods answer the same held-out tasks, too (comparison/)."""
    buffered: Buffered | None = None
    """None: every round waits for its own devices."""
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    config: RunConfig | None = field(default=None, compare=False, repr=False)
    """What it comes from; with it the folder of the simulation has the files of a run's folder, too (run_files.py)."""
    start: str = ""
    """`start_hash` of given first weights; "" for those of the seed."""
    interface: str = ""
    """JSON of the interface that given first weights were trained with, if it is not that of the task's file (R22)."""

    @property
    def held_out_ways(self) -> int:
        """Classes of a held-out task."""
        return self.evaluation.ways or self.ways

    def changed(self, evaluation: Mapping[str, Any] | None = None, **changes: Any) -> Simulation:
        """The same with some values changed; `evaluation`: values of its own, by name."""
        return replace(self, evaluation=replace(self.evaluation, **(evaluation or {})), **changes)

    def identity(self) -> dict[str, Any]:
        """All that decides what is learned, as JSON values: what a saved state must agree with.

        What is as it is by default is left out, so that a setting that is added later makes no other identity.
        """
        defaults = {one.name: one.default for one in fields(self)} | {"privacy": PrivacySettings()}
        values = asdict(self) | {"devices": list(self.devices), "checkpoints": list(self.checkpoints)}
        of_the_clock = values.pop("buffered") or {}
        said = {name: value for name, value in values.items() if getattr(self, name) != defaults[name]}
        return {name: value for name, value in (said | of_the_clock).items() if name not in _NOT_LEARNED_WITH}


def simulation_of(config: RunConfig) -> Simulation:
    """The simulation that a run's file describes. Raises: ConfigurationError if there is no such engine."""
    whole, copied = config.simulation, (*fields(AggregationSettings), *fields(TrainingSettings))
    sections = {one.name: config.strategy if hasattr(config.strategy, one.name) else config.client for one in copied}
    return Simulation(
        **{name: getattr(section, name) for name, section in sections.items()},
        task=config.model.name,
        strategy=config.strategy.name,
        engine=engine_named(whole.engine),
        seed=config.run.seed,
        rounds=config.run.rounds,
        clients=config.strategy.clients_per_round,
        devices=device_names(whole.devices),
        ways=config.client.ways,
        shots=config.client.shots,
        alpha=config.strategy.alpha,
        alpha_final=config.strategy.alpha_final,
        options=config.strategy.options,
        evaluation=config.evaluation,
        float_fraction=whole.float_fraction,
        head_devices=whole.head_devices,
        privacy=config.privacy,
        config=config,
        checkpoints=whole.checkpoints,
        buffered=_buffered(config) if config.round.buffer else None,
    )


def _buffered(config: RunConfig) -> Buffered:
    rounds, clock = config.round, config.simulation
    return Buffered(
        **{one.name: getattr(rounds, one.name) for one in fields(BufferSettings)},
        **{one.name: getattr(clock, one.name) for one in fields(ClockSettings)},
    )


def engine_named(name: str) -> EngineName:
    """The engine of that name. Raises: ConfigurationError."""
    if name not in ENGINES:
        raise ConfigurationError(f"there is no engine '{name}'", f"known: {', '.join(ENGINES)}")
    return ENGINES[ENGINES.index(name)]


class Means(Value):
    """Mean of a figure over the held-out tasks, and half the width of its 95 % interval (Student)."""

    mean: float
    ci95: float


class CurvePoint(Value):
    """What new devices made of the weights after some rounds."""

    rounds: int
    before: Means
    after: Means


class Natural(Value):
    """After adaptation, on queries as unbalanced as they come; class 1 is the rare one. All in 0..1."""

    balanced_accuracy: Means
    f1: Means


class VirtualTime(Value):
    """Figures of the virtual clock (V6). finish: when the last round closed, in units of a median device's work."""

    finish: float
    updates: int
    """Updates that counted."""
    mean_age: float
    """Mean age of their starts, in rounds."""
    late: int
    """Updates that came too late to count."""


class RoundRecord(Value):
    """What one round did, and a line of `metrics.jsonl`."""

    round: int
    """1 for the first."""
    alpha: float
    """Step of the server."""
    loss: float | None
    """Mean over the samples that the devices trained on, nats or squared error; None if it is no finite number."""
    updates: int
    """Updates that came from devices."""
    excluded: int
    """Those left out as implausible (R17)."""
    bytes_up: int
    """Bytes of tensors, from the devices to the server."""
    bytes_down: int


class SimulationResult(Value):
    """A finished simulation. bytes: tensors only, as devices and server would exchange them."""

    metric: str
    before: Means
    after: Means
    tasks: int
    rounds: int
    client_tasks: int
    client_tasks_per_second: float
    """Drawing, training and aggregation of this process, without start-up and evaluation; 0 if nothing was done."""
    seconds: float
    final_hash: str
    bytes_up: int
    bytes_down: int
    parameters: int
    excluded: int
    """Updates that were excluded (R17)."""
    scores: tuple[float, ...]
    """After adaptation, one per held-out task."""
    learned: Vector = field(repr=False, compare=False)
    """What new devices start from, float64 [parameters]."""
    scores_before: tuple[float, ...] = ()
    """Before adaptation, one per held-out task."""
    curve: tuple[CurvePoint, ...] = ()
    """From the first weights over the checkpoints to the last, if there are checkpoints."""
    natural: Natural | None = None
    """For tasks that know their queries as they come (`NaturalTasks`)."""
    time: VirtualTime | None = None
    """With a buffer."""
    privacy: Spent | None = None
    """With noise (U11)."""
    comparison: Comparison | None = field(default=None, repr=False)
    """With simple methods on the same tasks, if it was asked for."""
    history: tuple[RoundRecord, ...] = field(default=(), repr=False, compare=False)
    """Its rounds; without a folder that has them, those of this process."""


class SimulationProgress(Value):
    """After a round; loss: mean over the samples that its devices trained on."""

    rounds_done: int
    rounds: int
    loss: float
    client_tasks_per_second: float


OnProgress: TypeAlias = Callable[[SimulationProgress], None]


def device_names(count: int) -> tuple[str, ...]:
    """The names of simulated devices: `device-1`, `device-2`, …; a fleet whose devices have them learns the same."""
    return tuple(f"device-{number}" for number in range(1, count + 1))


def default_cache() -> Path:
    """Where built libraries are kept: with the compiler's."""
    from jaragua_compiler.engines.host_build import default_cache as engines

    return engines()
