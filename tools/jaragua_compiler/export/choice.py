"""What of a network is the user's choice: the format of its weights, and which layers train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.network import Layer, Network, WeightedLayer, WeightFormat
from jaragua_compiler.planning.channel_list import ChannelList, read_channels
from jaragua_compiler.planning.channel_order import Orders, channel_orders
from jaragua_compiler.planning.plan import Plan, plan, with_prototypes

ALL, LAST, AUTO = "all", "last", "auto"


@dataclass(frozen=True)
class Choice:
    """`weights` of every layer that trains, `train`: "all", "last", "auto" (what fits, fit.py), or numbers of layers as
    "0,2", each with all its channels or those of a list, as "0:8,2" or "0:0-3+7+9,2". None: as the network says.
    `prototypes`: the classes that the C has room to recognise by prototypes (A12); None: it does not do that.
    `episodes`: enrolled samples can teach, too (A12.10).
    """

    weights: WeightFormat | None = None
    train: str | None = None
    prototypes: int | None = None
    episodes: bool = False


def planned(network: Network, choice: Choice) -> Plan:
    """The plan of a network under a choice, its frozen weights not filled in. Raises CompileError if it cannot be.

    Its channels are in the order of `orders`.
    """
    compiled = plan(_training(_stored(network, choice.weights), choice.train))
    orders(network, choice)
    return compiled if choice.prototypes is None else with_prototypes(compiled, choice.prototypes, choice.episodes)


def orders(network: Network, choice: Choice) -> Orders:
    """The order of channels in which those of the choice are the first (A10.7). Raises CompileError if none is."""
    chosen = {} if choice.train is None else _chosen_layers(network, choice.train)
    return channel_orders(network, {layer: channels for layer, channels in chosen.items() if channels is not None})


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
    layers = _changed(network, lambda index, layer: _with_channels(layer, index in chosen, chosen.get(index)))
    return replace(network, layers=layers)


def _with_channels(layer: WeightedLayer, trains: bool, channels: ChannelList | None) -> WeightedLayer:
    return replace(layer, trainable=trains, trained_channels=None if channels is None else len(channels))


def _changed(network: Network, change: Callable[[int, WeightedLayer], WeightedLayer]) -> tuple[Layer, ...]:
    return tuple(
        change(index, layer) if isinstance(layer, WeightedLayer) else layer
        for index, layer in enumerate(network.layers)
    )


def _chosen_layers(network: Network, train: str) -> dict[int, ChannelList | None]:
    """Per layer that learns its channels that do (None: all)."""
    words: dict[str, tuple[int, ...]] = {ALL: network.weighted, LAST: network.weighted[-1:]}
    if train in words:
        return dict.fromkeys(words[train])
    chosen: dict[int, ChannelList | None] = {}
    for word in train.split(","):
        layer, channels = _chosen_layer(network, word.strip())
        if layer in chosen:
            raise CompileError(
                f"network {network.name!r}: layer {layer} is named twice to train.",
                "Name it once; + joins its channels, as in 0-3+7.",
            )
        chosen[layer] = channels
    return chosen


def _chosen_layer(network: Network, word: str) -> tuple[int, ChannelList | None]:
    """`4`, or `4:8`, `4:0-3+7` for some output channels of layer 4."""
    known, last = ", ".join(map(str, network.weighted)), network.weighted[-1]
    layer, colon, channels = word.partition(":")
    if not layer.isdecimal() or int(layer) not in network.weighted:
        hint = f"Give all, last, auto, or layers with weights, as in --train {last}; there are: {known}."
        raise CompileError(f"network {network.name!r} has no layer {word!r} to train.", hint)
    if not colon:
        return int(layer), None
    rows = network.weight_shapes(int(layer))[1][0]
    return int(layer), read_channels(channels, f"network {network.name!r}: layer {int(layer)}", rows)
