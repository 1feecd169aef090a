"""Network -> graph: tensors and the operators between them, the form every front end ends in and the planner reads."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.errors import CompileError
from jaragua_compiler.layers import ACTIVATION_NAMES
from jaragua_compiler.network import Dense, Network


@dataclass(frozen=True)
class Tensor:
    """An activation vector of `size` numbers; `rectified` if a ReLU made it (then 0 means: no error passes)."""

    size: int
    rectified: bool = False


@dataclass(frozen=True)
class DenseOperator:
    """outputs = W · inputs + bias, then ReLU if the tensor `output` is rectified. Tensors are indices."""

    input: int
    output: int


@dataclass(frozen=True)
class Graph:
    """Operators in the order of execution; tensor 0 is the network's input, the last one its output."""

    tensors: tuple[Tensor, ...]
    operators: tuple[DenseOperator, ...]

    def consumers(self, tensor: int) -> list[DenseOperator]:
        """The operators that read a tensor (A2.4: the narrowest decides its width)."""
        return [operator for operator in self.operators if operator.input == tensor]


def build_graph(network: Network) -> Graph:
    """The graph of a network. Raises CompileError for the first layer there is no operator for."""
    layers = [_dense(network, index) for index in range(len(network.layers))]
    tensors = [Tensor(network.input_size)]
    tensors += [Tensor(layer.units, rectified=layer.activation == "relu") for layer in layers]
    operators = [DenseOperator(input=index, output=index + 1) for index in range(len(layers))]
    return Graph(tensors=tuple(tensors), operators=tuple(operators))


def _dense(network: Network, index: int) -> Dense:
    """Layer number `index`, if a device can compute it."""
    layer = network.layers[index]
    if not isinstance(layer, Dense):
        raise _refusal(network, index, "the device has no kernel for it", "Dense")
    if layer.activation not in ("linear", "relu"):
        raise _refusal(network, index, f"the device has no {ACTIVATION_NAMES[layer.activation]}", "relu or linear")
    if network.operands(index) != (index,):
        raise _refusal(network, index, "it does not read the layer before it", "a chain of layers")
    if not layer.trainable:
        raise _refusal(network, index, "it is frozen, and the device trains every layer", "trainable=True")
    if network.weight_format(index) != "w16":
        raise _refusal(network, index, f"the device has no weights {network.weight_format(index)}", "weights='w16'")
    return layer


def _refusal(network: Network, index: int, reason: str, nearest: str) -> CompileError:
    place = f"network {network.name!r}: layer {index}, {type(network.layers[index]).__name__}"
    return CompileError(f"{place}: {reason}.", f"Nearest supported: {nearest}.")
