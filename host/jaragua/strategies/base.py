"""What a strategy is: where the initialisation goes after a round (server), and what a device does in one (client).

Both halves are pure and stand in one class, so that the coordinator, the nodes and the simulator cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Integral
from typing import Any, ClassVar, Final

from jaragua.errors import ConfigurationError
from jaragua.settings import SMALLEST_RATE, TrainingSettings
from jaragua.strategies.aggregation import Aggregation, ClientUpdate, Vector, masked_mean
from jaragua.strategies.server_optimiser import Moments, ServerOptimiser

#: `ClientWork.batch`: all samples of a pass make one step.
WHOLE_SET = 0
#: Most samples of a step on a board (A11.1).
LARGEST_BATCH = 65535
#: `ClientWork.proximal_decay`: all of the way is kept, 1 in Q15.
NO_DECAY = 1 << 15


@dataclass(frozen=True)
class ClientWork(TrainingSettings):
    """What each device of a round does with the samples of its task. One step a sample, once, unless it says more."""

    passes: int = 1
    batch: int = 1
    """WHOLE_SET: all samples of a pass make one step."""
    proximal: float = 0.0
    """μ of FedProx: how strongly the weights are drawn back to the start after each pass."""
    pooled: bool = False
    """The raw samples are brought together and one engine trains on them: nothing a fleet may do (M5)."""
    local_layers: int = 0
    """Last layers with weights that stay on the device: neither sent nor moved by the server."""
    upload_fraction: float = 1.0
    """Fraction of the other weights that is sent: those that changed most."""
    download_fraction: float = 1.0
    """Fraction of the initialisation's changes that devices are sent, chosen the same way."""
    delta_bits: int = 0
    """8 or 16: what changed travels, in both directions, in so many bits; 0: whole weights, or 16 if a part is sent."""
    temperature: float = 0.0
    """Above 0: prototypes take the place of the last layer, with this temperature (A12.4). Each pass enrols samples
    first, and then trains on others."""
    enrolled_shots: int = 0
    """With prototypes: the first samples of each class that a pass enrols and does not train on. 0: all are enrolled,
    then all are trained on, and after the last pass all are enrolled again."""
    episode_queries: int = 0
    """Above 0: a pass is a row of episodes. Each enrols `enrolled_shots` samples of each class, trains on so many
    others of each, and takes one step on each enrolled sample by the gradient of its prototype (A12.10)."""

    @property
    def prototypes(self) -> bool:
        """Whether prototypes take the place of the last layer (A12)."""
        return self.temperature > 0

    def kept_after_a_pass(self, samples: int) -> float:
        """What FedProx keeps of the way from the start after a pass: (1 - η μ)^n for the n steps of a pass; else 1."""
        steps = 1 if self.batch == WHOLE_SET else -(-samples // self.batch)
        return max(0.0, 1 - self.learning_rate * self.proximal) ** steps

    def proximal_decay(self, samples: int) -> int:
        """The same in Q15, as integer engines take it; NO_DECAY if nothing decays."""
        return round(NO_DECAY * self.kept_after_a_pass(samples))

    @property
    def compressed(self) -> bool:
        """Whether anything but whole blobs travels."""
        return self.local_layers > 0 or min(self.upload_fraction, self.download_fraction) < 1.0 or self.delta_bits > 0


@dataclass(frozen=True)
class ModelProperties:
    """All that a strategy may know of the model: defaults of its options may depend on it."""

    own_labels: bool = False
    """A label means another class in every task."""
    head_fraction: float = 0.0
    """Fraction of the trainable numbers that is in the last layer."""
    layers: int = 0
    """Layers with numbers that train; 0: unknown."""
    classifier: bool = True
    """Its targets are classes."""
    temperature: float = 0.0
    """Of prototypes, as its defaults have it; 0: the strategy's own."""
    refine_passes: int = 0
    """Of prototypes, as its defaults have it."""
    episode_queries: int = 0
    """Of prototypes, as its defaults have it."""
    adapt_by_steps: int = 0
    """Of prototypes, as its defaults have it."""


@dataclass(frozen=True)
class Settings:
    """What a run or a simulation gives a strategy. None: the strategy's own default."""

    rounds: int
    alpha: float = 1.0
    alpha_final: float = 0.0
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(0.1))
    properties: ModelProperties = ModelProperties()
    options: dict[str, float] = field(default_factory=dict)
    """Numbers that only some strategies have, by the names in their OPTIONS."""
    aggregation: Aggregation = field(default_factory=Aggregation)
    """Checks before updates are combined, and how they are; as it stands: no check, and the strategy's own way."""
    optimiser: ServerOptimiser = field(default_factory=ServerOptimiser)
    """How the server steps along what was learned (R18)."""


