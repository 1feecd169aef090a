"""C of a dense layer with int8 weights (A8): calls of jrg_nn's kernels with constant dimensions."""

from __future__ import annotations

from jaragua_compiler.codegen.names import (
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
from jaragua_compiler.planning.memory import error_name, needs_own_list
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.planning.plan import Plan

INCLUDES = (
    ("dense_w8/jrg_nn_dense_forward_w8.h", "jrg_nn_dense_forward_w8"),
    ("weighted/jrg_nn_active_rows_w8.h", "jrg_nn_active_rows_w8"),
    ("dense_w8/jrg_nn_dense_update_w8.h", "jrg_nn_dense_update_w8"),
    ("dense_w8/jrg_nn_dense_backward_w8.h", "jrg_nn_dense_backward_w8"),
    ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
)
SUM_INCLUDES = (
    ("dense_w8/jrg_nn_dense_sum_w8.h", "jrg_nn_dense_sum_w8"),
    ("dense_w8/jrg_nn_dense_pass_w8.h", "jrg_nn_dense_pass_w8"),
)

_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_dense_w8 layer = {layer};
    jrg_nn_dense_forward_w8(&layer, {x}, {y}, jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});
}}
"""

_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    const jrg_nn_dense_w8 layer = {layer};
    {take}const uint32_t count = jrg_nn_active_rows_w8(&layer, jrg_model_exponents[{index}], jrg_model_rate,
                                                 {key},
                                                 {list}, &error, jrg_model_rows_w8);
    {learn}
}}
"""

_TAKE = """\
jrg_nn_list_errors({g}, {outputs}u, {list}, &error);
    """

_UPDATE = """\
jrg_nn_dense_update_w8(&layer, jrg_model_rows_w8, count, {x});
    return (jrg_nn_error){{0}};"""

_UPDATE_AND_PASS_DOWN = """\
jrg_nn_error below = jrg_nn_dense_backward_w8(&layer, jrg_model_rows_w8, count, {x},
                                                  {input_rectified}, {down});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    {give}"""

_SUM = """\
jrg_nn_dense_sum_w8(&layer, jrg_model_rows_w8, count, {x}, {sums});
    return (jrg_nn_error){{0}};"""

_SUM_AND_PASS_DOWN = """\
jrg_nn_dense_sum_w8(&layer, jrg_model_rows_w8, count, {x}, {sums});
    jrg_nn_error below = jrg_nn_dense_pass_w8(&layer, jrg_model_rows_w8, count, {x}, {input_rectified}, {down});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    {give}"""

_GIVE_SPREAD = """\
jrg_nn_spread_errors({down}, &below, {below}, {inputs}u);
    return below;"""


def forward_code(layer: DensePlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    return _FORWARD.format(**_fields(layer, plan, ""))


def backward_code(layer: DensePlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: learns, and leaves the errors of its inputs in `below`."""
    own_list = needs_own_list(plan.graph, layer)
    learn = _UPDATE_AND_PASS_DOWN if layer.passes_error[0] or own_list else _UPDATE
    return _learning_code(layer, plan, _fields(layer, plan, below) | {"verb": "backward"}, learn)


def sum_code(layer: DensePlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
    fields = _fields(layer, plan, below) | {"verb": "sum", "sums": sums(plan, layer)}
    fields["layer"] = _layer(layer, bias_sums(plan, layer))
    return _learning_code(layer, plan, fields, _SUM_AND_PASS_DOWN if layer.passes_error[0] else _SUM)


def _learning_code(layer: DensePlan, plan: Plan, fields: dict[str, object], learn: str) -> str:
    own_list = needs_own_list(plan.graph, layer)
    below = fields["below"]
    fields |= {"down": buffer(f"down{layer.index}") if own_list else below, "give": "return below;"}
    if own_list and layer.passes_error[0]:
        fields["give"] = _GIVE_SPREAD.format(**fields)
    above = error_name(plan.graph, layer.output_tensor)
    take = _TAKE.format(g=buffer(above), **fields) if above.startswith("g") else ""
    return _BACKWARD.format(learn=learn.format(**fields), take=take, **fields)


def _layer(layer: DensePlan, bias_pointer: str) -> str:
    pointers = f"{weights_w8(layer)}, {bias_pointer},\n                                   {channels(layer)}"
    sizes = f"{layer.inputs}u, {layer.outputs}u, {layer.input_width}u, {layer.error_width}u"
    return "{" + f"{pointers}, {sizes}" + "}"


def _fields(layer: DensePlan, plan: Plan, below: str) -> dict[str, object]:
    return {
        "step": layer.step,
        "index": layer.index,
        "layer": _layer(layer, biases(layer)),
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "list": buffer(f"list{layer.output_tensor}"),
        "below": below,
        "inputs": layer.inputs,
        "key": dither_key(layer),
        "outputs": layer.outputs,
        "output_width": layer.output_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
    }
