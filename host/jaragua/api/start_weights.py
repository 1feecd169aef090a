"""Weights to begin with, in each form that Python code may have them: a result, a safetensors file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler import Network
from jaragua_compiler.export import named_weights, read_weights
from jaragua_compiler.graph.initial_weights import Weights

NamedWeights: TypeAlias = Mapping[str, NDArray[np.float64]]


@runtime_checkable
class HasWeights(Protocol):
    """A `Result`."""

    @property
    def weights(self) -> Any:
        """`layers.0.weight`, `layers.0.bias`, …"""
        ...


StartWeights: TypeAlias = HasWeights | str | os.PathLike[str]


def weights_of(start: StartWeights, network: Network) -> Weights:
    """Per layer (W, outputs first; b [out]), float64. Raises: CompileError if they are not of that network."""
    if isinstance(start, HasWeights):
        return named_weights(start.weights, network, "the result")
    return read_weights(Path(start), network)
