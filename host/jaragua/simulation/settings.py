"""What is simulated, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from jaragua.strategies import Vector
from jaragua.strategies.robust import NEAR
from jaragua.strategies.stale import MOST_AGE, POWER

EngineName: TypeAlias = Literal["w16", "w8", "float32"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


#: Fields of a simulation that nothing of what is learned depends on.
_OF_JUDGING = frozenset(
    {"adapt_shots", "eval_tasks", "queries", "adapt_passes", "adapt_learning_rate", "adapt_batch", "curve_tasks"}
)
#: Fields that saved states of earlier versions do not name.
_LATER = ("float_share", "start", "least_loss", "memory")


@dataclass(frozen=True)
class Buffered:
    """Semi-asynchronous rounds (R13) on a virtual clock (docs/reference/simulate.md, V)."""

    buffer: int
    """Updates, from whichever start, that close a round."""
    most_age: int = MOST_AGE
    """The oldest start, in rounds, from which an update counts."""
    staleness: float = POWER
    """The power with which an older start counts less."""
    spread: float = 0.25
    """Of the logarithm of a device's time for its work."""
    slow_share: float = 0.0
    """Of all devices, that take `slow_factor` times as long."""
    slow_factor: float = 4.0


@dataclass(frozen=True)
class Simulation:
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
    learning_rate: float
    alpha: float
    alpha_final: float
    passes: int | None = None
    batch: int | None = None
    least_loss: float = 0.0
    """Of a sample that teaches anything, in a round and when a new device adapts: nats, or squared error; 0: any."""
    memory: int = 0
    """Samples a device holds while it goes over them more than once, likewise; 0: all."""
    options: dict[str, float] = field(default_factory=dict)
    combine: str = "own"
    trim: float = 0.2
    clip: float = 0.0
    near: float = NEAR
    eval_tasks: int = 100
    queries: int = 50
    adapt_shots: int | None = None
    """Support samples of each class of a held-out task; None: as in training."""
    adapt_passes: int = 1
    adapt_learning_rate: float | None = None
    """None: that of training."""
    adapt_batch: int = 1
    """Samples of one step when a new device adapts; 0: all of a pass."""
    float_share: float = 0.0
    """Of each round's devices, in float32 among those of an integer engine; they judge, too (mixed_fleet.py)."""
    checkpoints: tuple[int, ...] = ()
    """Rounds after which the weights are kept, to be judged at the end: a learning curve."""
    curve_tasks: int = 100
    """Held-out tasks for each point of that curve."""
    buffered: Buffered | None = None
    """None: every round waits for its own devices."""
    start: str = ""
    """Of first weights that are given, their `start_hash`; "": the seed's."""

    def identity(self) -> dict[str, Any]:
        """All that decides what is learned, as JSON values: what a saved state must agree with."""
        values = asdict(self) | {"devices": list(self.devices), "checkpoints": list(self.checkpoints)}
        of_the_clock = values.pop("buffered") or {}
        left_out = _OF_JUDGING | {name for name in _LATER if not values[name]}
        return {name: value for name, value in (values | of_the_clock).items() if name not in left_out}


@dataclass(frozen=True)
class Means:
    """Of one figure over the held-out tasks: its mean, and half the width of Student's 95 % interval."""

    mean: float
    ci95: float


@dataclass(frozen=True)
class CurvePoint:
    """What new devices made of the weights after some rounds."""

    rounds: int
    before: Means
    after: Means


@dataclass(frozen=True)
class Natural:
    """After adaptation, on queries as unbalanced as they come; class 1 is the rare one. All in 0..1."""

    balanced_accuracy: Means
    f1: Means


@dataclass(frozen=True)
class VirtualTime:
    """Of a simulation with a buffer (V6). finish: when its last round closed, in times of a median device's work."""

    finish: float
    updates: int
    """That counted."""
    mean_age: float
    """Of the starts of these, in rounds."""
    late: int
    """Updates that came too late to count."""


@dataclass(frozen=True)
class SimulationResult:
    """A finished simulation. bytes: tensors only, as devices and server would exchange them."""

    metric: str
    before: Means
    after: Means
    tasks: int
    rounds: int
    client_tasks: int
    client_tasks_per_second: float
    """Of this process: drawing, training and aggregation, without start-up and judging; 0 if nothing was left to do."""
    seconds: float
    final_hash: str
    bytes_up: int
    bytes_down: int
    parameters: int
    left_out: int
    """Updates that were not believed (R17)."""
    scores: tuple[float, ...]
    """After adaptation, one per held-out task."""
    learned: Vector = field(repr=False, compare=False)
    """What new devices start from, float64 [parameters]."""
    curve: tuple[CurvePoint, ...] = ()
    """From the first weights over the checkpoints to the last, if there are checkpoints."""
    natural: Natural | None = None
    """For tasks that know their queries as they come (`AsTheyCome`)."""
    time: VirtualTime | None = None
    """With a buffer."""


@dataclass(frozen=True)
class SimulationProgress:
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