class Strategy:
    """Base of all strategies: Reptile's outer step with a linear α, and one step a sample. Override what differs.

    An implementation keeps no state and must not depend on the order in which updates arrived: it gets them sorted.
    """

    #: One line for lists.
    SUMMARY: ClassVar[str] = ""
    #: Names of `Settings.options` it takes, with their defaults.
    OPTIONS: ClassVar[dict[str, float]] = {}
    #: Options of every strategy, with their defaults: whole blobs travel (M10).
    COMMUNICATION_OPTIONS: ClassVar[dict[str, float]] = {
        "upload_fraction": 1.0,
        "download_fraction": 1.0,
        "delta_bits": 0,
    }
    #: False for a baseline that has no rounds.
    TRAINS: ClassVar[bool] = True
    #: True for a baseline that trains a classifier of all training classes; devices start from its hidden layers.
    TRUE_CLASSES: ClassVar[bool] = False
    #: True if prototypes take the place of the last layer in rounds (A12), which may have more classes than outputs.
    PROTOTYPES: ClassVar[bool] = False
    #: What `passes` and `batch` of the training settings are where they are None.
    PASSES: ClassVar[int] = 1
    BATCH: ClassVar[int] = 1

    def __init__(self, settings: Settings) -> None:
        """Raises: ConfigurationError for an option the strategy does not have."""
        self._defaults = self.COMMUNICATION_OPTIONS | self.own_options(settings.properties)
        for name in settings.options:
            if name not in self._defaults:
                known = ", ".join(sorted(self._defaults))
                raise ConfigurationError(f"this strategy has no option '{name}'", f"its options: {known}")
        self.settings = settings

    @classmethod
    def own_options(cls, properties: ModelProperties) -> dict[str, float]:
        """OPTIONS with their defaults for such a model."""
        return cls.OPTIONS

    @classmethod
    def enrols(cls, options: Mapping[str, float]) -> bool:
        """Whether a new device enrols its samples (A12), so that a task may have more classes than outputs.

        options: all of the strategy's.
        """
        return False

    def option(self, name: str) -> float:
        """An option's value, or its default."""
        return self.settings.options.get(name, self._defaults[name])

    def whole_option(self, name: str) -> int:
        """An option that counts something. Raises: ConfigurationError if it is not a whole number."""
        value = self.option(name)
        if not float(value).is_integer():
            raise ConfigurationError(f"{name} is {value:g}, which is not a whole number", "a whole number is possible")
        return int(value)

    def step_size(self, round_number: int) -> float:
        """α_t = α + (α_final - α) · (t - 1) / rounds; the first round takes α."""
        settings = self.settings
        return settings.alpha + (settings.alpha_final - settings.alpha) * (round_number - 1) / settings.rounds

    def client_work(self, round_number: int) -> ClientWork:
        """What each device of the round does."""
        return ClientWork(
            **self._training(),
            upload_fraction=self.option("upload_fraction"),
            download_fraction=self.option("download_fraction"),
            delta_bits=self.whole_option("delta_bits"),
        )

    def adaptation(self, work: ClientWork) -> ClientWork:
        """What a new device does to adapt. work: the steps that the evaluation's settings ask for."""
        return work

    def _training(self) -> dict[str, Any]:
        """The training settings by name; what is None is the strategy's own."""
        training = self.settings.training
        own = {"passes": self.PASSES, "batch": self.BATCH}
        return asdict(training) | {name: value for name, value in own.items() if getattr(training, name) is None}

    def combine(self, updates: Sequence[ClientUpdate]) -> Vector:
        """The one set of weights that stands for all updates: their mean (R14: over those that were told)."""
        return masked_mean(updates)

    def aggregate(self, round_number: int, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Vector:
        """The next initialisation, φ + α_t · (combined - φ), float64 [parameters].

        Args: round_number, 1 for the first; initialisation, float64 [parameters], what the devices started from;
        updates, at least one, sorted by device. If no update passes the checks, nothing moves.
        """
        learned = self._learned(initialisation, updates)
        if learned is None:
            return initialisation.copy()
        moved: Vector = initialisation + self.step_size(round_number) * learned
        return moved

    def optimised(
        self, round_number: int, initialisation: Vector, updates: Sequence[ClientUpdate], moments: Moments
    ) -> tuple[Vector, Moments]:
        """`aggregate` with the server's optimiser (R18): the next initialisation, and the moments after it.

        moments: those after the round before, float64 [moments, parameters]. If no update passes the checks, neither
        moves.
        """
        learned = self._learned(initialisation, updates)
        if learned is None:
            return initialisation.copy(), moments
        step, moments = self.settings.optimiser.step(learned, moments)
        return initialisation + self.step_size(round_number) * step, moments

    def _learned(self, initialisation: Vector, updates: Sequence[ClientUpdate]) -> Vector | None:
        """Combined - φ, float64 [parameters]; None if no update passes the checks."""
        kept, _ = self.settings.aggregation.checked(initialisation, updates)
        if not kept:
            return None
        learned: Vector = (self.settings.aggregation.combine or self.combine)(kept) - initialisation
        return learned

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def obstacle(work: ClientWork) -> str:
    """Why a fleet of this version cannot do this work, "" if it can (`image_needed` says with which image)."""
    if work.pooled:
        return "it trains on the samples of all devices in one place, and raw samples never cross the broker (M5)"
    if work.batch > LARGEST_BATCH:
        return f"a step of {work.batch} samples is more than a board counts: {LARGEST_BATCH} (A11.1)"
    return ""


def optimiser_obstacle(strategy: Strategy) -> str:
    """Why the server cannot step with moments (R18) under this strategy, "" if it can."""
    if not strategy.TRAINS:
        return "it trains nothing"
    if strategy.client_work(1).pooled:
        return "it trains in one place, where no server steps"
    if type(strategy).aggregate is not Strategy.aggregate:
        return "its class has an aggregate of its own"
    return ""


def image_needed(work: ClientWork, classes: int) -> str:
    """What boards' images must have beside the network to do this work, "" for nothing. classes: labels are below."""
    needed, options = [], []
    if work.prototypes:
        needed.append(f"prototypes of {classes} classes take boards whose image has room for them (A12)")
        options.append(f"JARAGUA_PROTOTYPES={classes}")
    if work.episode_queries:
        needed.append("enrolled samples teach on boards whose image has no sums (A12.10)")
    if work.batch != 1:
        size = "the whole set" if work.batch == WHOLE_SET else f"{work.batch} samples"
        needed.append(f"steps of {size} take boards whose image has sums (A11.1)")
        options.append("JARAGUA_ACCUMULATE=1")
    return f"{'; '.join(needed)}: build it with {' '.join(options)}" if needed else ""


_WHOLE_NUMBERS: Final = (
    ("passes", 0, 10_000),
    ("enrolled_shots", 0, 1_000_000),
    ("episode_queries", 0, 1_000_000),
    ("batch", 0, 1_000_000),
    ("replay_buffer_size", 0, 1_000_000),
    ("local_layers", 0, 1_000),
)


def check_work(work: ClientWork) -> ClientWork:
    """The work itself. Raises: ConfigurationError naming the first number that makes no sense."""
    for name, least, most in _WHOLE_NUMBERS:
        value = getattr(work, name)
        if not (isinstance(value, Integral) and least <= int(value) <= most):
            raise _out_of_range(f"{name} is {value}", f"a whole number, {least} to {most}, is possible")
    if work.passes == 0 and not work.prototypes:
        raise _out_of_range("passes is 0", "at least 1 is possible without prototypes")
    if work.temperature and not SMALLEST_RATE <= work.temperature < 1:
        raise _out_of_range(f"temperature is {work.temperature:g}", "2.4e-10 to below 1 is possible (A12.4)")
    if not SMALLEST_RATE <= work.learning_rate < 1:
        raise _out_of_range(f"learning_rate is {work.learning_rate:g}", "2.4e-10 to below 1 is possible (A5.2)")
    for name in ("upload_fraction", "download_fraction"):
        if not 0 < getattr(work, name) <= 1:
            raise _out_of_range(f"{name} is {getattr(work, name):g}", "more than 0, at most 1 is possible")
    for name in ("proximal", "loss_threshold"):
        if not 0 <= getattr(work, name) < math.inf:
            raise _out_of_range(f"{name} is {getattr(work, name):g}", "0 or more is possible")
    if work.replay_buffer_size and (work.batch != 1 or work.proximal):
        raise ConfigurationError(
            f"replay_buffer_size is {work.replay_buffer_size}, which takes a batch of 1 and no proximal term",
            "leave it at 0, or take a batch of 1 and another strategy than fedprox",
        )
    _check_prototypes(work)
    if work.delta_bits not in (0, 8, 16):
        raise _out_of_range(f"delta_bits is {work.delta_bits}", "0, 8 and 16 are possible")
    return work


def _check_prototypes(work: ClientWork) -> None:
    """Raises: ConfigurationError for what prototypes or their episodes do not go together with."""
    if work.prototypes and (work.replay_buffer_size or work.proximal):
        raise ConfigurationError(
            "prototypes take neither a replay buffer nor a proximal term",
            "leave replay_buffer_size at 0, or take another strategy",
        )
    if not work.episode_queries:
        return
    if not work.prototypes or not work.enrolled_shots:
        found = "no temperature" if not work.prototypes else "enrolled_shots is 0"
        raise ConfigurationError(
            f"episode_queries is {work.episode_queries}, and {found}: an episode enrols samples of its own",
            "set both above 0, or leave episode_queries at 0",
        )
    if work.batch != 1:
        raise ConfigurationError(
            f"episode_queries is {work.episode_queries} and batch is {work.batch}: enrolled samples teach one at a time"
            " (A12.10)",
            "take a batch of 1, or leave episode_queries at 0",
        )


def _out_of_range(found: str, possible: str) -> ConfigurationError:
    return ConfigurationError(f"{found}, which is out of range", possible)


def check_layers(work: ClientWork, properties: ModelProperties) -> None:
    """Raises: ConfigurationError if no layer of the model would be sent, or prototypes are asked of a regression."""
    if work.prototypes and not properties.classifier:
        raise ConfigurationError("prototypes are of classes, and the model has none", "take another strategy or model")
    if properties.layers and work.local_layers >= properties.layers:
        message = f"local_layers is {work.local_layers}, but the network has {properties.layers} layers that train"
        raise ConfigurationError(message, f"0 to {properties.layers - 1} is possible: one at least must be sent")
