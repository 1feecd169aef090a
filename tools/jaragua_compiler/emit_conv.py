"""C of a convolution: calls of jrg_nn's kernels with constant geometry."""

from __future__ import annotations

from jaragua_compiler.emit_names import bias_sums, biases, boolean, buffer, dither_key, sums, tensor, weights
from jaragua_compiler.memory import error_name
from jaragua_compiler.plan import Plan
from jaragua_compiler.plan_operators import ConvPlan, PoolPlan, WindowPlan

INCLUDES = (
    ("jrg_nn_conv_forward.h", "jrg_nn_conv_forward"),
    ("jrg_nn_conv_backward.h", "jrg_nn_conv_backward"),
    ("jrg_nn_conv_update.h", "jrg_nn_conv_update"),
)
SUM_INCLUDES = (("jrg_nn_conv_sum.h", "jrg_nn_conv_sum"),)

_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    const jrg_nn_window window = {window};
    jrg_nn_conv_forward(&window, {x}, {weights}, {biases}, {y}, {patch}, {outputs}u,
                        (uint32_t)jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});
}}
"""

_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    const jrg_nn_conv layer = {{{window}, {weights}, {biases}, {outputs}u, {error_width}u}};
    {scale}(&layer, {above}, &error, {scaled});
    {pass_down}{learn}
    {give}
}}
"""

_UPDATE = """\
jrg_nn_conv_update(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}], jrg_model_rate,
                       {key}, {column});"""

_SUM = """\
jrg_nn_conv_sum(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}], jrg_model_rate,
                    {column}, {sums});"""

_PASS_DOWN = """\
jrg_nn_error below = jrg_nn_conv_backward(&layer, {scaled}, {x}, {input_rectified},
                                              (jrg_nn_row_error *)(void *){column}, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """


def forward_code(layer: ConvPlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
    return _FORWARD.format(**_fields(layer, plan, ""))


def backward_code(layer: ConvPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_backward`: gives the errors of its inputs in `below`, then learns (A7.6)."""
    return _learning_code(layer, _fields(layer, plan, below) | {"verb": "backward"}, _UPDATE)


def sum_code(layer: ConvPlan, plan: Plan, below: str) -> str:
    """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
    fields = _fields(layer, plan, below) | {"verb": "sum", "biases": bias_sums(plan, layer), "sums": sums(plan, layer)}
    return _learning_code(layer, fields, _SUM)


def _learning_code(layer: ConvPlan, fields: dict[str, object], learn: str) -> str:
    passes = layer.passes_error[0]
    return _BACKWARD.format(
        learn=learn.format(**fields),
        pass_down=_PASS_DOWN.format(**fields) if passes else "",
        give="return below;" if passes else "return (jrg_nn_error){0};",
        **fields,
    )


def window_code(step: WindowPlan | PoolPlan) -> str:
    """The jrg_nn_window of an operator."""
    window = step.window
    (top, _), (left, _) = window.pads
    numbers = [*step.input_shape, *window.positions, *window.kernel, *window.stride, top, left]
    return "{" + ", ".join(f"{number}u" for number in numbers) + "}"


def _fields(layer: ConvPlan, plan: Plan, below: str) -> dict[str, object]:
    above = error_name(plan.graph, layer.output_tensor)
    return {
        "step": layer.step,
        "index": layer.index,
        "window": window_code(layer),
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "patch": buffer(f"patch{layer.index}"),
        "scaled": buffer(f"e{layer.index}"),
        "column": buffer(f"column{layer.index}"),
        "key": dither_key(layer),
        "above": buffer(above),
        "scale": "jrg_nn_conv_scale_list" if above.startswith("list") else "jrg_nn_conv_scale",
        "below": below,
        "outputs": layer.outputs,
        "output_width": layer.output_width,
        "error_width": layer.error_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
        "weights": weights(layer),
        "biases": biases(layer),
    }
