"""The light description of a network: what a model of the zoo writes down and what the front ends produce."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from jaragua_compiler.errors import CompileError

Activation = Literal["relu", "linear"]
Loss = Literal["softmax_cross_entropy", "mean_squared_error"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
LARGEST_WIDTH = 65535  # jrg_model_info.inputs is a u16
LARGEST_DEPTH = 255  # A6: the number of layers is a u8
LARGEST_ERROR_WIDTH = 511  # A5.5: above it the sum of A5.7 would leave int32


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `units` outputs."""

    units: int
    activation: Activation = "linear"


@dataclass(frozen=True)
class Network:
    """A sequential network on a flat vector of `inputs` numbers.

    `output_range` is the largest magnitude of a regression's outputs and targets, in their own unit; a classifier
    ignores it (its logits have a fixed format, A2.5). Raises CompileError if the description makes no sense.
    """

    name: str
    inputs: int
    layers: tuple[Dense, ...]
    loss: Loss = "softmax_cross_entropy"
    output_range: float = 8.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        for problem, hint in _problems(self):
            raise CompileError(f"network {self.name!r}: {problem}.", hint)

    @property
    def outputs(self) -> int:
        """Numbers in the last layer's output."""
        return self.layers[-1].units

    @property
    def classifier(self) -> bool:
        """True if a target is one class label instead of `outputs` numbers."""
        return self.loss == "softmax_cross_entropy"

    @property
    def targets(self) -> int:
        """int16 numbers in one target: a label, or one number per output."""
        return 1 if self.classifier else self.outputs


def _problems(network: Network) -> list[tuple[str, str]]:
    """Everything wrong with a description as (problem, hint), the first thing to repair first."""
    problems = _frame_problems(network)
    for index, layer in enumerate(network.layers):
        problems += [(f"layer {index}: {problem}", hint) for problem, hint in _layer_problems(layer, index)]
    if not problems:
        problems += _head_problems(network)
    return problems


def _frame_problems(network: Network) -> list[tuple[str, str]]:
    problems = []
    if not isinstance(network.name, str) or not _NAME.fullmatch(network.name):
        problems.append(("its name is not an identifier", "Use 1 to 32 of a-z, 0-9 and '-', e.g. 'digits'."))
    if not _is_width(network.inputs, LARGEST_WIDTH):
        problems.append((f"it has {network.inputs!r} inputs", f"Give a whole number of inputs, 1 to {LARGEST_WIDTH}."))
    if not network.layers:
        problems.append(("it has no layer", "Give at least one Dense layer."))
    if len(network.layers) > LARGEST_DEPTH:
        problems.append((f"it has {len(network.layers)} layers", f"Use at most {LARGEST_DEPTH}."))
    if network.loss not in get_args(Loss):
        problems.append((f"unknown loss {network.loss!r}", f"Use one of: {', '.join(get_args(Loss))}."))
    if not 0 < network.output_range < float("inf"):
        problems.append((f"output_range is {network.output_range!r}", "Give the targets' largest magnitude, above 0."))
    return problems


def _layer_problems(layer: object, index: int) -> list[tuple[str, str]]:
    if not isinstance(layer, Dense):
        return [(f"{type(layer).__name__} is not a layer", "Use Dense(units, activation).")]
    largest = LARGEST_ERROR_WIDTH if index else LARGEST_WIDTH
    problems = []
    if not _is_width(layer.units, largest):
        problems.append((f"Dense has {layer.units!r} units", f"Give a whole number of units here, 1 to {largest}."))
    if layer.activation not in get_args(Activation):
        problems.append((f"unknown activation {layer.activation!r}", f"Use one of: {', '.join(get_args(Activation))}."))
    return problems


def _head_problems(network: Network) -> list[tuple[str, str]]:
    if network.layers[-1].activation != "linear":
        return [("the last layer has a ReLU", "End with a linear layer: the loss works on its raw outputs.")]
    if network.classifier and network.outputs < 2:
        return [("softmax cross-entropy with one output", "Use two outputs, or loss='mean_squared_error'.")]
    return []


def _is_width(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest
