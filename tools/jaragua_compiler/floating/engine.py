"""Networks in float32 on the host: the baseline an integer engine is compared with, and the values to calibrate with.

One training step is plain stochastic gradient descent on one sample, as on a device (A5.8): forward, loss, the whole
backward pass with the weights as they were, then the update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.floating.layers import FloatLayer, Floats, FloatWeighted, unweighted_layer, weighted_layer
from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.graph.network import Network


class FloatStep(NamedTuple):
    """What one training step saw before it learned."""

    loss: float
    """Cross-entropy in nats, or the mean of the squared errors."""
    correct: bool
    """True if the largest output was the label; of a regression never."""


@dataclass(frozen=True)
class Trace:
    """All values of a forward pass over n samples."""

    tensors: list[Floats]
    """One array [n, ...] per tensor of the network: its input, then each layer's output."""
    before_activation: list[Floats]
    """One array per layer: its values before its activation."""


class FloatEngine:
    """A network and its weights in floating point (float32 if nothing else is asked for)."""

    def __init__(self, network: Network, weights: Weights, dtype: npt.DTypeLike = np.float32) -> None:
        """weights: per layer with weights (W, b). Raises CompileError if their shapes do not fit the network."""
        _check_weights(network, weights)
        self.network = network
        self._dtype = np.dtype(dtype)
        pairs = iter([(np.array(matrix, self._dtype), np.array(bias, self._dtype)) for matrix, bias in weights])
        self._layers: list[FloatLayer] = [
            weighted_layer(network, index, next(pairs))
            if index in network.weighted
            else unweighted_layer(network, index)
            for index in range(len(network.layers))
        ]

    @property
    def weights(self) -> Weights:
        """Per layer with weights a copy of (W, b), in float64."""
        return [
            (layer.weights.astype(np.float64), layer.biases.astype(np.float64)) for layer in self._weighted_layers()
        ]

    @property
    def gradients(self) -> Weights:
        """Per layer with weights the gradients (W, b) of the last training step's loss, in float64."""
        return [
            (layer.gradients[0].astype(np.float64), layer.gradients[1].astype(np.float64))
            for layer in self._weighted_layers()
        ]

    @property
    def step(self) -> Weights:
        """The gradients, 0 for layers that do not train: what a step moves against."""
        learns = [layer.trains for layer in self._weighted_layers()]
        return [(matrix * moves, bias * moves) for (matrix, bias), moves in zip(self.gradients, learns, strict=True)]

    def forward(self, samples: npt.ArrayLike) -> Floats:
        """Outputs [n, outputs] (logits of a classifier) of samples [n, inputs] or [n, height, width, channels]."""
        return self.trace(samples).tensors[-1]

    def trace(self, samples: npt.ArrayLike) -> Trace:
        """All values of a forward pass. Raises CompileError if the samples do not fit the network."""
        tensors = [_shaped(self.network, np.asarray(samples, self._dtype))]
        for index, layer in enumerate(self._layers):
            tensors.append(layer.forward(*(tensors[tensor] for tensor in self.network.operands(index))))
        return Trace(tensors, [layer.before_activation for layer in self._layers])

    def train_step(
        self, sample: npt.ArrayLike, target: npt.ArrayLike, rate: float, loss_threshold: float = 0
    ) -> FloatStep:
        """One step on one sample [inputs]; target: a class label, or the numbers of a regression [outputs].

        A sample whose loss is below `loss_threshold` makes no update (A11.8): `gradients` are then of an earlier one.
        """
        outputs = self.forward(np.asarray(sample, self._dtype)[None])
        step, error = self._loss(outputs, np.asarray(target))
        if step.loss < loss_threshold:
            return step
        self._learn({len(self._layers): error}, rate)
        return step

    def features_step(self, sample: npt.ArrayLike, error: npt.ArrayLike, rate: float) -> None:
        """One step of the layers below the last one on one sample [inputs], by the error of its features (A12.10).

        error: the gradient of the loss with respect to the last layer's input [features].
        """
        self.forward(np.asarray(sample, self._dtype)[None])
        last = len(self._layers) - 1
        self._learn({self.network.operands(last)[0]: np.asarray(error, self._dtype)[None]}, rate, last)

    def _loss(self, outputs: Floats, target: npt.NDArray[Any]) -> tuple[FloatStep, Floats]:
        """The loss of one sample's outputs [1, outputs] and its gradient."""
        if not self.network.classifier:
            error = outputs - target.astype(self._dtype).reshape(1, -1)
            return FloatStep(float(np.mean(error * error)), False), error * self._dtype.type(2 / error.size)
        label = int(target.item())
        powers = np.exp(outputs - outputs.max())
        error = powers / powers.sum()
        loss = math.log(float(powers.sum())) + float(outputs.max() - outputs[0, label])
        error[0, label] -= 1
        return FloatStep(loss, int(outputs.argmax()) == label), error

    def _learn(self, errors: dict[int, Floats], rate: float, above: int | None = None) -> None:
        """The way back and a step. errors: by tensor; above: the number of the first layer that has no part in it."""
        layers = self._layers[:above]
        self._backward(errors, len(layers))
        for layer in layers:
            if isinstance(layer, FloatWeighted) and layer.trains:
                layer.step(rate)

    def _backward(self, errors: dict[int, Floats], layers: int) -> None:
        for index in reversed(range(layers)):
            if not self.network.needs_error[index + 1]:
                continue
            below = self._layers[index].backward(errors.pop(index + 1))
            for tensor, values in zip(self.network.operands(index), below, strict=False):
                errors[tensor] = errors[tensor] + values if tensor in errors else values

    def _weighted_layers(self) -> list[FloatWeighted]:
        return [layer for layer in self._layers if isinstance(layer, FloatWeighted)]


def activations(network: Network, weights: Weights, samples: npt.ArrayLike) -> list[Floats]:
    """The values [n, ...] of every tensor over n samples, in float64: what ranges are estimated from (A2.6)."""
    return FloatEngine(network, weights, np.float64).trace(samples).tensors


def _shaped(network: Network, samples: Floats) -> Floats:
    """Samples [n, ...] in the shape of the network's input."""
    shape = network.shapes[0]
    if samples.ndim < 2 or samples.shape[1:] not in ((network.input_size,), shape):
        raise CompileError(
            f"network {network.name!r}: its samples have the shape {samples.shape}.",
            f"Give [n, {network.input_size}].",
        )
    return samples.reshape(len(samples), *shape)


def _check_weights(network: Network, weights: Weights) -> None:
    found = [(np.shape(matrix), np.shape(bias)) for matrix, bias in weights]
    wanted = [network.weight_shapes(index) for index in network.weighted]
    if found != wanted:
        raise CompileError(
            f"network {network.name!r}: its weights have the shapes {found}.", f"Give the shapes {wanted}."
        )
