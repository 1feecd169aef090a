"""A network over TensorFlow variables as the functions that become LiteRT's signatures."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.graph.network import Network
from jaragua_compiler.litert.traced_layers import TracedLayer, TracedWeighted, unweighted_layer, weighted_layer

Tensor = Any


class TracedNetwork:
    """The functions of a network; each call traces it anew over the same variables. One step is that of FloatEngine."""

    def __init__(self, network: Network, weights: Weights) -> None:
        """weights: per layer with weights (W, b), where the variables start."""
        self._network = network
        self.variables = [tf.Variable(part, dtype=tf.float32) for pair in weights for part in pair]

    def infer(self, x: Tensor) -> dict[str, Tensor]:
        """Outputs [1, outputs] of one sample x [1, inputs]."""
        return {"outputs": _forward(self._network, self._layers(), x)}

    def evaluate(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Loss and whether the sample is right; y as in `train`."""
        return self._evaluate(_forward(self._network, self._layers(), x), y)[0]

    def train(self, x: Tensor, y: Tensor, rate: Tensor) -> dict[str, Tensor]:
        """One step on one sample. y: a label int32 [1], or the numbers of a regression [1, outputs]; rate: [1]."""
        layers = self._layers()
        result, error = self._evaluate(_forward(self._network, layers, x), y)
        _backward(self._network, layers, error)
        for layer in layers:
            if isinstance(layer, TracedWeighted) and layer.trains:
                layer.step(rate)
        return result

    def save(self) -> dict[str, Tensor]:
        """All weights as one vector float32 [parameters], in the order of M9."""
        return {"weights": tf.concat([tf.reshape(one, [-1]) for one in self.variables], axis=0)}

    def restore(self, weights: Tensor) -> dict[str, Tensor]:
        """Set all weights from the vector of `save`; gives back how many there are."""
        start = 0
        for variable in self.variables:
            end = start + math.prod(variable.shape)
            variable.assign(tf.reshape(weights[start:end], variable.shape))
            start = end
        return {"count": tf.size(weights)}

    def _layers(self) -> list[TracedLayer]:
        variables = iter(self.variables)
        return [
            weighted_layer(self._network, index, next(variables), next(variables))
            if index in self._network.weighted
            else unweighted_layer(self._network, index)
            for index in range(len(self._network.layers))
        ]

    def _evaluate(self, outputs: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        loss_of = _cross_entropy if self._network.classifier else _squared_error
        loss, correct, error = loss_of(outputs, y)
        return {"loss": loss, "correct": correct}, error


def _forward(network: Network, layers: list[TracedLayer], x: Tensor) -> Tensor:
    """The output of the last layer."""
    tensors = [tf.reshape(x, [1, *network.shapes[0]])]
    for index, layer in enumerate(layers):
        tensors.append(layer.forward(*(tensors[tensor] for tensor in network.operands(index))))
    return tensors[-1]


def _backward(network: Network, layers: list[TracedLayer], error: Tensor) -> None:
    """Every layer that learns has its gradients."""
    errors: dict[int, Tensor] = {len(layers): error}
    for index in reversed(range(len(layers))):
        if not network.needs_error[index + 1]:
            continue
        below = layers[index].backward(errors.pop(index + 1))
        for tensor, values in zip(network.operands(index), below, strict=False):
            errors[tensor] = errors[tensor] + values if tensor in errors else values


def _cross_entropy(outputs: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss in nats, 1 if the largest output is the label's, and the error of the outputs."""
    largest = tf.reduce_max(outputs)
    powers = tf.exp(outputs - largest)
    total = tf.reduce_sum(powers)
    wanted = tf.one_hot(label, outputs.shape[1], dtype=tf.float32)
    loss = tf.math.log(total) + largest - tf.reduce_sum(outputs * wanted)
    correct = tf.cast(tf.equal(tf.argmax(outputs, axis=1, output_type=tf.int32), label), tf.int32)
    return loss, correct[0], powers / total - wanted


def _squared_error(outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean of the squared errors, 0, and the error of the outputs."""
    error = outputs - target
    return tf.reduce_mean(error * error), tf.constant(0), error * (2.0 / outputs.shape[1])
