"""Channels in another order, so that those that learn are a layer's first ones (A10.7). Pure.

Kernels know only "the first k rows learn". Any other k channels are put first when a network is compiled: rows of that
layer change places, and so do the inputs of all that read it. What a network computes stays, and so do the order of its
inputs and that of its outputs; nothing of it is left to do on the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.network import Conv2D, Dense, Network
from jaragua_compiler.planning.channel_list import ChannelList, write_channels

Orders = Mapping[int, ChannelList]
"""Of each tensor (network.py) that is reordered: which channel of the model stands at each place.

Of a flattened image they are the image's channels, in the same order at each of its pixels.
"""
_INPUT = 0


@dataclass(frozen=True)
class LayerOrder:
    """What is where in the weights of a layer: per row, and per input channel, that of the model; () as it was."""

    rows: ChannelList
    inputs: ChannelList


def channel_orders(network: Network, chosen: Mapping[int, ChannelList]) -> Orders:
    """The orders in which the chosen channels (layer -> rising numbers) are the first of their layers.

    Raises CompileError, with the layer and what comes nearest, where no order does that.
    """
    orders: dict[int, ChannelList] = {}
    for group in _groups(network):
        layers = [tensor - 1 for tensor in group if tensor - 1 in chosen]
        order = _order(network, {layer: chosen[layer] for layer in layers}, _channels(network)[group[0]])
        if order != tuple(range(len(order))):
            _require_free(network, group, chosen)
            orders |= dict.fromkeys(group, order)
    return orders


def reordered(network: Network, weights: Weights, orders: Orders) -> Weights:
    """Weights (W, b) of each layer with its rows and inputs in those orders."""
    return [
        _reordered(network, index, matrix, bias, layer_order(network, index, orders))
        for index, (matrix, bias) in zip(network.weighted, weights, strict=True)
    ]


def layer_order(network: Network, index: int, orders: Orders) -> LayerOrder:
    """The order of the weights of layer number `index`. A depthwise convolution has no inputs but its rows' own."""
    has_inputs = isinstance(network.layers[index], Dense | Conv2D)
    return LayerOrder(orders.get(index + 1, ()), orders.get(network.operands(index)[0], ()) if has_inputs else ())


def layer_orders(network: Network, orders: Orders) -> dict[int, LayerOrder]:
    """The order of each layer with weights that is not as it was."""
    found = {index: layer_order(network, index, orders) for index in network.weighted}
    return {index: order for index, order in found.items() if order.rows or order.inputs}


def _reordered(
    network: Network, index: int, matrix: FloatArray, bias: FloatArray, order: LayerOrder
) -> tuple[FloatArray, FloatArray]:
    if order.rows:
        matrix, bias = matrix[list(order.rows)], bias[list(order.rows)]
    if order.inputs:  # the last axis, or of a flattened image its innermost part
        by_channel = matrix.reshape(*matrix.shape[:-1], -1, len(order.inputs))
        matrix = by_channel[..., list(order.inputs)].reshape(matrix.shape)
    return np.array(matrix), np.array(bias)


def _channels(network: Network) -> list[int]:
    """Per tensor its channels: of a flattened image those of the image."""
    channels = [network.shapes[_INPUT][-1]]
    for index, layer in enumerate(network.layers):
        makes_own = isinstance(layer, Dense | Conv2D)
        channels.append(network.shapes[index + 1][-1] if makes_own else channels[network.operands(index)[0]])
    return channels


def _groups(network: Network) -> list[list[int]]:
    """Tensors whose channels have one order: all layers but dense ones and convolutions keep that of what they read."""
    group_of = [{_INPUT}]
    for index, layer in enumerate(network.layers):
        read = () if isinstance(layer, Dense | Conv2D) else network.operands(index)
        group = {index + 1}.union(*(group_of[tensor] for tensor in read))
        group_of.append(group)
        for tensor in group:
            group_of[tensor] = group
    return [sorted(group) for tensor, group in enumerate(group_of) if tensor == min(group)]


def _order(network: Network, chosen: Mapping[int, ChannelList], count: int) -> ChannelList:
    """Of layers that share an order: the fewest channels first, then what the next layer has more, then the rest."""
    by_size = sorted(chosen, key=lambda layer: len(chosen[layer]))
    for one, other in pairwise(by_size):
        if not set(chosen[one]) <= set(chosen[other]):
            raise _apart(network, chosen, min(one, other), max(one, other))
    order = dict.fromkeys(channel for layer in by_size for channel in chosen[layer])
    return tuple(order | dict.fromkeys(range(count)))


def _apart(network: Network, chosen: Mapping[int, ChannelList], one: int, other: int) -> CompileError:
    both = write_channels(sorted({*chosen[one], *chosen[other]}))
    return CompileError(
        f"{_place(network, other)}: an Add joins it to layer {one}, so their channels have one order, in which "
        f"{write_channels(chosen[one])} of layer {one} and {write_channels(chosen[other])} of layer {other} are not "
        "both the first ones.",
        f"Nearest supported: channels of one layer that are all among those of the other, e.g. {one}:{both},"
        f"{other}:{both}.",
    )


def _require_free(network: Network, group: list[int], chosen: Mapping[int, ChannelList]) -> None:
    """Some orders are not ours to change."""
    reason = _fixed(network, group)
    if reason is None:
        return
    layer = next(tensor - 1 for tensor in group if not _come_first(chosen.get(tensor - 1, ())))
    channels = chosen[layer]
    raise CompileError(
        f"{_place(network, layer)}: its channels {write_channels(channels)} cannot be put first: {reason}.",
        f"Nearest supported: its first channels, as {layer}:{channels[-1] + 1}, or all of it, as {layer}.",
    )


def _fixed(network: Network, group: list[int]) -> str | None:
    """Why tensors must keep their order, if they must."""
    if len(network.layers) in group:
        return "their order is that of the network's outputs"
    if _INPUT in group:
        return "an Add joins them to the network's inputs, which come in their own order"
    if len({_channels(network)[tensor] for tensor in group}) > 1:
        return "an Add joins them to a flattened image of other channels"
    return None


def _come_first(channels: ChannelList) -> bool:
    return channels == tuple(range(len(channels)))


def _place(network: Network, layer: int) -> str:
    return f"network {network.name!r}: layer {layer}, {type(network.layers[layer]).__name__}"
