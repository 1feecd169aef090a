"""C of layers of which only the first output channels learn (A10.7): a block of rows in RAM and one in flash."""

from __future__ import annotations

from jaragua_compiler.codegen.convolutional import conv_geometry_code
from jaragua_compiler.codegen.frozen import common_fields, frozen_layer
from jaragua_compiler.codegen.names import bias_sums, biases, buffer, channels, dither_key, sums, weights_w8
from jaragua_compiler.planning.memory import error_name, needs_own_list
from jaragua_compiler.planning.operators import ConvPlan, DensePlan, WeightedPlan
from jaragua_compiler.planning.plan import Plan

INCLUDES = (
    ("weighted/jrg_nn_partly_frozen_w8.h", "jrg_nn_partly_frozen_rows_w8"),
    ("dense_w8/jrg_nn_dense_pass_w8.h", "jrg_nn_dense_pass_w8"),
    ("conv_w8/jrg_nn_conv_update_w8.h", "jrg_nn_conv_update_w8"),
    ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
)
SUM_INCLUDES = (
    ("dense_w8/jrg_nn_dense_sum_w8.h", "jrg_nn_dense_sum_w8"),
    ("conv_w8/jrg_nn_conv_sum_w8.h", "jrg_nn_conv_sum_w8"),
)

_DENSE_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_dense_w8 trained = {trained};
    const jrg_nn_dense_w8 frozen = {frozen};
    jrg_nn_dense_forward_partly_frozen_w8(&trained, &frozen, {x}, {y}, jrg_model_exponents[{index}].forward_shift,
                                          {output_width}u, {relu});
}}
"""

_CONV_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_conv_w8 trained = {trained};
    const jrg_nn_conv_w8 frozen = {frozen};
    jrg_nn_conv_forward_partly_frozen_w8(&trained, &frozen, {x}, {y}, {patch},
                                         jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});
}}
"""

_DENSE_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    const jrg_nn_dense_w8 trained = {trained};
    jrg_nn_error below = {{0}};
    {take}{pass_down}error.count = jrg_nn_first_errors({list}, error.count, {trained_rows}u);
    const uint32_t count = jrg_nn_active_rows_w8(&trained, jrg_model_exponents[{index}], jrg_model_rate,
                                                 {key},
                                                 {list}, &error, jrg_model_rows_w8);
    {learn}
    {spread}return below;
}}
"""

_DENSE_UPDATE = "jrg_nn_dense_update_partly_frozen_w8(&trained, jrg_model_rows_w8, count, {x});"
_DENSE_SUM = "jrg_nn_dense_sum_w8(&trained, jrg_model_rows_w8, count, {x}, {sums});"

_DENSE_PASS_DOWN = """\
const jrg_nn_dense_w8 frozen = {frozen};
    jrg_nn_error passed = error;
    const uint32_t passing = jrg_nn_partly_frozen_rows_w8(&trained, &frozen,
                                                          jrg_model_exponents[{index}].weight_exponent,
                                                          {list}, &passed, jrg_model_rows_w8);
    below = jrg_nn_dense_pass_w8(&trained, jrg_model_rows_w8, passing, {x}, {input_rectified}, {down});
    below.exponent = passed.exponent + jrg_model_exponents[{index}].weight_exponent;
    """

_TAKE = """\
jrg_nn_list_errors({above}, {outputs}u, {list}, &error);
    """

_SPREAD = """\
jrg_nn_spread_errors({down}, &below, {below}, {inputs}u);
    """

_CONV_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    const jrg_nn_conv_w8 trained = {trained};
    const jrg_nn_conv shape = {{{geometry}, NULL, NULL, {outputs}u, {error_width}u}};
    jrg_nn_error below = {{0}};
    {scale}(&shape, {above}, &error, {scaled});
    {pass_down}{learn}
    return below;
}}
"""

_CONV_UPDATE = """\
jrg_nn_conv_update_w8(&trained, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                          jrg_model_rate, {key}, {columns});"""

_CONV_SUM = """\
jrg_nn_conv_sum_w8(&trained, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                       jrg_model_rate, {columns}, {sums});"""

_CONV_PASS_DOWN = """\
const jrg_nn_conv_w8 frozen = {frozen};
    below = jrg_nn_conv_backward_partly_frozen_w8(&trained, &frozen, {scaled}, {x}, {input_rectified},
                                          jrg_model_exponents[{index}].weight_exponent, jrg_model_rows_w8, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """


def forward_code(layer: WeightedPlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    template = _CONV_FORWARD if isinstance(layer, ConvPlan) else _DENSE_FORWARD
    return template.format(**_fields(layer, plan, "", biases(layer)))


def backward_code(layer: WeightedPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: gives the errors of its inputs in `below`, then learns (A7.6)."""
    fields = _fields(layer, plan, below, biases(layer)) | {"verb": "backward"}
    return _learning_code(layer, plan, fields, _CONV_UPDATE if isinstance(layer, ConvPlan) else _DENSE_UPDATE)


def sum_code(layer: WeightedPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
    fields = _fields(layer, plan, below, bias_sums(plan, layer)) | {"verb": "sum", "sums": sums(plan, layer)}
    return _learning_code(layer, plan, fields, _CONV_SUM if isinstance(layer, ConvPlan) else _DENSE_SUM)


def _learning_code(layer: WeightedPlan, plan: Plan, fields: dict[str, object], learn: str) -> str:
    passes = layer.passes_error[0]
    fields["learn"] = learn.format(**fields)
    if isinstance(layer, ConvPlan):
        return _CONV_BACKWARD.format(pass_down=_CONV_PASS_DOWN.format(**fields) if passes else "", **fields)
    assert isinstance(layer, DensePlan)
    own_list = needs_own_list(plan.graph, layer)
    fields["down"] = buffer(f"down{layer.index}") if own_list else fields["below"]
    return _DENSE_BACKWARD.format(
        pass_down=_DENSE_PASS_DOWN.format(**fields) if passes else "",
        take=_TAKE.format(**fields) if error_name(plan.graph, layer.output_tensor).startswith("g") else "",
        spread=_SPREAD.format(**fields) if passes and own_list else "",
        **fields,
    )


def _fields(layer: WeightedPlan, plan: Plan, below: str, bias_pointer: str) -> dict[str, object]:
    return common_fields(layer, plan, below) | {
        "trained": _trained_layer(layer, bias_pointer),
        "frozen": frozen_layer(layer),
        "trained_rows": layer.trained_rows,
        "error_width": layer.error_width,
        "geometry": conv_geometry_code(layer) if isinstance(layer, ConvPlan) else "",
        "key": dither_key(layer),
        "columns": buffer(f"column{layer.index}"),
    }


def _trained_layer(layer: WeightedPlan, bias_pointer: str) -> str:
    """The jrg_nn_dense_w8 or jrg_nn_conv_w8 of the rows that learn."""
    pointers = f"{weights_w8(layer)}, {bias_pointer},\n                                   {channels(layer)}"
    if isinstance(layer, ConvPlan):
        return f"{{{conv_geometry_code(layer)}, {pointers}, {layer.trained_rows}u, {layer.error_width}u}}"
    sizes = f"{layer.inputs}u, {layer.trained_rows}u, {layer.input_width}u, {layer.error_width}u"
    return f"{{{pointers}, {sizes}}}"
