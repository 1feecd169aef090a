"""C of layers that do not learn (A10): their weights as constants, their forward pass, and the error they pass down."""

from __future__ import annotations

from collections.abc import Iterable

from jaragua_compiler.codegen.convolutional import conv_geometry_code
from jaragua_compiler.codegen.names import boolean, buffer, tensor
from jaragua_compiler.planning.frozen import FrozenRows
from jaragua_compiler.planning.memory import error_name, needs_own_list
from jaragua_compiler.planning.operators import ConvolutionPlan, ConvPlan, DensePlan, WeightedPlan
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

_DENSE_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_dense_w8 layer = {layer};
    jrg_nn_dense_forward_w8(&layer, {x}, {y}, jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});
}}
"""

_DENSE_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_backward(jrg_nn_error error)
{{
    const jrg_nn_dense_w8 layer = {layer};
    {take}const uint32_t count = jrg_nn_frozen_rows_w8(&layer, jrg_model_exponents[{index}].weight_exponent,
                                                 {list}, &error, jrg_model_rows_w8);
    jrg_nn_error below = jrg_nn_dense_pass_w8(&layer, jrg_model_rows_w8, count, {x},
                                              {input_rectified}, {down});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    {spread}return below;
}}
"""

_TAKE = """\
jrg_nn_list_errors({above}, {outputs}u, {list}, &error);
    """

_SPREAD = """\
jrg_nn_spread_errors({down}, &below, {below}, {inputs}u);
    """

_CONV_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_conv_w8 layer = {layer};
    jrg_nn_conv_forward_w8(&layer, {x}, {y}, {patch}, jrg_model_exponents[{index}].forward_shift,
                           {output_width}u, {relu});
}}
"""

_DEPTHWISE_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_conv_w8 layer = {layer};
    jrg_nn_depthwise_forward_w8(&layer, {x}, {y}, {patch}, jrg_model_exponents[{index}].forward_shift,
                                {output_width}u, {relu});
}}
"""

_DEPTHWISE_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_backward(jrg_nn_error error)
{{
    const jrg_nn_conv_w8 layer = {layer};
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(&layer);
    {scale}(&shape, {above}, &error, {scaled});
    jrg_nn_error below = jrg_nn_depthwise_backward_w8(&layer, {scaled}, {x}, {input_rectified},
                                                      jrg_model_exponents[{index}].weight_exponent, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    return below;
}}
"""

_CONV_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_backward(jrg_nn_error error)
{{
    const jrg_nn_conv_w8 layer = {layer};
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(&layer);
    {scale}(&shape, {above}, &error, {scaled});
    jrg_nn_error below = jrg_nn_conv_backward_w8(&layer, {scaled}, {x}, {input_rectified},
                                                 jrg_model_exponents[{index}].weight_exponent, jrg_model_rows_w8,
                                                 {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    return below;
}}
"""


def constants_code(plan: Plan) -> str:
    """The constants of all frozen rows, layer by layer; empty if there are none."""
    found = [(layer, plan.frozen_rows(layer)) for layer in plan.layers]
    return "".join(_constants(layer, constants) for layer, constants in found if constants is not None)


def forward_code(layer: WeightedPlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    fields = common_fields(layer, plan, "")
    if isinstance(layer, ConvolutionPlan):
        return (_CONV_FORWARD if isinstance(layer, ConvPlan) else _DEPTHWISE_FORWARD).format(**fields)
    return _DENSE_FORWARD.format(**fields)


def backward_code(layer: WeightedPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: leaves the errors of its inputs in `below`."""
    fields = common_fields(layer, plan, below)
    if isinstance(layer, ConvolutionPlan):
        return (_CONV_BACKWARD if isinstance(layer, ConvPlan) else _DEPTHWISE_BACKWARD).format(**fields)
    assert isinstance(layer, DensePlan)
    own_list = needs_own_list(plan.graph, layer)
    fields["down"] = buffer(f"down{layer.index}") if own_list else below
    spread = _SPREAD.format(**fields) if own_list else ""
    take = _TAKE.format(**fields) if error_name(plan.graph, layer.output_tensor).startswith("g") else ""
    return _DENSE_BACKWARD.format(take=take, spread=spread, **fields)


def common_fields(layer: WeightedPlan, plan: Plan, below: str) -> dict[str, object]:
    """What the C of a layer with frozen rows is made of."""
    above = error_name(plan.graph, layer.output_tensor)
    return {
        "step": layer.step,
        "index": layer.index,
        "layer": frozen_layer(layer),
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "patch": buffer(f"patch{layer.index}"),
        "scaled": buffer(f"e{layer.index}"),
        "list": buffer(f"list{layer.output_tensor}"),
        "above": buffer(above),
        "scale": "jrg_nn_conv_scale_list" if above.startswith("list") else "jrg_nn_conv_scale",
        "below": below,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "output_width": layer.output_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
    }


def frozen_layer(layer: WeightedPlan) -> str:
    """The jrg_nn_dense_w8 or jrg_nn_conv_w8 of a layer's frozen rows; they are only read."""
    name = f"jrg_model_frozen{layer.index}"
    pointers = f"(int8_t *){name}_weights, (int32_t *){name}_biases, {name}_channels"
    if isinstance(layer, ConvolutionPlan):
        return f"{{{conv_geometry_code(layer)},\n                                  {pointers},\n" + (
            f"                                  {layer.frozen_rows}u, {layer.error_width}u}}"
        )
    sizes = f"{layer.inputs}u, {layer.frozen_rows}u, {layer.input_width}u, {layer.error_width}u"
    return f"{{{pointers},\n                                   {sizes}}}"


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
