"""C of a convolution with int8 weights (A8): calls of jrg_nn's kernels with constant geometry."""

from __future__ import annotations

from jaragua_compiler.codegen.convolutional import ConvolutionEmitter

INCLUDES = (
    ("conv_w8/jrg_nn_conv_w8.h", "jrg_nn_conv_forward_w8"),
    ("conv_w8/jrg_nn_conv_backward_w8.h", "jrg_nn_conv_backward_w8"),
    ("conv_w8/jrg_nn_conv_update_w8.h", "jrg_nn_conv_update_w8"),
)
SUM_INCLUDES = (("conv_w8/jrg_nn_conv_sum_w8.h", "jrg_nn_conv_sum_w8"),)

_EMITTER = ConvolutionEmitter(
    forward="""\
const jrg_nn_conv_w8 layer = {layer};
    jrg_nn_conv_forward_w8(&layer, {x}, {y}, {patch}, jrg_model_exponents[{index}].forward_shift,
                           {output_width}u, {relu});""",
    declarations="""\
const jrg_nn_conv_w8 layer = {layer};
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(&layer);""",
    shape="shape",
    pass_down="""\
jrg_nn_error below = jrg_nn_conv_backward_w8(&layer, {scaled}, {x}, {input_rectified},
                                                 jrg_model_exponents[{index}].weight_exponent, jrg_model_rows_w8,
                                                 {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """,
    update="""\
jrg_nn_conv_update_w8(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                          jrg_model_rate, {key}, {column});""",
    sum="""\
jrg_nn_conv_sum_w8(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}].input_exponent,
                       jrg_model_rate, {column}, {sums});""",
)
forward_code, backward_code, sum_code = _EMITTER.forward_code, _EMITTER.backward_code, _EMITTER.sum_code
