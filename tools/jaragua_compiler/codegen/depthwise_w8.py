"""C of a depthwise convolution with int8 weights that learns (A8.7)."""

from __future__ import annotations

from jaragua_compiler.codegen.convolutional import ConvolutionEmitter

INCLUDES = (
    ("depthwise/jrg_nn_depthwise_w8.h", "jrg_nn_depthwise_forward_w8"),
    ("depthwise/jrg_nn_depthwise_update_w8.h", "jrg_nn_depthwise_update_w8"),
)
SUM_INCLUDES = (("depthwise/jrg_nn_depthwise_sum_w8.h", "jrg_nn_depthwise_sum_steps_w8"),)

_EMITTER = ConvolutionEmitter(
    forward="""\
const jrg_nn_conv_w8 layer = {layer};
    jrg_nn_depthwise_forward_w8(&layer, {x}, {y}, {patch}, jrg_model_exponents[{index}].forward_shift,
                                {output_width}u, {relu});""",
    declarations="""\
const jrg_nn_conv_w8 layer = {layer};
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(&layer);""",
    shape="shape",
    pass_down="""\
jrg_nn_error below = jrg_nn_depthwise_backward_w8(&layer, {scaled}, {x}, {input_rectified},
                                                      jrg_model_exponents[{index}].weight_exponent, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """,
    update="""\
jrg_nn_depthwise_update_w8(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                               jrg_model_rate, {key}, {column});""",
    sum="""\
jrg_nn_depthwise_sum_steps_w8(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                                  jrg_model_rate, {column}, {sums});""",
)
forward_code, backward_code, sum_code = _EMITTER.forward_code, _EMITTER.backward_code, _EMITTER.sum_code
