"""Each setting of a run once: its name, type, range, unit, default and help text.

A section of a run's file is a frozen dataclass here; its fields are annotated with a `Setting`. What derives from them:
the run file (`jaragua.config`), the options and `--set` of `jaragua simulate`, what a strategy asks of devices
(`strategies.ClientWork`), the simulator (`simulation.Simulation`), the ranges of the messages (`node.training.ranges`),
and the table in docs/reference/configuration.md.

A setting with `default_from` has no default of its own: `jaragua.config` fills it in from the model or the strategy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

#: Longest replay buffer, largest batch and most devices, rounds or samples of one kind that a file may ask for.
MOST: Final = 1_000_000
#: What CBOR, SQLite and NumPy's generators all take.
LARGEST_SEED: Final = 2**63 - 1
#: The lowest rate an engine takes (A5.2); one that computes in float32 takes the same.
SMALLEST_RATE: Final = 2.0**-32
#: Above it an integer engine saturates (A11.8, A11.7).
LARGEST_LOSS_THRESHOLD: Final = 1e12
_LARGEST_ERROR_CLIP: Final = 1e12
_WEEK_S: Final = 7 * 24 * 3600.0
IDENTIFIER: Final = r"^[a-z0-9-]{1,32}$"
#: A run's name becomes part of its identifier on the broker, with nine characters more.
RUN_NAME_LENGTH: Final = 23
RUN_NAME: Final = rf"^[a-z0-9-]{{1,{RUN_NAME_LENGTH}}}$"


@dataclass(frozen=True)
class Setting:
    """What there is to know of one setting. least <= value <= most, value > above, value < below, where given."""

    help: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    pattern: str = ""
    default_from: str = ""
    is_path: bool = False
    """A file or folder, relative to the run file; "" for none."""
    free: bool = False
    """May differ when a run is resumed: it does not change what is learned."""


def _path(help: str) -> Setting:
    """A file of the machine that runs the coordinator: it does not change what is learned."""
    return Setting(help, is_path=True, free=True)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """[run]: which run this is and where it is kept."""

    name: Annotated[
        str, Setting("Name of the run: 1 to 23 of a-z, 0-9 and -.", pattern=RUN_NAME, default_from="the file's name")
    ]
    seed: Annotated[
        int,
        Setting("Seed of the first weights, the choice of devices and their tasks.", least=0, most=LARGEST_SEED),
    ] = 1
    rounds: Annotated[
        int,
        Setting("Rounds; 0 evaluates without training (simulations only).", least=0, most=MOST, default_from="model"),
    ]
    fleet: Annotated[str, Setting("Name of the fleet, part of its topics on the broker.", pattern=IDENTIFIER)] = "home"
    directory: Annotated[
        Path, Setting("Folder of the run, relative to the file.", default_from="`runs/<name>`", free=True)
    ]


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """[model]: what is trained."""

    name: Annotated[str, Setting("A model of the zoo, or the TOML file of your own data, relative to this file.")]


@dataclass(frozen=True, kw_only=True)
class AggregationSettings:
    """How the server combines the updates of a round, and steps."""

    combine: Annotated[
        str,
        Setting(
            "How updates become one: own (the strategy's), mean, sample-weighted-mean, median, trimmed-mean, "
            "spectral-mean (R21)."
        ),
    ] = "own"
    trim: Annotated[
        float,
        Setting(
            "Fraction of the devices that trimmed-mean leaves out at either end, and spectral-mean at all.",
            least=0,
            below=0.5,
        ),
    ] = 0.2
    norm_clip_factor: Annotated[
        float, Setting("Shorten an update to this multiple of the round's median norm. 0 disables.", least=0)
    ] = 0.0
    outlier_factor: Annotated[
        float,
        Setting("Leave out an update this many median distances from the round's median (R17). 0 disables.", least=0),
    ] = 10.0
    server_optimiser: Annotated[
        str, Setting("How the server steps along what was learned (R18): plain, momentum, adam, yogi.")
    ] = "plain"
    server_beta1: Annotated[
        float, Setting("Decay of the mean of steps (beta 1), with momentum, adam and yogi.", least=0, below=1)
    ] = 0.9
    server_beta2: Annotated[
        float, Setting("Decay of the mean of squared steps (beta 2), with adam and yogi.", least=0, below=1)
    ] = 0.99
    server_tau: Annotated[float, Setting("Number (tau) added to its root, with adam and yogi.", above=0, most=1)] = (
        0.001
    )


@dataclass(frozen=True, kw_only=True)
class StrategySettings(AggregationSettings):
    """[strategy]: how the initialisation moves."""

    name: Annotated[str, Setting("A strategy by name, or `module:Class` for your own.", default_from="model")] = (
        "tinyreptile"
    )
    clients_per_round: Annotated[
        int,
        Setting(
            "Devices that train in a round; 1 is the serial form of TinyReptile.",
            unit="devices",
            least=1,
            most=MOST,
            default_from="model",
        ),
    ]
    alpha: Annotated[float, Setting("Server step size in the first round.", least=0, most=1, default_from="model")]
    alpha_final: Annotated[float, Setting("Final server step size (linear decay).", least=0, most=1)] = 0.0
    options: Annotated[
        dict[str, float],
        Setting("The strategy's own options, and delta_bits, upload_fraction, download_fraction."),
    ] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """What a training step passes over: nothing but a device's engine looks at it."""

    loss_threshold: Annotated[
        float,
        Setting(
            "Skip the backward pass for samples with a lower loss (A11.8). 0 disables.",
            unit="nats, or squared error",
            least=0,
            most=LARGEST_LOSS_THRESHOLD,
        ),
    ] = 0.0

    error_clip: Annotated[
        float,
        Setting(
            "Scale a sample's output error down to at most this (A11.7). 0 disables. Not in float32.",
            unit="probability, or the target's unit",
            least=0,
            most=_LARGEST_ERROR_CLIP,
        ),
    ] = 0.0


