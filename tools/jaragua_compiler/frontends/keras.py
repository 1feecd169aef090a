"""Front end for Keras 3: a Sequential or functional model, or a `.keras` file -> Network and weights.

A Dropout leaves no trace (a device trains without it), a batch normalisation and zero padding become part of the
convolution or dense layer beside them, a softmax at the end part of the loss, and a layer without a bias gets one of
zeros. A layer with trainable=False stays frozen. Everything else is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends.assemble import assemble
from jaragua_compiler.frontends.draft import Draft, Handle, Learned, Softmax, refusal
from jaragua_compiler.frontends.keras_archive import KerasConfig, KerasWeights, layer_configs, read_archive
from jaragua_compiler.frontends.model_file import ModelFile
from jaragua_compiler.frontends.naming import identifier
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.layers import ActivationKind, Padding, Pads, Pair
from jaragua_compiler.graph.network import Loss, Network
from jaragua_compiler.operators.registry import activations_of, labels

_CROSS_ENTROPY = {"sparse_categorical_crossentropy", "categorical_crossentropy"}
_SQUARED_ERROR = {"mse", "mean_squared_error"}
_ACTIVATIONS = activations_of("keras")
_KERAS_SLOPE = 0.2  # of the activation named 'leaky_relu'


def from_keras(model: Any, loss: Loss | None = None) -> tuple[Network, Weights]:
    """A Keras 3 model, or the path of a `.keras` file -> (Network, per layer with weights (W, b)); see read_keras."""
    found = read_keras(model, loss)
    return found.network, found.weights


def read_keras(model: Any, loss: Loss | None = None) -> ModelFile:
    """A Keras 3 model, or the path of a `.keras` file.

    `loss` overrides the one the model was compiled with. Raises CompileError that names the layer, says why it cannot
    be taken, and what comes nearest to it.
    """
    if isinstance(model, str | Path):
        config, weights = read_archive(Path(model))
        return _convert(identifier(Path(model).stem), config, weights, loss)
    if not all(hasattr(model, name) for name in ("layers", "get_config", "name")):
        raise CompileError(f"{type(model).__name__} is neither a Keras 3 model nor the path of a .keras file.")
    weights = {
        layer.name: [np.asarray(value, dtype=np.float64) for value in layer.get_weights()] for layer in model.layers
    }
    return _convert(identifier(str(model.name)), _object_config(model), weights, loss)


def _object_config(model: Any) -> KerasConfig:
    """A model object in the form of config.json."""
    compiled: KerasConfig = getattr(model, "get_compile_config", dict)() or {}
    return {"class_name": type(model).__name__, "config": model.get_config(), "compile_config": compiled}


def _convert(name: str, config: KerasConfig, weights: KerasWeights, loss: Loss | None) -> ModelFile:
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by name
            return _Reader(config, weights).read(name, loss)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"the Keras model's configuration cannot be understood ({type(error).__name__}: {error})."
        raise CompileError(reason, "Save the model again with Keras 3.") from error


class _Reader:
    """Reads layer by layer; `values` are the outputs of the layers so far, by name."""

    def __init__(self, config: KerasConfig, weights: KerasWeights) -> None:
        self._config = config
        self._weights = weights
        self.draft = Draft()
        self._values: dict[str, Handle] = {}

    def read(self, name: str, loss: Loss | None) -> ModelFile:
        """The whole model."""
        layers = layer_configs(self._config)
        _check_none_twice(layers)
        if layers and layers[0].get("class_name") != "InputLayer" and not layers[0].get("inbound_nodes"):
            self._values[""] = self.draft.input("the Keras model", _built_shape(self._config, layers[0]))
        previous = ""
        for layer in layers:
            previous = self._take(layer, previous)
        output = self._values.get(_output_name(self._config, layers))
        if output is None or not any(node.weights for node in self.draft.nodes):
            raise CompileError("the Keras model has no layer with weights.", "Give it at least one, e.g. a Dense.")
        softmax = isinstance(self.draft.nodes[output].step, Softmax)
        return assemble(self.draft, output, name, loss or _loss(self._config, softmax))

    def weights_of(self, layer: KerasConfig, counts: tuple[int, ...]) -> list[FloatArray]:
        """The weights of a layer, if it has as many as it can have."""
        values = self._weights.get(layer["config"]["name"], [])
        if len(values) not in counts:
            shapes = [value.shape for value in values]
            raise _refused(layer, f"it has weights of the shapes {shapes}", "a model that was built")
        return values

    def _take(self, layer: KerasConfig, previous: str) -> str:
        """Read one layer; returns its name."""
        name = str(layer["config"]["name"])
        taker = _TAKERS.get(str(layer.get("class_name")))
        if taker is None or not str(layer.get("module")).split(".")[0] == "keras":
            raise _refused(layer, "there is no kernel for it", f"a network of {', '.join(_TAKERS)}")
        sources = _sources(layer, previous)
        unknown = [source for source in sources if source not in self._values]
        if unknown:
            raise _refused(layer, f"it reads {unknown[0]!r}, which no layer before it is", "layers in their order")
        self._values[name] = taker(self, layer, [self._values[source] for source in sources])
        return name


def _check_none_twice(layers: list[KerasConfig]) -> None:
    names: set[str] = set()
    for layer in layers:
        name = str(layer["config"]["name"])
        if name in names:
            raise _refused(layer, "it stands in the model twice", "a layer of its own at each place")
        names.add(name)


def _sources(layer: KerasConfig, previous: str) -> list[str]:
    """The layers a layer reads: a functional model lists them, in a Sequential it is the one before."""
    if layer.get("class_name") == "InputLayer":
        return []
    nodes = layer.get("inbound_nodes")
    if not nodes:
        return [previous]
    if len(nodes) != 1:
        raise _refused(layer, f"it is used {len(nodes)} times", "a layer of its own at each place")
    return list(_histories(nodes))


def _histories(item: object) -> Iterator[str]:
    """The names of the layers whose tensors are mentioned anywhere in a serialised call."""
    if isinstance(item, dict):
        if "keras_history" in item:
            yield str(item["keras_history"][0])
            return
        item = list(item.values())
    if isinstance(item, list | tuple):
        for part in item:
            yield from _histories(part)


def _output_name(config: KerasConfig, layers: list[KerasConfig]) -> str:
    """The name of the layer a model ends in."""
    outputs = config["config"].get("output_layers")
    if not outputs:
        return str(layers[-1]["config"]["name"]) if layers else ""
    if isinstance(outputs[0], list | tuple):
        if len(outputs) != 1:
            raise _refused(layers[-1], "it is not the model's only output", "a model that ends in one layer")
        outputs = outputs[0]
    return str(outputs[0])


def _built_shape(config: KerasConfig, layer: KerasConfig) -> tuple[int, ...]:
    """The input's shape of a Sequential that was built instead of given an Input."""
    shape = config["config"].get("build_input_shape") or (layer.get("build_config") or {}).get("input_shape")
    return _fixed(layer, shape or ())


