"""C of an operator whose weights move over an image: what convolutions and depthwise ones, in either format, share."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.codegen.names import (
    bias_sums,
    biases,
    boolean,
    buffer,
    channels,
    dither_key,
    sums,
    tensor,
    weights,
    weights_w8,
)
from jaragua_compiler.planning.memory import error_name
from jaragua_compiler.planning.operators import ConvolutionPlan, PoolPlan
from jaragua_compiler.planning.plan import Plan

_FORWARD = """\
static void jrg_model_step{step}_forward(void)
{{
    {forward}
}}
"""

_BACKWARD = """\
static jrg_nn_error jrg_model_step{step}_{verb}(jrg_nn_error error)
{{
    {declarations}
    {scale}(&{shape}, {above}, &error, {scaled});
    {pass_down}{learn}
    {give}
}}
"""


@dataclass(frozen=True)
class ConvolutionEmitter:
    """The calls of one kind of operator: C with the fields of `_fields` in braces.

    shape: the variable that is a jrg_nn_conv; declarations: of it and of what the calls below name.
    """

    forward: str
    declarations: str
    shape: str
    pass_down: str
    update: str
    sum: str

    def forward_code(self, layer: ConvolutionPlan, plan: Plan) -> str:
        """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
        fields = _fields(layer, plan, "")
        return _FORWARD.format(forward=self.forward.format(**fields), **fields)

    def backward_code(self, layer: ConvolutionPlan, plan: Plan, below: str) -> str:
        """The function `jrg_model_step<step>_backward`: gives the errors of its inputs in `below`, then learns."""
        return self._learning_code(layer, _fields(layer, plan, below) | {"verb": "backward"}, self.update)

    def sum_code(self, layer: ConvolutionPlan, plan: Plan, below: str) -> str:
        """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
        fields = _fields(layer, plan, below) | {"verb": "sum", "sums": sums(plan, layer)}
        fields["layer"] = _layer(layer, bias_sums(plan, layer))
        return self._learning_code(layer, fields, self.sum)

    def _learning_code(self, layer: ConvolutionPlan, fields: dict[str, object], learn: str) -> str:
        passes = layer.passes_error[0]
        return _BACKWARD.format(
            declarations=self.declarations.format(**fields),
            shape=self.shape,
            learn=learn.format(**fields),
            pass_down=self.pass_down.format(**fields) if passes else "",
            give="return below;" if passes else "return (jrg_nn_error){0};",
            **fields,
        )


def conv_geometry_code(step: ConvolutionPlan | PoolPlan) -> str:
    """The jrg_nn_conv_geometry of an operator."""
    geometry = step.geometry
    (top, _), (left, _) = geometry.pads
    numbers = [*step.input_shape, *geometry.positions, *geometry.kernel, *geometry.stride, top, left]
    return "{" + ", ".join(f"{number}u" for number in numbers) + "}"


def _layer(layer: ConvolutionPlan, bias_pointer: str) -> str:
    """The jrg_nn_conv of a layer, or its jrg_nn_conv_w8."""
    pointers = f"{weights(layer)}, {bias_pointer}"
    if layer.per_channel:
        pointers = f"{weights_w8(layer)}, {bias_pointer},\n                                  {channels(layer)}"
    return "{" + f"{conv_geometry_code(layer)}, {pointers}, {layer.outputs}u, {layer.error_width}u" + "}"


def _fields(layer: ConvolutionPlan, plan: Plan, below: str) -> dict[str, object]:
    above = error_name(plan.graph, layer.output_tensor)
    return {
        "step": layer.step,
        "index": layer.index,
        "layer": _layer(layer, biases(layer)),
        "geometry": conv_geometry_code(layer),
        "weights": weights(layer),
        "biases": biases(layer),
        "outputs": layer.outputs,
        "x": tensor(layer.input_tensor),
        "y": tensor(layer.output_tensor),
        "patch": buffer(f"patch{layer.index}"),
        "scaled": buffer(f"e{layer.index}"),
        "column": buffer(f"column{layer.index}"),
        "key": dither_key(layer),
        "above": buffer(above),
        "scale": "jrg_nn_conv_scale_list" if above.startswith("list") else "jrg_nn_conv_scale",
        "below": below,
        "output_width": layer.output_width,
        "relu": boolean(layer.relu),
        "input_rectified": boolean(layer.input_rectified),
    }