@dataclass(frozen=True)
class TrainingSettings(StepSettings):
    """What a device does with its support set, in a round and when a new device adapts."""

    learning_rate: Annotated[float, Setting("Inner learning rate.", least=SMALLEST_RATE, below=1, default_from="model")]
    passes: Annotated[
        int | None,
        Setting(
            "Passes over the support set.", least=1, most=MOST, default_from="the strategy's, at least the model's"
        ),
    ] = None
    """None: the strategy's own."""
    batch: Annotated[
        int | None,
        Setting(
            "Samples whose steps are averaged; 0: all. Other than 1 needs JARAGUA_ACCUMULATE=1 images.",
            unit="samples",
            least=0,
            most=MOST,
            default_from="strategy",
        ),
    ] = None
    """None: the strategy's own."""
    replay_buffer_size: Annotated[
        int,
        Setting(
            "Samples that a device keeps for further passes; 0: all. Needs a batch of 1; not for fedprox.",
            unit="samples",
            least=0,
            most=MOST,
        ),
    ] = 0


STEP_SETTINGS: Final = tuple(one.name for one in fields(StepSettings))
#: What a strategy asks of devices with prototypes, and the range of each (M18); no key of a run's file has the names.
PROTOTYPE_RANGES: Final = {
    "temperature": (SMALLEST_RATE, math.nextafter(1.0, 0.0)),
    "enrolled_shots": (0, MOST),
    "episode_queries": (0, MOST),
}
#: What a message says nothing of: a neutral value (M3).
_NEUTRAL: Final = {
    **{one.name: one.default for one in fields(StepSettings)},
    "replay_buffer_size": 0,
    **dict.fromkeys(PROTOTYPE_RANGES, 0),
}


def sent(settings: TrainingSettings) -> dict[str, Any]:
    """The optional fields of a train- and an adapt-command: None where a setting is neutral, or not there."""
    values = {name: getattr(settings, name, neutral) for name, neutral in _NEUTRAL.items()}
    return {name: None if value == _NEUTRAL[name] else value for name, value in values.items()}


def step_settings_of(command: object) -> StepSettings:
    """The settings of a step that a command has fields for; an absent one is neutral."""
    said = {one.name: getattr(command, one.name) for one in fields(StepSettings)}
    return StepSettings(**{name: value for name, value in said.items() if value is not None})


#: Settings of a step that engines in float32 have, too.
_IN_FLOAT: Final = frozenset({"loss_threshold"})


