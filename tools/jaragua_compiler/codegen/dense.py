"""C of a dense layer: calls of jrg_nn's kernels with constant dimensions, from which GCC makes a kernel of its own."""

from __future__ import annotations

from jaragua_compiler.codegen.names import bias_sums, biases, boolean, buffer, dither_key, sums, tensor, weights
from jaragua_compiler.planning.memory import error_name, needs_own_list
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.planning.plan import Plan

INCLUDES = (
    ("dense/jrg_nn_dense_forward.h", "jrg_nn_dense_forward"),
    ("core/jrg_nn_wide.h", "jrg_nn_wide_forward"),
    ("weighted/jrg_nn_active_rows.h", "jrg_nn_active_rows"),
    ("dense/jrg_nn_dense_update.h", "jrg_nn_dense_update"),
    ("dense/jrg_nn_dense_backward.h", "jrg_nn_dense_backward"),
    ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
)
SUM_INCLUDES = (("dense/jrg_nn_dense_sum.h", "jrg_nn_dense_sum"), ("dense/jrg_nn_dense_pass.h", "jrg_nn_dense_pass"))

_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    jrg_nn_dense_forward({x}, {weights}, {biases}, {y},
                         {inputs}u, {outputs}u, (uint32_t)jrg_model_exponents[{index}].forward_shift,
                         {output_width}u, {relu});
}}
"""

_WIDE_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    jrg_nn_wide_forward({x}, {weights}, {biases}, {y},
                        {inputs}u, {outputs}u, jrg_nn_wide_part({input_width}u),
                        (uint32_t)jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});
}}
"""

_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    const jrg_nn_dense layer = {{{weights}, {biases}, {inputs}u, {outputs}u, {input_width}u, {error_width}u}};
    jrg_nn_active_row *const rows = JRG_MODEL_ROWS({list});
    const uint32_t key = {key};
    {take}const uint32_t count = jrg_nn_active_rows(&layer, jrg_model_exponents[{index}], jrg_model_rate, key,
                                              {list}, &error, rows);
    {learn}
}}
"""

_TAKE = """\
jrg_nn_list_errors({g}, {outputs}u, {list}, &error);
    """

_UPDATE = """\
jrg_nn_dense_update(&layer, rows, count, {x}, key);
    return (jrg_nn_error){{0}};"""

_UPDATE_AND_PASS_DOWN = """\
jrg_nn_error below = jrg_nn_dense_backward(&layer, rows, count, {x},
                                               {input_rectified}, key, {down});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    {give}"""

_SUM = """\
jrg_nn_dense_sum(&layer, rows, count, {x}, {sums});
    return (jrg_nn_error){{0}};"""

_SUM_AND_PASS_DOWN = """\
jrg_nn_dense_sum(&layer, rows, count, {x}, {sums});
    jrg_nn_error below = jrg_nn_dense_pass(&layer, rows, count, {x}, {input_rectified}, {down});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    {give}"""

_GIVE_SPREAD = """\
jrg_nn_spread_errors({down}, &below, {below}, {inputs}u);
    return below;"""


def forward_code(layer: DensePlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    return (_WIDE_FORWARD if layer.wide else _FORWARD).format(**_fields(layer, plan, ""))


def backward_code(layer: DensePlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: learns, and leaves the errors of its inputs in `below`."""
    own_list = needs_own_list(plan.graph, layer)
    learn = _UPDATE_AND_PASS_DOWN if layer.passes_error[0] or own_list else _UPDATE
    return _learning_code(layer, plan, _fields(layer, plan, below) | {"verb": "backward"}, learn)


def sum_code(layer: DensePlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
    fields = _fields(layer, plan, below) | {"verb": "sum", "biases": bias_sums(plan, layer), "sums": sums(plan, layer)}
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


def _fields(layer: DensePlan, plan: Plan, below: str) -> dict[str, object]:
    return {
        "step": layer.step,
        "index": layer.index,
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "list": buffer(f"list{layer.output_tensor}"),
        "below": below,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "key": dither_key(layer),
        "input_width": layer.input_width,
        "output_width": layer.output_width,
        "error_width": layer.error_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
        "weights": weights(layer),
        "biases": biases(layer),
    }
