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
    "0,2", each with the number of its first channels that do, as "0:8,2", or all. None: as the network says.
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
    """The network with the layers, or channels, of `train` learning and all others frozen."""
    if train is None:
        return network
    chosen = _chosen_layers(network, train)
    layers = _changed(
        network,
        lambda index, layer: replace(layer, trainable=index in chosen, trained_channels=chosen.get(index)),
    )
    return replace(network, layers=layers)


def _changed(network: Network, change: Callable[[int, WeightedLayer], WeightedLayer]) -> tuple[Layer, ...]:
    return tuple(
        change(index, layer) if isinstance(layer, WeightedLayer) else layer
        for index, layer in enumerate(network.layers)
    )


def _chosen_layers(network: Network, train: str) -> dict[int, int | None]:
    """Per layer that learns, how many of its channels (None: all)."""
    words: dict[str, tuple[int, ...]] = {ALL: network.weighted, LAST: network.weighted[-1:]}
    if train in words:
        return dict.fromkeys(words[train])
    return dict(_chosen_layer(network, word.strip()) for word in train.split(","))


def _chosen_layer(network: Network, word: str) -> tuple[int, int | None]:
    """`4`, or `4:8` for the first 8 output channels of layer 4."""
    known, last = ", ".join(map(str, network.weighted)), network.weighted[-1]
    layer, colon, channels = word.partition(":")
    if not layer.isdecimal() or int(layer) not in network.weighted:
        hint = f"Give all, last, auto, or layers with weights, as in --train {last}; there are: {known}."
        raise CompileError(f"network {network.name!r} has no layer {word!r} to train.", hint)
    rows = network.weight_shapes(int(layer))[1][0]
    if not colon:
        return int(layer), None
    if not channels.isdecimal() or not 1 <= int(channels) <= rows:
        reason = f"{channels!r} is no number of channels of layer {layer}, which has {rows}"
        raise CompileError(f"network {network.name!r}: {reason}.", f"Give 1 to {rows}, as in --train {layer}:{rows}.")
    return int(layer), int(channels)
