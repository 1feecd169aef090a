"""Network -> graph: tensors and the operators between them, the form every front end ends in and the planner reads."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.network import Network


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
    """The graph of a sequential network."""
    sizes = [Tensor(network.inputs)]
    sizes += [Tensor(layer.units, rectified=layer.activation == "relu") for layer in network.layers]
    operators = [DenseOperator(input=index, output=index + 1) for index in range(len(network.layers))]
    return Graph(tensors=tuple(sizes), operators=tuple(operators))
