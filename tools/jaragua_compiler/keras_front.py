"""Front end for Keras 3: a Sequential or linear functional model, or a `.keras` file -> Network and weights.

Dense layers with ReLU or linear activation are taken as they are; a ReLU or Activation layer behind a Dense becomes
its activation; a softmax at the end becomes part of the loss; InputLayer, Flatten and Dropout leave no trace (a device
trains without dropout). Everything else is refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.initial import FloatArray, Weights
from jaragua_compiler.keras_archive import KerasConfig, KerasWeights, layer_configs, read_archive
from jaragua_compiler.network import ActivationKind, Dense, Loss, Network

_CROSS_ENTROPY = {"sparse_categorical_crossentropy", "categorical_crossentropy"}
_SQUARED_ERROR = {"mse", "mean_squared_error"}
_SUPPORTED = "InputLayer, Dense, ReLU, Activation, Softmax, Flatten and Dropout"


@dataclass
class _Chain:
    """What the layers read so far amount to."""

    weights: KerasWeights
    inputs: int | None = None
    flat: bool = True
    layers: list[Dense] = field(default_factory=list)
    values: Weights = field(default_factory=list)
    softmax: bool = False


def from_keras(model: Any, loss: Loss | None = None) -> tuple[Network, Weights]:
    """A Keras 3 model, or the path of a `.keras` file -> (Network, per layer (W [out, in], b [out])).

    `loss` overrides the one the model was compiled with. Raises CompileError that names the layer, says why it cannot
    be taken, and what comes nearest to it.
    """
    if isinstance(model, str | Path):
        config, weights = read_archive(Path(model))
        return _convert(_identifier(Path(model).stem), config, weights, loss)
    if not all(hasattr(model, name) for name in ("layers", "get_config", "name")):
        raise CompileError(f"{type(model).__name__} is neither a Keras 3 model nor the path of a .keras file.")
    weights = {
        layer.name: [np.asarray(value, dtype=np.float64) for value in layer.get_weights()] for layer in model.layers
    }
    return _convert(_identifier(str(model.name)), _object_config(model), weights, loss)


def _object_config(model: Any) -> KerasConfig:
    """A model object in the form of config.json."""
    compiled: KerasConfig = getattr(model, "get_compile_config", dict)() or {}
    return {"class_name": type(model).__name__, "config": model.get_config(), "compile_config": compiled}


def _convert(name: str, config: KerasConfig, weights: KerasWeights, loss: Loss | None) -> tuple[Network, Weights]:
    layers = layer_configs(config)
    _check_linear(layers)
    _check_output(config, layers)
    chain = _Chain(weights)
    for layer in layers:
        _take(chain, layer)
    if not chain.layers or chain.inputs is None:
        raise CompileError("the Keras model has no Dense layer.", "Give it at least one.")
    network = Network(name, chain.inputs, tuple(chain.layers), loss or _loss(config, chain.softmax))
    if chain.softmax and not network.classifier:
        raise _refusal(layers[-1], "a softmax does not go with the mean squared error", "a linear output")
    return network, chain.values


def _take(chain: _Chain, layer: KerasConfig) -> None:
    takers: dict[str, Callable[[_Chain, KerasConfig], None]] = {
        "InputLayer": _take_input,
        "Flatten": _take_flatten,
        "Dropout": _take_nothing,
        "Dense": _take_dense,
        "ReLU": _take_relu,
        "Activation": _take_activation,
        "Softmax": _take_softmax,
    }
    taker = takers.get(str(layer.get("class_name")))
    if taker is None or not str(layer.get("module")).startswith("keras"):
        raise _refusal(layer, "there is no kernel for it", f"a network of {_SUPPORTED}")
    if chain.softmax and taker is not _take_nothing:
        raise _refusal(layer, "it stands behind a softmax", "the softmax as the last layer")
    taker(chain, layer)


def _take_nothing(chain: _Chain, layer: KerasConfig) -> None:
    """A layer that changes nothing when a network is used."""


def _take_input(chain: _Chain, layer: KerasConfig) -> None:
    shape = layer["config"].get("batch_shape") or layer["config"].get("batch_input_shape") or [None, None]
    if any(not isinstance(size, int) for size in shape[1:]) or len(shape) < 2:
        raise _refusal(layer, f"its shape {shape} is not fixed", "Input(shape=(n,)) with a number")
    chain.inputs = math.prod(shape[1:])
    chain.flat = len(shape) == 2


def _take_flatten(chain: _Chain, layer: KerasConfig) -> None:
    chain.flat = True


def _take_dense(chain: _Chain, layer: KerasConfig) -> None:
    kernel, bias = _dense_weights(chain, layer)
    if not chain.flat:
        raise _refusal(layer, "its input is not a flat vector", "a Flatten layer before it")
    if (chain.layers[-1].units if chain.layers else chain.inputs or kernel.shape[0]) != kernel.shape[0]:
        raise _refusal(layer, f"its kernel {kernel.shape} does not fit the layer before", "the model saved again")
    chain.inputs = chain.inputs or kernel.shape[0]
    chain.layers.append(Dense(kernel.shape[1]))
    chain.values.append((kernel.T.copy(), bias))
    _apply(chain, layer, layer["config"].get("activation"))


def _dense_weights(chain: _Chain, layer: KerasConfig) -> tuple[FloatArray, FloatArray]:
    if not layer["config"].get("use_bias", True):
        raise _refusal(layer, "it has no bias, and a device trains one", "Dense(..., use_bias=True)")
    values = chain.weights.get(layer["config"]["name"], [])
    if len(values) != 2 or values[0].ndim != 2 or values[1].shape != values[0].shape[1:]:
        shapes = [value.shape for value in values]
        raise _refusal(layer, f"it has the weights {shapes}, not a kernel and a bias", "a model that was built")
    return values[0], values[1]


def _take_relu(chain: _Chain, layer: KerasConfig) -> None:
    plain = {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}
    found = {key: layer["config"].get(key, value) for key, value in plain.items()}
    if any(found[key] != value and found[key] is not None for key, value in plain.items()):
        raise _refusal(layer, f"{found} is not a plain ReLU", "ReLU() without arguments")
    _apply(chain, layer, "relu")


def _take_activation(chain: _Chain, layer: KerasConfig) -> None:
    _apply(chain, layer, layer["config"].get("activation"))


def _take_softmax(chain: _Chain, layer: KerasConfig) -> None:
    if layer["config"].get("axis", -1) not in (-1, 1, [-1], [1]):
        raise _refusal(layer, "its axis is not the last one", "Softmax()")
    _apply(chain, layer, "softmax")


def _apply(chain: _Chain, layer: KerasConfig, activation: object) -> None:
    """Make an activation part of the Dense layer before it (linear changes nothing, a second ReLU neither)."""
    if activation in (None, "linear"):
        return
    if activation not in ("relu", "softmax"):
        raise _refusal(layer, f"there is no activation {activation!r}", "relu or linear (softmax at the end)")
    if not chain.layers:
        raise _refusal(layer, "no Dense layer stands before it", "the activation behind a Dense layer")
    if activation == "relu":
        relu: ActivationKind = "relu"
        chain.layers[-1] = Dense(chain.layers[-1].units, relu)
    elif chain.layers[-1].activation != "linear":
        raise _refusal(layer, "a ReLU stands before the softmax", "a linear layer before it")
    else:
        chain.softmax = True


def _check_linear(layers: list[KerasConfig]) -> None:
    """A functional model's layers each read the one before; a Sequential's say nothing of it."""
    for previous, layer in zip([None, *layers], layers, strict=False):
        nodes = layer.get("inbound_nodes")
        if not nodes:
            continue
        sources = re.findall(r"'keras_history': [\[(]'([^']*)'", repr(nodes))
        if len(nodes) != 1 or previous is None or sources != [previous["config"]["name"]]:
            raise _refusal(
                layer, f"it reads {', '.join(sources) or 'more than one tensor'}", "a chain without branches"
            )


def _check_output(config: KerasConfig, layers: list[KerasConfig]) -> None:
    """A functional model's one output is its last layer."""
    outputs = config["config"].get("output_layers")
    last = layers[-1]["config"]["name"] if layers else None
    if outputs and last not in (outputs[0], *(outputs[0][:1] if len(outputs) == 1 else ())):
        raise _refusal(layers[-1], "it is not the model's only output", "a model that ends in one layer")


