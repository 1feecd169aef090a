"""What of a network is the user's choice: the format of its weights, and which layers train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaragua_compiler.errors import CompileError
from jaragua_compiler.network import Layer, Network, WeightedLayer, WeightFormat
from jaragua_compiler.plan import Plan, plan
from jaragua_compiler.plan_operators import WeightedPlan

ALL, LAST, AUTO = "all", "last", "auto"


@dataclass(frozen=True)
class Choice:
    """`weights` of every layer that trains, `train`: "all", "last", "auto" (what fits, fit.py), or numbers of layers as
    "0,2". None: as the network says.
    """

    weights: WeightFormat | None = None
    train: str | None = None


def planned(network: Network, choice: Choice) -> Plan:
    """The plan of a network under a choice, its frozen weights not filled in. Raises CompileError if it cannot be."""
    compiled = plan(_training(_stored(network, choice.weights), choice.train))
    for layer in compiled.layers:
        _require(compiled, layer)
    return compiled


def _require(compiled: Plan, layer: WeightedPlan) -> None:
    """A plan that quietly does something else than the network says would be worse than none."""
    network = compiled.network
    index = network.weighted[layer.index]
    place = f"network {network.name!r}: layer {index}, {type(network.layers[index]).__name__}"
    if network.weight_format(index) != layer.weight_format:
        formats = f"the device has no {network.weight_format(index)} weights for it"
        raise CompileError(f"{place}: {formats}.", f"Nearest supported: {layer.weight_format}.")


def _stored(network: Network, weights: WeightFormat | None) -> Network:
    """The network with all its weights in one format."""
    if weights is None:
        return network
    layers = _changed(network, lambda index, layer: replace(layer, weights=None))
    return replace(network, layers=layers, weights=weights)


def _training(network: Network, train: str | None) -> Network:
    """The network with the layers of `train` learning and all others frozen."""
    if train is None:
        return network
    chosen = _chosen_layers(network, train)
    return replace(network, layers=_changed(network, lambda index, layer: replace(layer, trainable=index in chosen)))


def _changed(network: Network, change: Callable[[int, WeightedLayer], WeightedLayer]) -> tuple[Layer, ...]:
    return tuple(
        change(index, layer) if isinstance(layer, WeightedLayer) else layer
        for index, layer in enumerate(network.layers)
    )


def _chosen_layers(network: Network, train: str) -> set[int]:
    words: dict[str, tuple[int, ...]] = {ALL: network.weighted, LAST: network.weighted[-1:]}
    if train in words:
        return set(words[train])
    known = ", ".join(map(str, network.weighted))
    hint = f"Give all, last, auto, or layers with weights, as in --train {network.weighted[-1]}; there are: {known}."
    chosen = set()
    for word in train.split(","):
        if not word.strip().isdecimal() or int(word) not in network.weighted:
            raise CompileError(f"network {network.name!r} has no layer {word.strip()!r} to train.", hint)
        chosen.add(int(word))
    return chosen
