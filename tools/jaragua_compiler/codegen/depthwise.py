"""C of a depthwise convolution."""

from __future__ import annotations

from jaragua_compiler.codegen.convolutional import ConvolutionEmitter

INCLUDES = (("depthwise/jrg_nn_depthwise.h", "jrg_nn_depthwise_forward"),)
SUM_INCLUDES = (("depthwise/jrg_nn_depthwise_sum.h", "jrg_nn_depthwise_sum_steps"),)

_EMITTER = ConvolutionEmitter(
    forward="""\
const jrg_nn_conv layer = {layer};
    jrg_nn_depthwise_forward(&layer, {x}, {y}, {patch}, (uint32_t)jrg_model_exponents[{index}].forward_shift,
                             {output_width}u, {relu});""",
    declarations="""\
const jrg_nn_conv layer = {layer};""",
    shape="layer",
    pass_down="""\
jrg_nn_error below = jrg_nn_depthwise_backward(&layer, {scaled}, {x}, {input_rectified}, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """,
    update="""\
jrg_nn_depthwise_update(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}],
                            jrg_model_rate, {key}, {column});""",
    sum="""\
jrg_nn_depthwise_sum_steps(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}],
                               jrg_model_rate, {column}, {sums});""",
)
forward_code, backward_code, sum_code = _EMITTER.forward_code, _EMITTER.backward_code, _EMITTER.sum_code
