"""C of a depthwise convolution with int8 weights that learns (A8.7)."""

from __future__ import annotations

from jaragua_compiler.emit_conv import window_code
from jaragua_compiler.emit_names import (
    bias_sums,
    biases,
    boolean,
    buffer,
    channels,
    dither_key,
    sums,
    tensor,
    weights_w8,
)
from jaragua_compiler.memory import error_name
from jaragua_compiler.plan import Plan
from jaragua_compiler.plan_operators import DepthwisePlan

INCLUDES = (
    ("jrg_nn_depthwise_w8.h", "jrg_nn_depthwise_forward_w8"),
    ("jrg_nn_depthwise_update_w8.h", "jrg_nn_depthwise_update_w8"),
)
SUM_INCLUDES = (("jrg_nn_depthwise_sum_w8.h", "jrg_nn_depthwise_sum_steps_w8"),)

_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_conv_w8 layer = {layer};
    jrg_nn_depthwise_forward_w8(&layer, {x}, {y}, {patch}, jrg_model_exponents[{index}].forward_shift,
                                {output_width}u, {relu});
}}
"""

_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    const jrg_nn_conv_w8 layer = {layer};
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(&layer);
    {scale}(&shape, {above}, &error, {scaled});
    {pass_down}{learn}
    {give}
}}
"""

_UPDATE = """\
jrg_nn_depthwise_update_w8(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                               jrg_model_rate, {key}, {column});"""

_SUM = """\
jrg_nn_depthwise_sum_steps_w8(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                                  jrg_model_rate, {column}, {sums});"""

_PASS_DOWN = """\
jrg_nn_error below = jrg_nn_depthwise_backward_w8(&layer, {scaled}, {x}, {input_rectified},
                                                      jrg_model_exponents[{index}].weight_exponent, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """


def forward_code(layer: DepthwisePlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    return _FORWARD.format(**_fields(layer, plan, ""))


def backward_code(layer: DepthwisePlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: gives the errors of its inputs in `below`, then learns (A7.6)."""
    return _learning_code(layer, _fields(layer, plan, below) | {"verb": "backward"}, _UPDATE)


def sum_code(layer: DepthwisePlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
    fields = _fields(layer, plan, below) | {"verb": "sum", "sums": sums(plan, layer)}
    fields["layer"] = _layer(layer, bias_sums(plan, layer))
    return _learning_code(layer, fields, _SUM)


def _learning_code(layer: DepthwisePlan, fields: dict[str, object], learn: str) -> str:
    passes = layer.passes_error[0]
    return _BACKWARD.format(
        learn=learn.format(**fields),
        pass_down=_PASS_DOWN.format(**fields) if passes else "",
        give="return below;" if passes else "return (jrg_nn_error){0};",
        **fields,
    )


def _layer(layer: DepthwisePlan, bias_pointer: str) -> str:
    pointers = f"{weights_w8(layer)}, {bias_pointer},\n                                  {channels(layer)}"
    return "{" + f"{window_code(layer)}, {pointers}, {layer.outputs}u, {layer.error_width}u" + "}"


def _fields(layer: DepthwisePlan, plan: Plan, below: str) -> dict[str, object]:
    above = error_name(plan.graph, layer.output_tensor)
    return {
        "step": layer.step,
        "index": layer.index,
        "layer": _layer(layer, biases(layer)),
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "patch": buffer(f"patch{layer.index}"),
        "scaled": buffer(f"e{layer.index}"),
        "column": buffer(f"column{layer.index}"),
        "above": buffer(above),
        "scale": "jrg_nn_conv_scale_list" if above.startswith("list") else "jrg_nn_conv_scale",
        "below": below,
        "key": dither_key(layer),
        "output_width": layer.output_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
    }
