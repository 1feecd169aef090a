"""What is simulated, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from jaragua.strategies import Vector
from jaragua.strategies.robust import OUTLIER_FACTOR
from jaragua.strategies.stale import MAX_STALENESS, STALENESS_EXPONENT

EngineName: TypeAlias = Literal["w16", "w8", "float32"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


#: Fields of a simulation that nothing of what is learned depends on.
_OF_EVALUATION = frozenset(
    {"adapt_shots", "eval_tasks", "queries", "adapt_passes", "adapt_learning_rate", "adapt_batch", "curve_tasks"}
)
#: Fields that saved states of earlier versions do not name.
_LATER = ("float_fraction", "start", "loss_threshold", "replay_buffer_size")


@dataclass(frozen=True)
class Buffered:
    """Semi-asynchronous rounds (R13) on a virtual clock (docs/reference/simulate.md, V)."""

    buffer: int
    """Updates, from whichever start, that close a round."""
    max_staleness: int = MAX_STALENESS
    """Oldest update that counts, in rounds."""
    staleness_exponent: float = STALENESS_EXPONENT
    """An update n rounds old counts (1 + n)^-staleness_exponent."""
    compute_time_sigma: float = 0.25
    """Standard deviation of the log of a device's compute time."""
    slow_fraction: float = 0.0
    """Fraction of devices that take `slow_factor` times as long."""
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
    loss_threshold: float = 0.0
    """Skip the backward pass below this loss (nats, or squared error), in rounds and in adaptation. 0 disables."""
    replay_buffer_size: int = 0
    """Samples a device holds while it goes over them more than once, likewise; 0: all."""
    options: dict[str, float] = field(default_factory=dict)
    combine: str = "own"
    trim: float = 0.2
    norm_clip_factor: float = 0.0
    outlier_factor: float = OUTLIER_FACTOR
    eval_tasks: int = 100
    queries: int = 50
    adapt_shots: int | None = None
    """Support samples of each class of a held-out task; None: as in training."""
    adapt_passes: int = 1
    adapt_learning_rate: float | None = None
    """None: that of training."""
    adapt_batch: int = 1
    """Samples of one step when a new device adapts; 0: all of a pass."""
    float_fraction: float = 0.0
    """Of each round's devices, in float32 among those of an integer engine; they evaluate, too (mixed_fleet.py)."""
    checkpoints: tuple[int, ...] = ()
    """Rounds after which the weights are kept, to be evaluated at the end: a learning curve."""
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
        ignored = _OF_EVALUATION | {name for name in _LATER if not values[name]}
        return {name: value for name, value in (values | of_the_clock).items() if name not in ignored}


@dataclass(frozen=True)
class Means:
    """Of one figure over the held-out tasks: its mean, and half the width of OnlineLearner's 95 % interval."""

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
    """Of this process: drawing, training and aggregation, without start-up and evaluation; 0 if nothing was to do."""
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
    curve: tuple[CurvePoint, ...] = ()
    """From the first weights over the checkpoints to the last, if there are checkpoints."""
    natural: Natural | None = None
    """For tasks that know their queries as they come (`NaturalTasks`)."""
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
