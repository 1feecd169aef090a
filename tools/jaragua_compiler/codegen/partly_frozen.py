"""C of layers of which only the first output channels learn (A10.7): a block of rows in RAM and one in flash."""

from __future__ import annotations

from jaragua_compiler.codegen.convolutional import CONV_W8
from jaragua_compiler.codegen.dense import DENSE_W8
from jaragua_compiler.codegen.names import bias_sums, biases, call, sums
from jaragua_compiler.codegen.weighted import (
    EXPONENT_BELOW,
    RETURN_BELOW,
    Fields,
    backward_function,
    forward_function,
    frozen_layer,
    layer_code,
    layer_fields,
    spread,
    taken,
)
from jaragua_compiler.planning.operators import ConvPlan, WeightedPlan
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

_TRAINED_DENSE = "const jrg_nn_dense_w8 trained = {trained};"
_FROZEN_DENSE = "const jrg_nn_dense_w8 frozen = {frozen};"
_TRAINED_CONV = "const jrg_nn_conv_w8 trained = {trained};"
_FROZEN_CONV = "const jrg_nn_conv_w8 frozen = {frozen};"
_NO_BELOW = "jrg_nn_error below = {{0}};"

_DENSE_FORWARD = call(
    "jrg_nn_dense_forward_partly_frozen_w8",
    "&trained, &frozen, {x}, {y}, jrg_model_exponents[{index}].forward_shift,",
    "{output_width}u, {relu}",
)
_CONV_FORWARD = call(
    "jrg_nn_conv_forward_partly_frozen_w8",
    "&trained, &frozen, {x}, {y}, {patch},",
    "jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu}",
)

_DENSE_ROWS = (
    "error.count = jrg_nn_first_errors({list}, error.count, {trained_rows}u);",
    DENSE_W8.rows.replace("&layer", "&trained"),
)
_DENSE_UPDATE = "jrg_nn_dense_update_partly_frozen_w8(&trained, jrg_model_rows_w8, count, {x});"
_DENSE_PASS_DOWN = (
    _FROZEN_DENSE,
    "jrg_nn_error passed = error;",
    call(
        "jrg_nn_partly_frozen_rows_w8",
        "&trained, &frozen,",
        "jrg_model_exponents[{index}].weight_exponent,",
        "{list}, &passed, jrg_model_rows_w8",
        result="const uint32_t passing = ",
    ),
    "below = jrg_nn_dense_pass_w8(&trained, jrg_model_rows_w8, passing, {x}, {input_rectified}, {down});",
    EXPONENT_BELOW.replace("error", "passed"),
)

_CONV_SHAPE = "const jrg_nn_conv shape = {{{geometry}, NULL, NULL, {outputs}u, {error_width}u}};"
_CONV_PASS_DOWN = (
    _FROZEN_CONV,
    """\
below = jrg_nn_conv_backward_partly_frozen_w8(&trained, &frozen, {scaled}, {x}, {input_rectified},
                                          jrg_model_exponents[{index}].weight_exponent, jrg_model_rows_w8, {below});""",
    EXPONENT_BELOW,
)


def forward_code(layer: WeightedPlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    dense = (_TRAINED_DENSE, _FROZEN_DENSE, _DENSE_FORWARD)
    statements = (_TRAINED_CONV, _FROZEN_CONV, _CONV_FORWARD) if isinstance(layer, ConvPlan) else dense
    return forward_function(statements, _fields(layer, plan, "", biases(layer)))


def backward_code(layer: WeightedPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: gives the errors of its inputs in `below`, then learns (A7.6)."""
    learn = CONV_W8.update.replace("&layer", "&trained") if isinstance(layer, ConvPlan) else _DENSE_UPDATE
    return _learning_code(layer, plan, "backward", learn, _fields(layer, plan, below, biases(layer)))


def sum_code(layer: WeightedPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
    learn = (CONV_W8 if isinstance(layer, ConvPlan) else DENSE_W8).sum.replace("&layer", "&trained")
    fields = _fields(layer, plan, below, bias_sums(plan, layer)) | {"sums": sums(plan, layer)}
    return _learning_code(layer, plan, "sum", learn, fields)


def _learning_code(layer: WeightedPlan, plan: Plan, verb: str, learn: str, fields: Fields) -> str:
    passes = layer.passes_error[0]
    if isinstance(layer, ConvPlan):
        scale = "{scale}(&shape, {above}, &error, {scaled});"
        down = [*_CONV_PASS_DOWN] if passes else []
        statements = [_TRAINED_CONV, _CONV_SHAPE, _NO_BELOW, scale, *down, learn]
    else:
        down = [*_DENSE_PASS_DOWN] if passes else []
        rows = [_TRAINED_DENSE, _NO_BELOW, *taken(layer, plan), *down, *_DENSE_ROWS]
        statements = [*rows, learn, *spread(layer, plan)]
    return backward_function(verb, [*statements, RETURN_BELOW], fields)


def _fields(layer: WeightedPlan, plan: Plan, below: str, bias_pointer: str) -> Fields:
    return layer_fields(layer, plan, below) | {
        "trained": layer_code(layer, bias_pointer),
        "frozen": frozen_layer(layer),
        "trained_rows": layer.trained_rows,
    }
