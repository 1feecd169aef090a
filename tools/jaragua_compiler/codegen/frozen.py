"""C of layers that do not learn (A10): their weights as constants, their forward pass, and the error they pass down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jaragua_compiler.codegen.convolutional import CONV_W8, DEPTHWISE_W8
from jaragua_compiler.codegen.dense import DENSE_W8
from jaragua_compiler.codegen.names import call
from jaragua_compiler.codegen.weighted import (
    EXPONENT_BELOW,
    RETURN_BELOW,
    backward_function,
    layer_fields,
    spread,
    taken,
)
from jaragua_compiler.planning.frozen import FrozenRows
from jaragua_compiler.planning.operators import ConvolutionPlan, ConvPlan, DensePlan, DepthwisePlan, WeightedPlan
from jaragua_compiler.planning.plan import Plan

INCLUDES = (
    ("dense_w8/jrg_nn_dense_forward_w8.h", "jrg_nn_dense_forward_w8"),
    ("weighted/jrg_nn_frozen_w8.h", "jrg_nn_frozen_rows_w8"),
    ("dense_w8/jrg_nn_dense_pass_w8.h", "jrg_nn_dense_pass_w8"),
    ("conv_w8/jrg_nn_conv_w8.h", "jrg_nn_conv_forward_w8"),
    ("conv_w8/jrg_nn_conv_backward_w8.h", "jrg_nn_conv_backward_w8"),
    ("depthwise/jrg_nn_depthwise_w8.h", "jrg_nn_depthwise_forward_w8"),
    ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
)

_NUMBERS_PER_LINE = 16

_CONSTANTS = """\
/* Layer {index}, frozen (A10): nothing writes here. */
static _Alignas(4) const int8_t jrg_model_frozen{index}_weights[{weight_count}] = {{
{weights}
}};
static const int32_t jrg_model_frozen{index}_biases[{rows}] = {{
{biases}
}};
static const int8_t jrg_model_frozen{index}_channels[{rows}] = {{
{channels}
}};
static const jrg_nn_frozen jrg_model_frozen{index} = {{{least}, {most}, {input_exponent}}};
"""

_FROZEN_ROWS = call(
    "jrg_nn_frozen_rows_w8",
    "&layer, jrg_model_exponents[{index}].weight_exponent,",
    "{list}, &error, jrg_model_rows_w8",
    result="const uint32_t count = ",
)
_PASS_DOWN = call(
    "jrg_nn_dense_pass_w8",
    "&layer, jrg_model_rows_w8, count, {x},",
    "{input_rectified}, {down}",
    result="jrg_nn_error below = ",
)
# Forward, and back through a convolution, their kernels are those of layers that learn.
_LEARNING: dict[type[WeightedPlan], Any] = {DensePlan: DENSE_W8, ConvPlan: CONV_W8, DepthwisePlan: DEPTHWISE_W8}


def constants_code(plan: Plan) -> str:
    """The constants of all frozen rows, layer by layer; empty if there are none."""
    found = [(layer, plan.frozen_rows(layer)) for layer in plan.layers]
    return "".join(_constants(layer, constants) for layer, constants in found if constants is not None)


def forward_code(layer: WeightedPlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    code: str = _LEARNING[type(layer)].forward_code(layer, plan)
    return code


def backward_code(layer: WeightedPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: leaves the errors of its inputs in `below`."""
    if isinstance(layer, ConvolutionPlan):
        code: str = _LEARNING[type(layer)].backward_code(layer, plan, below)
        return code
    rows = [*DENSE_W8.declarations, *taken(layer, plan), _FROZEN_ROWS]
    statements = [*rows, _PASS_DOWN, EXPONENT_BELOW, *spread(layer, plan), RETURN_BELOW]
    return backward_function("backward", statements, layer_fields(layer, plan, below))


def _constants(layer: WeightedPlan, constants: FrozenRows) -> str:
    weights = [byte - 256 if byte > 127 else byte for byte in constants.weights]
    return _CONSTANTS.format(
        index=layer.index,
        weight_count=len(weights),
        weights=_lines(weights),
        rows=len(constants.biases),
        biases=_lines(constants.biases),
        channels=_lines(constants.channels),
        least=min(constants.channels),
        most=max(constants.channels),
        input_exponent=constants.input_exponent,
    )


def _lines(numbers: Iterable[int]) -> str:
    words = [str(number) for number in numbers]
    starts = range(0, len(words), _NUMBERS_PER_LINE)
    return "\n".join("    " + ", ".join(words[start : start + _NUMBERS_PER_LINE]) + "," for start in starts)