def only_in_integers(settings: StepSettings) -> str:
    """Names of settings that are not neutral and that no engine in float32 has; "" if there are none."""
    return ", ".join(
        name
        for name in (one.name for one in fields(StepSettings))
        if name not in _IN_FLOAT and getattr(settings, name) != _NEUTRAL[name]
    )


def training_of(settings: TrainingSettings) -> TrainingSettings:
    """The training settings among those of a class that has more."""
    return TrainingSettings(**{one.name: getattr(settings, one.name) for one in fields(TrainingSettings)})


@dataclass(frozen=True, kw_only=True)
class ClientSettings(TrainingSettings):
    """[client]: the task of a device in a round, and what it does with it."""

    ways: Annotated[int, Setting("Classes of a device's task.", least=1, most=MOST, default_from="model")]
    shots: Annotated[
        int, Setting("Support samples of each class.", unit="samples", least=1, most=MOST, default_from="model")
    ]


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """[broker]: where the fleet meets."""

    url: Annotated[
        str,
        Setting("`mqtt://[user:password@]host[:port]` or `mqtts://…`. The run's folder keeps no password.", free=True),
    ] = "mqtt://127.0.0.1:1883"
    identity: Annotated[str, _path("Folder of the coordinator's identity (`jaragua broker init`).")] = ""
    ca: Annotated[str, _path("Certificate of the broker's authority; without one, the system's.")] = ""
    certificate: Annotated[str, _path("Certificate that says to the broker who this is.")] = ""
    key: Annotated[str, _path("Private key of that certificate.")] = ""
    user: Annotated[str, Setting("User at the broker; or the variable JARAGUA_BROKER_USER.", free=True)] = ""
    password_file: Annotated[str, _path("File with the password alone; or the variable JARAGUA_BROKER_PASSWORD.")] = ""
    signing_key: Annotated[str, _path("Ed25519 key that signs what is published; default: the identity's.")] = ""
    aggregator_identity: Annotated[
        str, _path("Folder of the aggregators' identity (`jaragua run --aggregators`); default: the coordinator's.")
    ] = ""
    insecure: Annotated[
        bool, Setting("Use a broker beyond this machine without TLS or identity: anyone there may train.", free=True)
    ] = False


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """[store]: where the rounds and updates of a run are kept."""

    url: Annotated[
        str,
        Setting(
            "`postgresql://[user@][host[:port]]/database` (R23); none: `run.sqlite` in the run's folder.",
            free=True,
        ),
    ] = ""
    password_file: Annotated[str, _path("File with the password alone; or the variable JARAGUA_STORE_PASSWORD.")] = ""
    ca: Annotated[str, _path("Certificate of the database server's authority; without one, the system's.")] = ""
    insecure: Annotated[
        bool, Setting("Use a database beyond this machine without TLS that checks its name.", free=True)
    ] = False


@dataclass(frozen=True)
class BufferSettings:
    """Semi-asynchronous rounds (R13)."""

    buffer: Annotated[
        int,
        Setting(
            "Updates, from any earlier round, that close a round (R13). 0: wait for the round's own.",
            least=0,
            most=MOST,
        ),
    ] = 0
    max_staleness: Annotated[
        int, Setting("With a buffer: age of the oldest update that counts.", unit="rounds", least=1, most=MOST)
    ] = 10
    staleness_exponent: Annotated[
        float, Setting("With a buffer: an update that is n rounds old counts (1 + n)^-this.", least=0)
    ] = 0.5


@dataclass(frozen=True, kw_only=True)
class RoundSettings(BufferSettings):
    """[round]: when a round is over."""

    quorum: Annotated[
        int,
        Setting(
            "Updates that suffice at the deadline.",
            least=1,
            most=MOST,
            default_from="`clients_per_round`, `minimum` if less",
            free=True,
        ),
    ]
    deadline_s: Annotated[
        float, Setting("Time a device has for its update.", unit="s", above=0, most=_WEEK_S, free=True)
    ] = 120.0


