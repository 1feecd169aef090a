"""ProtoReptile: devices learn features for prototypes; a new device enrols its samples without a gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from jaragua.errors import ConfigurationError
from jaragua.strategies.base import ClientWork, ModelProperties, Strategy


class ProtoReptile(Strategy):
    """Reptile's outer step over devices that train with prototypes as last layer (A12).

    In a round a device enrols `enrolled_shots` samples of each class: their mean features are the class's prototype
    (Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", 2017). On each of its other samples it
    takes one step of all layers below the last one, by the cross-entropy of the negative squared distances to the
    prototypes, which stay as they are. With `episode_queries` a pass is a row of episodes. Each enrols samples, takes
    such steps on so many others of each class, and then one step on each enrolled sample, by the gradient of the loss
    with respect to its prototype: the other half of the gradient of prototypical networks. φ ← φ + α_t (mean φ̂ - φ) as
    in TinyReptile. A new device enrols its support set, and with `refine_passes` takes that many passes of such steps
    over it and enrols it again. With `adapt_by_steps` it enrols nothing, and takes steps of all layers as after
    TinyReptile.
    """

    SUMMARY: ClassVar[str] = "features for prototypes: new devices enrol their samples without a gradient"
    PROTOTYPES: ClassVar[bool] = True
    OPTIONS: ClassVar[dict[str, float]] = {
        "enrolled_shots": 1,
        "episode_queries": 0,
        "temperature": 0.02,
        "refine_passes": 0,
        "adapt_by_steps": 0,
        "local_layers": 0,
    }

    @classmethod
    def own_options(cls, properties: ModelProperties) -> dict[str, float]:
        """Temperature, queries of an episode and how a new device adapts are the model's where it has its own."""
        names = "temperature", "refine_passes", "episode_queries", "adapt_by_steps"
        own = {name: getattr(properties, name) for name in names}
        return cls.OPTIONS | {name: value for name, value in own.items() if value}

    @classmethod
    def enrols(cls, options: Mapping[str, float]) -> bool:
        """Unless it takes steps."""
        return not options.get("adapt_by_steps", 0)

    def client_work(self, round_number: int) -> ClientWork:
        """Enrolment, and one step on each of the other samples."""
        return replace(
            super().client_work(round_number),
            temperature=self.option("temperature"),
            enrolled_shots=self.whole_option("enrolled_shots"),
            episode_queries=self.whole_option("episode_queries"),
            local_layers=self.whole_option("local_layers"),
        )

    def adaptation(self, work: ClientWork) -> ClientWork:
        """Enrolment of the whole support set, and the passes that refine; or the steps that are asked for."""
        if self._adapts_by_steps():
            return work
        passes = self.whole_option("refine_passes")
        return replace(work, passes=passes, temperature=self.option("temperature"), enrolled_shots=0, episode_queries=0)

    def _adapts_by_steps(self) -> bool:
        """Raises: ConfigurationError."""
        value = self.option("adapt_by_steps")
        if value not in (0, 1):
            raise ConfigurationError(f"adapt_by_steps is {value:g}, which is out of range", "0 and 1 are possible")
        return bool(value)
