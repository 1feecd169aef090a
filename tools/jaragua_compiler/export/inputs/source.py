"""What a folder tells of the model it was made from, beside network and weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.graph.sample_layout import SampleLayout

StartWeights = Literal["file", "random", "start"]
"""Those of the model file; random ones, from a fixed seed; those of --start."""


@dataclass(frozen=True)
class TrainingDefaults:
    """The numbers a model of the zoo is trained with where nobody says another (docs/reference/tasks.md)."""

    learning_rate: float
    ways: int
    shots: int
    passes: int
    training_passes: int


@dataclass(frozen=True)
class Source:
    """`samples`: how those of a model file lie; None for a model of the zoo, whose samples are the network's inputs.

    `defaults` are None for a model file, which has none; `interface` is that of one's own data.
    """

    weights: StartWeights = "file"
    samples: SampleLayout | None = None
    defaults: TrainingDefaults | None = None
    interface: ModelInterface | None = None

    @property
    def transposed(self) -> bool:
        """True if the network reads its input in another order than that of the model file."""
        return self.samples is not None and self.samples.strides is not None

    def facts(self) -> dict[str, Any]:
        """For jaragua.json, which has columns and classes beside them."""
        defaults = None if self.defaults is None else asdict(self.defaults)
        told = None if self.interface is None else self.interface.facts()
        data = None if told is None else {name: told[name] for name in ("kind", "front_end")}
        return {"weights": self.weights, "samples": self._sample_facts(), "defaults": defaults, "data": data}

    def _sample_facts(self) -> dict[str, Any] | None:
        if self.samples is None:
            return None
        strides = None if self.samples.strides is None else list(self.samples.strides)
        return {"shape": list(self.samples.shape), "inputs": list(self.samples.inputs), "strides": strides}
