"""What a model's description says (S3): the network, its builds, and what was measured. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from jaragua import __version__
from jaragua.semantics.models.builds import Build, builds_of
from jaragua.semantics.models.figures import Figures, known_figures
from jaragua_compiler.graph.network import Network
from jaragua_compiler.planning.operators import ConvPlan, DensePlan, DepthwisePlan, OperatorPlan
from jaragua_compiler.planning.plan import plan
from jaragua_models.base import Model

NOTHING_COUNTED = Figures()


@dataclass(frozen=True)
class Measured:
    """A figure of held-out tasks: `metric` is accuracy or mse, the interval 95 %, over `seeds` seeds."""

    metric: str
    value: float
    low: float
    high: float
    seeds: int
    strategy: str = ""


@dataclass(frozen=True)
class LayerFacts:
    """One layer: its kind, activation, shapes, and the format of its weights ("" without weights)."""

    kind: str
    activation: str
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    weights: str


@dataclass(frozen=True)
class ModelDescription:
    """Everything a description says. architecture: hexadecimal (A6.2), of the model's own build."""

    name: str
    architecture: str
    summary: str
    classifier: bool
    multiply_accumulates: int
    layers: tuple[LayerFacts, ...]
    builds: tuple[Build, ...]
    version: str = __version__
    data_set: str = ""
    sensors: tuple[str, ...] = ()
    samples: str = ""
    compiler: str = ""
    measured: tuple[Measured, ...] = field(default=())


def describe_model(model: Model, *, of_the_zoo: bool, measured: Sequence[Measured] = ()) -> ModelDescription:
    """The description of a model. of_the_zoo: instructions that were counted on the zoo's networks are its own."""
    figures = known_figures() if of_the_zoo else NOTHING_COUNTED
    found = describe_network(model.network, model.name, model.summary, figures)
    return replace(found, data_set=model.data_set, sensors=model.sensors, measured=tuple(measured))


def describe_network(
    network: Network, name: str, summary: str = "", figures: Figures = NOTHING_COUNTED
) -> ModelDescription:
    """The description of a network under a model's name."""
    compiled = plan(network)
    builds = [replace(one, counted=figures.estimated(name, one.key)) for one in builds_of(network)]
    counted = any(one.counted for one in builds)
    return ModelDescription(
        name=name,
        architecture="" if network.frozen else compiled.architecture.hex(),
        summary=summary,
        classifier=network.classifier,
        multiply_accumulates=sum(multiply_accumulates(step) for step in compiled.steps),
        layers=tuple(_layer(network, index) for index in range(len(network.layers))),
        builds=tuple(builds),
        samples=figures.samples.get(name, "") if counted else "",
        compiler=figures.compiler if counted else "",
    )


def multiply_accumulates(step: OperatorPlan) -> int:
    """Of one inference; a border that holds no input counts as if it did."""
    if isinstance(step, DensePlan):
        return step.inputs * step.outputs
    if isinstance(step, DepthwisePlan):
        return step.positions * step.channels * math.prod(step.geometry.kernel)
    return step.positions * step.inputs * step.outputs if isinstance(step, ConvPlan) else 0


def _layer(network: Network, index: int) -> LayerFacts:
    layer = network.layers[index]
    return LayerFacts(
        kind=type(layer).__name__,
        activation=str(getattr(layer, "activation", "linear")),
        shape_in=network.shapes[network.operands(index)[0]],
        shape_out=network.shapes[index + 1],
        weights=network.weight_format(index) if index in network.weighted else "",
    )