@dataclass(frozen=True, kw_only=True)
class DevicesSettings:
    """[devices]: which devices of the fleet take part."""

    minimum: Annotated[
        int,
        Setting(
            "Devices to wait for before the first round.",
            least=1,
            most=MOST,
            default_from="`clients_per_round`",
            free=True,
        ),
    ]
    wait_s: Annotated[float, Setting("How long to wait for them.", unit="s", above=0, most=_WEEK_S, free=True)] = 60.0
    exclude: Annotated[tuple[str, ...], Setting("Devices that never train in this run.", pattern=IDENTIFIER)] = ()
    match: Annotated[
        str,
        Setting("Conditions on devices, which the knowledge graph decides (semantics.md, S7); none: every device."),
    ] = ""
    graph: Annotated[str, _path("Folder of the graph for `match`; none: the user's own.")] = ""
    members: Annotated[
        str, _path("List of admitted nodes and devices (`members.toml`); none: all that the broker lets in.")
    ] = ""


@dataclass(frozen=True, kw_only=True)
class PrivacySettings:
    """[privacy]: what a round tells of one device's update (docs/design/private-updates.md)."""

    secure_aggregation: Annotated[
        bool, Setting("Masked sums: the coordinator learns what a round's devices learned together, and no update.")
    ] = False
    group: Annotated[
        int,
        Setting(
            "Devices of one secure sum at most: a larger round is several sums (U12). 0: one sum.",
            unit="devices",
            least=0,
            most=MOST,
        ),
    ] = 0
    clip: Annotated[
        float,
        Setting("Shorten an update to this L2 norm, in integers (U9). 0 disables.", unit="weights", least=0, most=1000),
    ] = 0.0
    noise_multiplier: Annotated[
        float,
        Setting(
            "Standard deviation of the discrete Gaussian noise of a round's sum (U10). 0 disables.",
            unit="clip",
            least=0,
            most=1000,
        ),
    ] = 0.0
    noise_on: Annotated[str, Setting("Who adds the noise: coordinator, or devices (with secure_aggregation).")] = (
        "coordinator"
    )
    delta: Annotated[float, Setting("Delta of the reported ε (U11).", above=0, below=1)] = 1e-5

    @property
    def sums(self) -> bool:
        """Whether rounds are sums of integers (U1.1)."""
        return self.secure_aggregation or self.clip > 0


@dataclass(frozen=True, kw_only=True)
class ClockSettings:
    """The virtual clock of a simulation with a buffer (docs/reference/simulate.md, V)."""

    compute_time_sigma: Annotated[
        float, Setting("Standard deviation of the log of a device's compute time; with round.buffer.", least=0, most=3)
    ] = 0.25
    slow_fraction: Annotated[
        float, Setting("Fraction of devices that take slow_factor times as long; with round.buffer.", least=0, most=1)
    ] = 0.0
    slow_factor: Annotated[
        float, Setting("How many times longer the slow devices take; with round.buffer.", least=1, most=MOST)
    ] = 4.0


