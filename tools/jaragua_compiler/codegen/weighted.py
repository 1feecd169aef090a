"""What the emitters of layers with weights share: the C structures of a layer and the fields of their templates."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.codegen.names import (
    bias_sums,
    biases,
    boolean,
    buffer,
    call,
    channels,
    conv_geometry_code,
    dither_key,
    function,
    sums,
    tensor,
    weights,
)
from jaragua_compiler.planning.memory import error_name, needs_own_list
from jaragua_compiler.planning.operators import ConvolutionPlan, DensePlan, WeightedPlan
from jaragua_compiler.planning.plan import Plan

Includes = tuple[tuple[str, str], ...]
"""(A header of jrg_nn, what is used of it)."""
Fields = dict[str, object]
"""Of a template: name in braces -> C."""

EXPONENT_BELOW = "below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;"
NO_ERROR = "return (jrg_nn_error){{0}};"
RETURN_BELOW = "return below;"


@dataclass(frozen=True)
class WeightedEmitter:
    """The kernels of one kind of layer and format: headers, and statements with the fields of `layer_fields`."""

    INCLUDES: Includes
    SUM_INCLUDES: Includes
    forward: tuple[str, ...]


def layer_code(layer: WeightedPlan, bias_pointer: str) -> str:
    """The structure of a layer's rows that learn: jrg_nn_dense or jrg_nn_conv, or their int8 counterpart."""
    first = ", ".join([*_geometry(layer), weights(layer), bias_pointer])
    numbers = _numbers(layer, layer.trained_rows)
    lines = [first, f"{channels(layer)}, {numbers}"] if layer.per_channel else [f"{first}, {numbers}"]
    return _structure(layer, lines)


def frozen_layer(layer: WeightedPlan) -> str:
    """The jrg_nn_dense_w8 or jrg_nn_conv_w8 of a layer's frozen rows; they are only read."""
    name = f"jrg_model_frozen{layer.index}"
    pointers = f"(int8_t *){name}_weights, (int32_t *){name}_biases, {name}_channels"
    return _structure(layer, [*_geometry(layer), pointers, _numbers(layer, layer.frozen_rows)])


def _geometry(layer: WeightedPlan) -> list[str]:
    return [conv_geometry_code(layer)] if isinstance(layer, ConvolutionPlan) else []


def _numbers(layer: WeightedPlan, rows: int) -> str:
    is_conv = isinstance(layer, ConvolutionPlan)
    numbers = [rows, layer.error_width] if is_conv else [layer.inputs, rows, layer.input_width, layer.error_width]
    return ", ".join(f"{number}u" for number in numbers)


def _structure(layer: WeightedPlan, lines: list[str]) -> str:
    indent = len("    const jrg_nn_conv_w8 layer = {" if _geometry(layer) else "    const jrg_nn_dense_w8 layer = {")
    return "{" + (",\n" + " " * indent).join(lines) + "}"


def layer_fields(layer: WeightedPlan, plan: Plan, below: str) -> Fields:
    """Of the templates of one layer; below: the buffer of its inputs' errors."""
    above = error_name(plan.graph, layer.output_tensor)
    return {
        "step": layer.step,
        "index": layer.index,
        "layer": frozen_layer(layer) if not layer.trained_rows else layer_code(layer, biases(layer)),
        "geometry": "".join(_geometry(layer)),
        "weights": weights(layer),
        "biases": biases(layer),
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "patch": buffer(f"patch{layer.index}"),
        "scaled": buffer(f"e{layer.index}"),
        "column": buffer(f"column{layer.index}"),
        "list": buffer(f"list{layer.output_tensor}"),
        "above": buffer(above),
        "scale": "jrg_nn_conv_scale_list" if above.startswith("list") else "jrg_nn_conv_scale",
        "below": below,
        "down": buffer(f"down{layer.index}") if _has_own_list(layer, plan) else below,
        "key": dither_key(layer),
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "input_width": layer.input_width,
        "output_width": layer.output_width,
        "error_width": layer.error_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
    }


def sum_fields(layer: WeightedPlan, plan: Plan, below: str) -> Fields:
    """As `layer_fields`, of a function whose steps go into sums (A11.1)."""
    own = {"sums": sums(plan, layer), "layer": layer_code(layer, bias_sums(plan, layer))}
    return layer_fields(layer, plan, below) | own


def forward_function(statements: tuple[str, ...], fields: Fields) -> str:
    """The function `jrg_model_step<step>_forward` of these templates."""
    return _filled("void jrg_model_step{step}_forward(void)", statements, fields)


def backward_function(verb: str, statements: list[str], fields: Fields) -> str:
    """The function `jrg_model_step<step>_<verb>` of these templates: from the outputs' error to the inputs'."""
    return _filled(f"jrg_nn_error jrg_model_step{{step}}_{verb}(jrg_nn_error error)", statements, fields)


def taken(layer: WeightedPlan, plan: Plan) -> list[str]:
    """The statement that lists the errors of the outputs of a dense layer, where they come as a plain tensor."""
    plain = error_name(plan.graph, layer.output_tensor).startswith("g")
    return [call("jrg_nn_list_errors", "{above}, {outputs}u, {list}, &error")] if plain else []


def spread(layer: WeightedPlan, plan: Plan) -> list[str]:
    """The statement that makes a plain tensor of the inputs' errors of a dense layer, where one is wanted."""
    wanted = layer.passes_error[0] and _has_own_list(layer, plan)
    return [call("jrg_nn_spread_errors", "{down}, &below, {below}, {inputs}u")] if wanted else []


def _has_own_list(layer: WeightedPlan, plan: Plan) -> bool:
    return isinstance(layer, DensePlan) and needs_own_list(plan.graph, layer)


def _filled(head: str, statements: tuple[str, ...] | list[str], fields: Fields) -> str:
    return function(head.format(**fields), (statement.format(**fields) for statement in statements))