def _fixed(layer: KerasConfig, shape: Any) -> tuple[int, ...]:
    """A shape without its batch axis."""
    if len(shape) < 2 or any(not isinstance(size, int) for size in shape[1:]):
        raise _refused(layer, f"its input's shape {shape or 'nowhere'} is not fixed", "Input(shape=(n,)) with a number")
    return tuple(shape[1:])


def _take_input(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    if reader.draft.nodes:
        raise _refused(layer, "it is a second input", "a model with one input")
    shape = layer["config"].get("batch_shape") or layer["config"].get("batch_input_shape")
    return reader.draft.input(_place(layer), _fixed(layer, shape or ()))


def _take_nothing(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    """A layer that changes nothing when a network is used."""
    return inputs[0]


def _take_flatten(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    _check_channels_last(layer)
    return reader.draft.flatten(_place(layer), inputs[0])


def _take_reshape(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    target = [int(size) for size in layer["config"]["target_shape"]]
    size = int(np.prod(reader.draft.shape(inputs[0])))
    known = int(np.prod([size for size in target if size != -1]))
    shape = tuple(size // max(known, 1) if wanted == -1 else wanted for wanted in target)
    return reader.draft.reshape(_place(layer), inputs[0], shape)


def _learned(layer: KerasConfig, weights: FloatArray, bias: FloatArray | None) -> Learned:
    return Learned(weights, bias, bool(layer["config"].get("trainable", True)))


def _take_dense(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    kernel, bias = _kernel_and_bias(reader, layer, 2)
    value = reader.draft.dense(_place(layer), inputs[0], _learned(layer, kernel.T, bias))
    return _activated(reader, layer, value)


def _take_conv(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    kernel, bias = _kernel_and_bias(reader, layer, 4)
    _check_window(layer)
    if layer["config"].get("groups", 1) != 1:
        raise _refused(layer, f"it has {layer['config']['groups']} groups", "groups=1, or DepthwiseConv2D")
    learned = _learned(layer, np.moveaxis(kernel, 3, 0), bias)
    value = reader.draft.conv(_place(layer), inputs[0], learned, _pair(layer, "strides"), _padding(layer))
    return _activated(reader, layer, value)


def _take_depthwise(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    kernel, bias = _kernel_and_bias(reader, layer, 4)
    _check_window(layer)
    if kernel.shape[3] != 1:
        raise _refused(layer, f"its depth multiplier is {kernel.shape[3]}", "depth_multiplier=1, or Conv2D")
    learned = _learned(layer, np.moveaxis(kernel[..., 0], 2, 0), bias)
    value = reader.draft.depthwise(_place(layer), inputs[0], learned, _pair(layer, "strides"), _padding(layer))
    return _activated(reader, layer, value)


def _take_max_pool(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    _check_channels_last(layer)
    pool, stride = _pair(layer, "pool_size"), _pair(layer, "strides", "pool_size")
    return reader.draft.pool(_place(layer), inputs[0], "max", pool, stride, _padding(layer))


def _take_average_pool(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    _check_channels_last(layer)
    pool, stride = _pair(layer, "pool_size"), _pair(layer, "strides", "pool_size")
    return reader.draft.pool(_place(layer), inputs[0], "average", pool, stride, _padding(layer))


def _take_global_average(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    _check_channels_last(layer)
    return reader.draft.global_average_pool(_place(layer), inputs[0])


def _take_batch_normalisation(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    settings = layer["config"]
    axis = settings.get("axis", -1)
    if (axis[0] if isinstance(axis, list | tuple) else axis) not in (-1, len(reader.draft.shape(inputs[0]))):
        raise _refused(layer, f"its axis is {axis}", "the last axis")
    scaled, centred = bool(settings.get("scale", True)), bool(settings.get("center", True))
    values = reader.weights_of(layer, (2 + scaled + centred,))
    mean, variance = values[-2:]
    factor = (values[0] if scaled else 1.0) / np.sqrt(variance + float(settings.get("epsilon", 1e-3)))
    shift = (values[int(scaled)] if centred else 0.0) - mean * factor
    return reader.draft.affine(_place(layer), inputs[0], factor, shift)


def _take_zero_padding(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    _check_channels_last(layer)
    (top, bottom), (left, right) = layer["config"]["padding"]
    pads: Pads = ((int(top), int(bottom)), (int(left), int(right)))
    return reader.draft.zero_pad(_place(layer), inputs[0], pads)


def _take_add(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    if len(inputs) < 2:
        raise _refused(layer, f"it adds {len(inputs)} tensors", "Add of two or more tensors")
    total = inputs[0]
    for value in inputs[1:]:
        total = reader.draft.add(_place(layer), total, value)
    return total


def _take_relu(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    settings = layer["config"]
    slope, threshold, most = (settings.get(name) or 0.0 for name in ("negative_slope", "threshold", "max_value"))
    if threshold or most not in (0.0, 6.0) or (slope and most):
        found = {name: settings.get(name) for name in ("max_value", "negative_slope", "threshold")}
        raise _refused(layer, f"there is no ReLU with {found}", "ReLU(), ReLU(max_value=6) or LeakyReLU()")
    kind: ActivationKind = "leaky_relu" if slope else "relu6" if most else "relu"
    return reader.draft.activation(_place(layer), inputs[0], kind, float(slope))


def _take_leaky_relu(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    slope = layer["config"].get("negative_slope", layer["config"].get("alpha", 0.3))
    return reader.draft.activation(_place(layer), inputs[0], "leaky_relu", float(slope))


def _take_activation(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    return _activated(reader, layer, inputs[0])


def _take_softmax(reader: _Reader, layer: KerasConfig, inputs: list[Handle]) -> Handle:
    if layer["config"].get("axis", -1) not in (-1, 1, [-1], [1]):
        raise _refused(layer, "its axis is not the last one", "Softmax()")
    return reader.draft.softmax(_place(layer), inputs[0])


_TAKERS: dict[str, Callable[[_Reader, KerasConfig, list[Handle]], Handle]] = {
    "InputLayer": _take_input,
    "Dense": _take_dense,
    "Conv2D": _take_conv,
    "DepthwiseConv2D": _take_depthwise,
    "MaxPooling2D": _take_max_pool,
    "AveragePooling2D": _take_average_pool,
    "GlobalAveragePooling2D": _take_global_average,
    "BatchNormalization": _take_batch_normalisation,
    "ZeroPadding2D": _take_zero_padding,
    "Add": _take_add,
    "ReLU": _take_relu,
    "LeakyReLU": _take_leaky_relu,
    "Activation": _take_activation,
    "Softmax": _take_softmax,
    "Flatten": _take_flatten,
    "Reshape": _take_reshape,
    "Dropout": _take_nothing,
    "SpatialDropout2D": _take_nothing,
}


def _activated(reader: _Reader, layer: KerasConfig, value: Handle) -> Handle:
    """A value behind the activation a layer's configuration names."""
    activation = layer["config"].get("activation") or "linear"
    if activation == "softmax":
        return reader.draft.softmax(_place(layer), value)
    if activation == "linear":
        return value
    if activation not in _ACTIVATIONS:
        raise _refused(layer, f"there is no activation {activation!r}", labels())
    return reader.draft.activation(_place(layer), value, _ACTIVATIONS[activation], _KERAS_SLOPE)


def _kernel_and_bias(reader: _Reader, layer: KerasConfig, axes: int) -> tuple[FloatArray, FloatArray | None]:
    values = reader.weights_of(layer, (2,) if layer["config"].get("use_bias", True) else (1,))
    if values[0].ndim != axes:
        raise _refused(layer, f"its kernel has the shape {values[0].shape}", f"a kernel of {axes} axes")
    return values[0], values[1] if len(values) == 2 else None


def _check_channels_last(layer: KerasConfig) -> None:
    if layer["config"].get("data_format") == "channels_first":
        raise _refused(layer, "its images have their channels first", "data_format='channels_last'")


def _check_window(layer: KerasConfig) -> None:
    _check_channels_last(layer)
    if _pair(layer, "dilation_rate") != (1, 1):
        raise _refused(layer, f"its dilation is {layer['config']['dilation_rate']}", "dilation_rate=1")


def _padding(layer: KerasConfig) -> Padding:
    padding = layer["config"].get("padding", "valid")
    if padding not in ("same", "valid"):
        raise _refused(layer, f"its padding is {padding!r}", "'same' or 'valid'")
    return cast(Padding, padding)


def _pair(layer: KerasConfig, *names: str) -> Pair:
    """The first of these settings that is given; one number stands for two, none for 1."""
    value = next((layer["config"][name] for name in names if layer["config"].get(name) is not None), 1)
    height, width = value if isinstance(value, list | tuple) else (value, value)
    return int(height), int(width)


def _loss(config: KerasConfig, softmax: bool) -> Loss | None:
    """The loss a model was compiled with; None if it was not."""
    named, from_logits = _compiled_loss(config)
    if named in _SQUARED_ERROR:
        return "mean_squared_error"
    if named in _CROSS_ENTROPY and not softmax and not from_logits:
        raise CompileError(
            f"the Keras model's loss {named} expects probabilities, but it ends without a softmax.",
            "Compile it with from_logits=True, end it with a softmax, or name the loss here.",
        )
    if named in _CROSS_ENTROPY:
        return "softmax_cross_entropy"
    if named and not softmax:
        hint = "Name one: softmax_cross_entropy or mean_squared_error."
        raise CompileError(f"the Keras model's loss {named} is none a device has.", hint)
    return None


def _compiled_loss(config: KerasConfig) -> tuple[str, bool]:
    """Name of the loss in snake case ('' if the model was not compiled), and whether it takes logits."""
    loss = (config.get("compile_config") or {}).get("loss")
    if isinstance(loss, dict):
        settings = loss.get("config") if isinstance(loss.get("config"), dict) else {}
        name = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", str(loss.get("class_name", ""))).lower()
        return (str(loss["config"]) if name == "function" else name), bool((settings or {}).get("from_logits"))
    return (loss if isinstance(loss, str) else ""), False


def _place(layer: KerasConfig) -> str:
    name = (layer.get("config") or {}).get("name", "?")
    return f"Keras layer {name!r} ({layer.get('class_name')})"


def _refused(layer: KerasConfig, reason: str, nearest: str) -> CompileError:
    return refusal(_place(layer), reason, nearest)