def _loss(config: KerasConfig, softmax: bool) -> Loss:
    """The loss of a compiled model; a softmax at the end says it too."""
    named, from_logits = _compiled_loss(config)
    if named in _SQUARED_ERROR:
        return "mean_squared_error"
    if named in _CROSS_ENTROPY and not softmax and not from_logits:
        raise CompileError(
            f"the Keras model's loss {named} expects probabilities, but it ends without a softmax.",
            "Compile it with from_logits=True, end it with a softmax, or name the loss here.",
        )
    if softmax or named in _CROSS_ENTROPY:
        return "softmax_cross_entropy"
    raise CompileError(
        f"the Keras model's loss is {named or 'not known'}.",
        "Name one: softmax_cross_entropy or mean_squared_error.",
    )


def _compiled_loss(config: KerasConfig) -> tuple[str, bool]:
    """Name of the loss in snake case ('' if the model was not compiled), and whether it takes logits."""
    loss = (config.get("compile_config") or {}).get("loss")
    if isinstance(loss, dict):
        settings = loss.get("config") if isinstance(loss.get("config"), dict) else {}
        name = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", str(loss.get("class_name", ""))).lower()
        return (str(loss["config"]) if name == "function" else name), bool((settings or {}).get("from_logits"))
    return (loss if isinstance(loss, str) else ""), False


def _identifier(name: str) -> str:
    """A Keras or file name as the name of a network."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-") or "model"


def _refusal(layer: KerasConfig, reason: str, nearest: str) -> CompileError:
    name = (layer.get("config") or {}).get("name", "?")
    return CompileError(
        f"Keras layer {name!r} ({layer.get('class_name')}): {reason}.", f"Nearest supported: {nearest}."
    )
