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

    name: RunName = Field(description="name of the run; default: the file's name")
    seed: Seed = Field(default=1, description="of the first weights, the choice of devices and their tasks")
    rounds: Count = Field(description="default: the model's")
    fleet: Identifier = Field(default="home", description="which fleet's topics on the broker")
    directory: Path = Field(strict=False, description="run folder; relative to the file; default: runs/<name>")


class ModelSection(Section):
    """[model]: what is learned."""

    name: str = Field(description="a model of the zoo, or a TOML file that describes one of your own")


class StrategySection(Section):
    """[strategy]: how the initialisation moves."""

    name: str = "tinyreptile"
    clients_per_round: Count = Field(description="K, devices that train in a round; default: the model's")
    alpha: StepSize = Field(description="server step size in the first round; default: the model's")
    alpha_final: StepSize = Field(default=0.0, description="final server step size (linear decay)")
    combine: str = Field(default="own", description="own, mean, sample-weighted-mean, median or trimmed-mean")
    trim: Annotated[float, Field(ge=0, lt=0.5)] = Field(default=0.2, description="trimmed-mean: left out at either end")
    norm_clip_factor: Factor = Field(default=0.0, description="shorten updates to this many median norms; 0 disables")
    outlier_factor: Factor = Field(
        default=OUTLIER_FACTOR,
        description="reject updates farther from the median than this many median distances; 0 disables",
    )
    options: dict[str, float] = Field(default={}, strict=False, description="numbers that only this strategy has")


class ClientSection(Section):
    """[client]: what a device does in a round."""

    learning_rate: Annotated[float, Field(ge=2**-32, lt=1, allow_inf_nan=False)]
    ways: Count
    shots: Count
    passes: Count = Field(description="over the task's stream in a round; default: the strategy's")
    batch: Batch = Field(description="samples whose steps are averaged, 0 for all; default: the strategy's")
    loss_threshold: LossThreshold = Field(
        default=0.0, description="skip the backward pass for samples whose loss is below this; 0 disables"
    )
    replay_buffer_size: Batch = Field(
        default=0, description="samples a device keeps to repeat in its passes; 0 keeps all"
    )


class BrokerSection(Section):
    """[broker]: where the fleet meets."""

    url: Annotated[str, AfterValidator(_check_url)] = "mqtt://127.0.0.1:1883"


class RoundSection(Section):
    """[round]: when a round is over."""

    quorum: Count = Field(description="updates that are enough at the deadline; default: clients_per_round")
    deadline_s: Seconds = 120.0
    buffer: Batch = Field(default=0, description="updates, from whichever start, that make a step; 0: a round's own")
    staleness_exponent: Factor = Field(
        default=STALENESS_EXPONENT, description="an update n rounds old counts (1 + n)^-this"
    )
    max_staleness: Count = Field(default=MAX_STALENESS, description="oldest update that counts, in rounds")


class DevicesSection(Section):
    """[devices]: who takes part."""

    minimum: Count = Field(description="devices to wait for before the first round; default: clients_per_round")
    wait_s: Seconds = 60.0
    exclude: tuple[Identifier, ...] = Field(default=(), strict=False, description="devices that do not train here")


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