@dataclass(frozen=True, kw_only=True)
class SimulationSettings(ClockSettings):
    """[simulation]: what only a simulation has."""

    engine: Annotated[
        str, Setting("Arithmetic of the devices: w16 or w8 (boards), or float32.", default_from="model", free=True)
    ]
    devices: Annotated[
        int,
        Setting("Devices there are.", least=1, most=MOST, default_from="`clients_per_round`", free=True),
    ]
    float_fraction: Annotated[
        float,
        Setting("Fraction of a round's devices that compute in float32 (R14).", least=0, most=1, free=True),
    ] = 0.0
    head_devices: Annotated[
        int,
        Setting("Devices that train the last layer alone (R35), the last by name.", least=0, most=MOST, free=True),
    ] = 0
    checkpoints: Annotated[
        tuple[int, ...],
        Setting("Rounds after which the weights are kept, and evaluated at the end: a learning curve."),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """[evaluation]: how the start is evaluated, on tasks that no device trained on."""

    tasks: Annotated[int, Setting("Held-out tasks.", least=1, most=MOST, free=True)] = 100
    ways: Annotated[
        int | None,
        Setting("Classes of a held-out task.", least=1, most=MOST, default_from="`client.ways`", free=True),
    ] = None
    """None: as in training."""
    shots: Annotated[
        int | None,
        Setting(
            "Support samples of each class of a held-out task.",
            unit="samples",
            least=1,
            most=MOST,
            default_from="model",
            free=True,
        ),
    ] = None
    """None: as in training."""
    queries: Annotated[
        int,
        Setting("Query samples of a task.", unit="samples", least=1, most=MOST, default_from="model", free=True),
    ] = 50
    passes: Annotated[
        int,
        Setting("Passes when a new device adapts.", least=1, most=MOST, default_from="model", free=True),
    ] = 1
    learning_rate: Annotated[
        float | None,
        Setting(
            "Inner learning rate when a new device adapts.",
            least=SMALLEST_RATE,
            below=1,
            default_from="`client.learning_rate`",
            free=True,
        ),
    ] = None
    """None: that of training."""
    batch: Annotated[
        int,
        Setting("Samples of a step of adaptation; 0: all.", unit="samples", least=0, most=MOST, free=True),
    ] = 1


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A whole run, every default filled in. Its fields are the sections of the file."""

    run: RunSettings
    model: ModelSettings
    strategy: StrategySettings
    client: ClientSettings
    broker: BrokerSettings
    store: StoreSettings
    round: RoundSettings
    devices: DevicesSettings
    privacy: PrivacySettings
    simulation: SimulationSettings
    evaluation: EvaluationSettings


@dataclass(frozen=True)
class Key:
    """One key of a run's file: `section.name`, its type without None, its setting, and its default."""

    section: str
    name: str
    type: Any
    setting: Setting
    default: Any = MISSING

    @property
    def path(self) -> str:
        """`section.name`."""
        return f"{self.section}.{self.name}"

    @property
    def default_in_words(self) -> str:
        """Where a default comes from that is not a number: the model's, the strategy's, another key."""
        origin = self.setting.default_from
        return f"the {origin}'s" if origin in ("model", "strategy") else origin

    @property
    def is_filled_in(self) -> bool:
        """Whether the default comes from the model, the strategy or another key."""
        return bool(self.setting.default_from)


#: Settings that have a short name: an option of `jaragua simulate`, an argument of `jaragua.simulate`.
SHORT_NAMES: Final[dict[str, str]] = {
    "task": "model.name",
    "strategy": "strategy.name",
    "engine": "simulation.engine",
    "rounds": "run.rounds",
    "clients": "strategy.clients_per_round",
    "devices": "simulation.devices",
    "ways": "client.ways",
    "shots": "evaluation.shots",
    "learning_rate": "client.learning_rate",
    "passes": "client.passes",
    "seed": "run.seed",
    "eval_tasks": "evaluation.tasks",
}

SECTIONS: Final[dict[str, type]] = {
    one.name: kind for one in fields(RunConfig) for kind in [get_type_hints(RunConfig)[one.name]]
}


@cache
def keys_of(section: str) -> dict[str, Key]:
    """The keys of a section, by name; those of its class before those of the classes it extends."""
    kind = SECTIONS[section]
    hints = get_type_hints(kind, include_extras=True)
    own_first = sorted(fields(kind), key=lambda one: one.name not in kind.__annotations__)
    return {one.name: _key(section, one.name, hints[one.name], _default_of(one)) for one in own_first}


def all_keys() -> Iterator[Key]:
    """Every key of a run's file, section by section."""
    for section in SECTIONS:
        yield from keys_of(section).values()


def key(path: str) -> Key:
    """The key `section.name`. Raises: KeyError if there is none."""
    section, _, name = path.partition(".")
    if section not in SECTIONS:
        raise KeyError(path)
    return keys_of(section)[name]


def limits(path: str) -> tuple[float, float]:
    """The least and the greatest value of a numeric key; without bounds, those of a float."""
    setting = key(path).setting
    return (
        -math.inf if setting.least is None else setting.least,
        math.inf if setting.most is None else setting.most,
    )


def _key(section: str, name: str, hint: Any, default: Any) -> Key:
    kind, setting = get_args(hint)
    return Key(section, name, _without_none(kind), setting, MISSING if setting.default_from else default)


def _without_none(kind: Any) -> Any:
    rest = [one for one in get_args(kind) if one is not type(None)]
    return rest[0] if len(rest) < len(get_args(kind)) and get_origin(kind) is not dict else kind


def _default_of(one: Any) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default
