"""The keys of a run's TOML: the one definition, from which messages and suggestions come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from jaragua.errors import BrokerError
from jaragua.node.trainer import LARGEST_LOSS_THRESHOLD
from jaragua.node.url import parse_broker_url
from jaragua.strategies.robust import OUTLIER_FACTOR
from jaragua.strategies.stale import MAX_STALENESS, STALENESS_EXPONENT

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
#: A run's name becomes part of its identifier on the broker, with nine characters more.
RunName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,23}$")]
#: What CBOR, SQLite and NumPy's generators all take.
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Batch = Annotated[int, Field(ge=0, le=1_000_000)]
LossThreshold = Annotated[float, Field(ge=0, le=LARGEST_LOSS_THRESHOLD, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600, allow_inf_nan=False)]
StepSize = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def _check_url(url: str) -> str:
    try:
        parse_broker_url(url)
    except BrokerError as error:
        raise ValueError(f"{error.message}: {error.hint}") from error
    return url


class Section(BaseModel):
    """A table of the file: no unknown keys, no silent conversions, never changed after it was read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class RunSection(Section):
    """[run]: which run this is and where it is kept."""

    name: RunName = Field(description="Name of the run: 1 to 23 of a-z, 0-9 and -; default: the file's name")
    seed: Seed = Field(default=1, description="Seed of the first weights, the choice of devices and their tasks.")
    rounds: Count = Field(description="Number of rounds; default: the model's")
    fleet: Identifier = Field(default="home", description="Name of the fleet, part of its topics on the broker.")
    directory: Path = Field(strict=False, description="Folder of the run, relative to the file; default: `runs/<name>`")


class ModelSection(Section):
    """[model]: what is trained."""

    name: str = Field(description="A model of the zoo, or the TOML file of your own data, relative to this file.")


class StrategySection(Section):
    """[strategy]: how the initialisation moves."""

    name: str = Field(default="tinyreptile", description="A strategy by name, or `module:Class` for your own.")
    clients_per_round: Count = Field(
        description="K, devices that train in a round; 1 is the serial form of TinyReptile; default: the model's"
    )
    alpha: StepSize = Field(description="Server step size of the first round; default: the model's")
    alpha_final: StepSize = Field(default=0.0, description="Final server step size (linear decay).")
    combine: str = Field(
        default="own",
        description="How updates become one: own (the strategy's), mean, sample-weighted-mean, median, trimmed-mean.",
    )
    trim: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        default=0.2, description="Fraction of the devices that trimmed-mean leaves out at either end."
    )
    norm_clip_factor: Factor = Field(
        default=0.0, description="Shorten an update to this multiple of the round's median norm. 0 disables."
    )
    outlier_factor: Factor = Field(
        default=OUTLIER_FACTOR,
        description="Leave out an update this many median distances from the round's median (R17). 0 disables.",
    )
    options: dict[str, float] = Field(
        default={},
        strict=False,
        description="The strategy's own options, and delta_bits, upload_fraction, download_fraction.",
    )


class ClientSection(Section):
    """[client]: what a device does in a round."""

    learning_rate: Annotated[float, Field(ge=2**-32, lt=1, allow_inf_nan=False)] = Field(
        description="Learning rate of a device (inner learning rate); default: the model's"
    )
    ways: Count = Field(description="Classes of a device's task; default: the model's")
    shots: Count = Field(description="Samples per class of a device's task; default: the model's")
    passes: Count = Field(
        description="Passes over the samples in a round; default: the strategy's, at least the model's"
    )
    batch: Batch = Field(
        description="Samples whose steps are averaged; 0: all. Other than 1 needs JARAGUA_ACCUMULATE=1 images; "
        "default: the strategy's"
    )
    loss_threshold: LossThreshold = Field(
        default=0.0,
        description="Skip the backward pass for samples with a lower loss (nats or squared error, A11.8). 0 disables.",
    )
    replay_buffer_size: Batch = Field(
        default=0,
        description="Samples that a device keeps for further passes; 0: all. Needs a batch of 1; not for fedprox.",
    )


class BrokerSection(Section):
    """[broker]: where the fleet meets."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(
        default="mqtt://127.0.0.1:1883",
        description="`mqtt://[user:password@]host[:port]` or `mqtts://…`. The run's folder keeps no password.",
    )


class RoundSection(Section):
    """[round]: when a round is over."""

    quorum: Count = Field(
        description="Updates that suffice at the deadline; default: clients_per_round, or devices.minimum if less"
    )
    deadline_s: Seconds = Field(default=120.0, description="Seconds until a round's deadline.")
    buffer: Batch = Field(
        default=0, description="Updates, from any earlier round, that close a round (R13). 0: wait for the round's own."
    )
    staleness_exponent: Factor = Field(
        default=STALENESS_EXPONENT, description="With a buffer: an update that is n rounds old counts (1 + n)^-this."
    )
    max_staleness: Count = Field(
        default=MAX_STALENESS, description="With a buffer: oldest start, in rounds, from which an update counts."
    )


class DevicesSection(Section):
    """[devices]: who takes part."""

    minimum: Count = Field(description="Devices to wait for before the first round; default: clients_per_round")
    wait_s: Seconds = Field(default=60.0, description="Seconds to wait for these devices.")
    exclude: tuple[Identifier, ...] = Field(
        default=(), strict=False, description="Devices that never train in this run."
    )


class RunConfig(Section):
    """A whole run, every default filled in."""

    run: RunSection
    model: ModelSection
    strategy: StrategySection
    client: ClientSection
    broker: BrokerSection
    round: RoundSection
    devices: DevicesSection


SECTIONS: dict[str, type[Section]] = {
    "run": RunSection,
    "model": ModelSection,
    "strategy": StrategySection,
    "client": ClientSection,
    "broker": BrokerSection,
    "round": RoundSection,
    "devices": DevicesSection,
}
