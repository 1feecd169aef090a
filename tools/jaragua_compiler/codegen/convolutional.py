"""C of an operator whose weights move over an image: convolutions and depthwise ones, with int16 or int8 weights.

They are calls of jrg_nn's kernels with constant geometry.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.codegen import weighted
from jaragua_compiler.codegen.names import call
from jaragua_compiler.planning.operators import ConvolutionPlan
from jaragua_compiler.planning.plan import Plan

_LAYER = "const jrg_nn_conv layer = {layer};"
_LAYER_W8 = "const jrg_nn_conv_w8 layer = {layer};"
_SHAPE_W8 = "const jrg_nn_conv shape = jrg_nn_conv_shape_w8(&layer);"


@dataclass(frozen=True)
class ConvolutionEmitter(weighted.WeightedEmitter):
    """The kernels of one kind of operator: statements, templates with the fields of `layer_fields`."""

    pass_down: str
    update: str
    sum: str

    def forward_code(self, layer: ConvolutionPlan, plan: Plan) -> str:
        """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
        return weighted.forward_function(self.forward, weighted.layer_fields(layer, plan, ""))

    def backward_code(self, layer: ConvolutionPlan, plan: Plan, below: str) -> str:
        """The function `jrg_model_step<step>_backward`: gives the errors of its inputs in `below`, then learns."""
        learn = [self.update] if layer.trains else []
        return self._backward(layer, "backward", learn, weighted.layer_fields(layer, plan, below))

    def sum_code(self, layer: ConvolutionPlan, plan: Plan, below: str) -> str:
        """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
        return self._backward(layer, "sum", [self.sum], weighted.sum_fields(layer, plan, below))

    def _backward(self, layer: ConvolutionPlan, verb: str, learn: list[str], fields: weighted.Fields) -> str:
        declarations = [_LAYER_W8, _SHAPE_W8] if layer.per_channel else [_LAYER]
        scale = f"{{scale}}(&{'shape' if layer.per_channel else 'layer'}, {{above}}, &error, {{scaled}});"
        down = [self.pass_down, weighted.EXPONENT_BELOW] if layer.passes_error[0] else []
        give = weighted.RETURN_BELOW if layer.passes_error[0] else weighted.NO_ERROR
        return weighted.backward_function(verb, [*declarations, scale, *down, *learn, give], fields)


CONV = ConvolutionEmitter(
    INCLUDES=(
        ("conv/jrg_nn_conv_forward.h", "jrg_nn_conv_forward"),
        ("conv/jrg_nn_conv_backward.h", "jrg_nn_conv_backward"),
        ("conv/jrg_nn_conv_update.h", "jrg_nn_conv_update"),
    ),
    SUM_INCLUDES=(("conv/jrg_nn_conv_sum.h", "jrg_nn_conv_sum"),),
    forward=(
        "const jrg_nn_conv_geometry geometry = {geometry};",
        call(
            "jrg_nn_conv_forward",
            "&geometry, {x}, {weights}, {biases}, {y}, {patch}, {outputs}u,",
            "(uint32_t)jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu}",
        ),
    ),
    pass_down=call(
        "jrg_nn_conv_backward",
        "&layer, {scaled}, {x}, {input_rectified},",
        "(jrg_nn_row_error *)(void *){column}, {below}",
        result="jrg_nn_error below = ",
    ),
    update=call(
        "jrg_nn_conv_update",
        "&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}], jrg_model_rate,",
        "{key}, {column}",
    ),
    sum=call(
        "jrg_nn_conv_sum",
        "&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}], jrg_model_rate,",
        "{column}, {sums}",
    ),
)

_DEPTHWISE_STEP = "&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}],"
DEPTHWISE = ConvolutionEmitter(
    (("depthwise/jrg_nn_depthwise.h", "jrg_nn_depthwise_forward"),),
    (("depthwise/jrg_nn_depthwise_sum.h", "jrg_nn_depthwise_sum_steps"),),
    (
        _LAYER,
        call(
            "jrg_nn_depthwise_forward",
            "&layer, {x}, {y}, {patch}, (uint32_t)jrg_model_exponents[{index}].forward_shift,",
            "{output_width}u, {relu}",
        ),
    ),
    call(
        "jrg_nn_depthwise_backward",
        "&layer, {scaled}, {x}, {input_rectified}, {below}",
        result="jrg_nn_error below = ",
    ),
    call("jrg_nn_depthwise_update", _DEPTHWISE_STEP, "jrg_model_rate, {key}, {column}"),
    call("jrg_nn_depthwise_sum_steps", _DEPTHWISE_STEP, "jrg_model_rate, {column}, {sums}"),
)


def _emitter_w8(includes: weighted.Includes, sum_includes: weighted.Includes, *last: str) -> ConvolutionEmitter:
    """The kernels of int8 weights (A8) have the names that `includes` tells: the forward pass first, the update last.

    last: lines of the arguments of the backward kernel, behind the weights' exponent.
    """
    (_, forward), (_, update), (_, step_sum) = includes[0], includes[-1], sum_includes[0]
    step = "&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,"
    first, *further = last
    return ConvolutionEmitter(
        includes,
        sum_includes,
        (
            _LAYER_W8,
            call(
                forward,
                "&layer, {x}, {y}, {patch}, jrg_model_exponents[{index}].forward_shift,",
                "{output_width}u, {relu}",
            ),
        ),
        call(
            forward.replace("forward", "backward"),
            "&layer, {scaled}, {x}, {input_rectified},",
            f"jrg_model_exponents[{{index}}].weight_exponent, {first}",
            *further,
            result="jrg_nn_error below = ",
        ),
        call(update, step, "jrg_model_rate, {key}, {column}"),
        call(step_sum, step, "jrg_model_rate, {column}, {sums}"),
    )


CONV_W8 = _emitter_w8(
    (
        ("conv_w8/jrg_nn_conv_w8.h", "jrg_nn_conv_forward_w8"),
        ("conv_w8/jrg_nn_conv_backward_w8.h", "jrg_nn_conv_backward_w8"),
        ("conv_w8/jrg_nn_conv_update_w8.h", "jrg_nn_conv_update_w8"),
    ),
    (("conv_w8/jrg_nn_conv_sum_w8.h", "jrg_nn_conv_sum_w8"),),
    "jrg_model_rows_w8,",
    "{below}",
)
DEPTHWISE_W8 = _emitter_w8(
    (
        ("depthwise/jrg_nn_depthwise_w8.h", "jrg_nn_depthwise_forward_w8"),
        ("depthwise/jrg_nn_depthwise_update_w8.h", "jrg_nn_depthwise_update_w8"),
    ),
    (("depthwise/jrg_nn_depthwise_sum_w8.h", "jrg_nn_depthwise_sum_steps_w8"),),
    "{below}",
)
