"""C of a convolution: calls of jrg_nn's kernels with constant geometry."""

from __future__ import annotations

from jaragua_compiler.codegen.convolutional import ConvolutionEmitter

INCLUDES = (
    ("conv/jrg_nn_conv_forward.h", "jrg_nn_conv_forward"),
    ("conv/jrg_nn_conv_backward.h", "jrg_nn_conv_backward"),
    ("conv/jrg_nn_conv_update.h", "jrg_nn_conv_update"),
)
SUM_INCLUDES = (("conv/jrg_nn_conv_sum.h", "jrg_nn_conv_sum"),)

_EMITTER = ConvolutionEmitter(
    forward="""\
const jrg_nn_conv_geometry geometry = {geometry};
    jrg_nn_conv_forward(&geometry, {x}, {weights}, {biases}, {y}, {patch}, {outputs}u,
                        (uint32_t)jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});""",
    declarations="""\
const jrg_nn_conv layer = {layer};""",
    shape="layer",
    pass_down="""\
jrg_nn_error below = jrg_nn_conv_backward(&layer, {scaled}, {x}, {input_rectified},
                                              (jrg_nn_row_error *)(void *){column}, {below});
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    """,
    update="""\
jrg_nn_conv_update(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}], jrg_model_rate,
                       {key}, {column});""",
    sum="""\
jrg_nn_conv_sum(&layer, {scaled}, error.exponent, {x}, jrg_model_exponents[{index}], jrg_model_rate,
                    {column}, {sums});""",
)
forward_code, backward_code, sum_code = _EMITTER.forward_code, _EMITTER.backward_code, _EMITTER.sum_code
