"""The weights a network starts with, from a run's folder: `weights/final.safetensors` (docs/design/rounds.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.network import Network, Shape

INTERFACE_KEY = "interface"
"""In the metadata of a safetensors file: `ModelInterface.to_json`."""
_HINT = "Give weights/final.safetensors of a run with this model."


def read_weights(path: Path, network: Network) -> Weights:
    """Weights as a run writes them -> per layer (W, outputs first; b [out]). Raises CompileError if they do not fit."""
    return named_weights(_arrays(path), network, str(path))


def named_weights(arrays: Mapping[str, FloatArray], network: Network, origin: str) -> Weights:
    """Weights by `layers.0.weight`, `layers.0.bias`, … -> per layer (W, outputs first; b [out]).

    origin: what they are, for messages. Raises CompileError if they do not fit.
    """
    shapes = [network.weight_shapes(index) for index in network.weighted]
    names = [(f"layers.{number}.weight", f"layers.{number}.bias") for number in range(len(shapes))]
    if set(arrays) != {name for pair in names for name in pair}:
        raise CompileError(f"{origin} has not the {len(shapes)} layers of network {network.name!r}.", _HINT)
    return [
        (_checked(origin, weight, arrays[weight], shape), _checked(origin, bias, arrays[bias], bias_shape))
        for (weight, bias), (shape, bias_shape) in zip(names, shapes, strict=True)
    ]


def read_interface(path: Path) -> ModelInterface | None:
    """What goes into and comes out of the model that the weights are of; None of a file that does not say.

    Raises: CompileError if the file cannot be read, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as opened:
            told = (opened.metadata() or {}).get(INTERFACE_KEY)
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except SafetensorError as error:
        raise CompileError(f"{path} is not a whole safetensors file.", _HINT) from error
    return None if told is None else ModelInterface.from_json(told)


def _arrays(path: Path) -> dict[str, FloatArray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(path.read_bytes()))
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise CompileError(f"{path} is not a whole safetensors file.", _HINT) from error


def _checked(origin: str, name: str, values: FloatArray, shape: Shape) -> FloatArray:
    if values.shape != shape or values.dtype.kind != "f" or not np.isfinite(values).all():
        found = f"{values.dtype} of shape {list(values.shape)}"
        raise CompileError(f"{origin}: {name} is {found}, the network has finite numbers of {list(shape)}.", _HINT)
    return values.astype(np.float64)
