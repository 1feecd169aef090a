/* A7.4, A7.5: gradient and update of a convolution: every weight's gradient is summed in a register and applied at once. */
#ifndef JRG_NN_CONV_UPDATE_H
#define JRG_NN_CONV_UPDATE_H

#include "conv/jrg_nn_conv.h"           // jrg_nn_conv
#include "conv/jrg_nn_conv3x3_update.h" // jrg_nn_conv3x3_update
#include "conv/jrg_nn_conv_rate.h"      // jrg_nn_conv_stepped_weight
#if JRG_NN_DSP
#include "conv/jrg_nn_conv_active_dsp.h" // jrg_nn_conv_active_update_dsp
#include "conv/jrg_nn_conv_update_dsp.h" // jrg_nn_conv_update_column_dsp
#endif

/* The weights number k of all channels. column: of jrg_nn_column. */
JRG_NN_INLINE void jrg_nn_conv_update_column(const jrg_nn_conv *conv, const int16_t *scaled, const int16_t *column,
                                             uint32_t k, uint32_t stride, jrg_nn_conv_rate rate)
{
    const uint32_t error_stride = jrg_nn_conv_error_stride(conv);
    rate.dither = jrg_nn_weight_dither(rate.dither, k);
#if JRG_NN_DSP
    jrg_nn_conv_update_column_dsp(conv->weights + k, scaled, column, conv->outputs, stride, error_stride, rate);
#else
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        int16_t *weight = conv->weights + channel * stride + k;
        int32_t gradient = 0;
        for (uint32_t i = 0; i < error_stride; i++) {
            gradient += (int32_t)scaled[i] * column[i];
        }
        *weight = jrg_nn_conv_stepped_weight(*weight, gradient, rate.factor, rate.dither);
        rate.dither = jrg_nn_plane_dither(rate.dither, 0, 1u);
        scaled += error_stride;
    }
#endif
}

/* scaled: of jrg_nn_conv_scale, with error_exponent. x: [height][width][channels] of the forward pass. layer_key:
 * jrg_nn_dither_layer of this layer. column: scratch, [positions padded to even], or that of jrg_nn_border for 3 x 3
 * weights over one channel; 4-aligned. */
JRG_NN_INLINE void jrg_nn_conv_update(const jrg_nn_conv *conv, const int16_t *scaled, int32_t error_exponent,
                                      const int16_t *x, jrg_nn_exponents exponents, jrg_nn_step_rate step_rate,
                                      uint32_t layer_key, int16_t *column)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const jrg_nn_conv_rate rate = jrg_nn_conv_rate_of(step_rate, error_exponent, exponents, layer_key);
    const jrg_nn_conv_bias_rate bias_rate = jrg_nn_conv_bias_rate_of(step_rate, error_exponent, exponents);
    if (jrg_nn_is_conv3x3(geometry)) {
        jrg_nn_conv3x3_update(conv, scaled, x, rate, bias_rate, column);
        return;
    }
#if JRG_NN_DSP
    if (jrg_nn_is_conv_active(geometry) &&
        jrg_nn_few_are_active(scaled, conv->outputs * jrg_nn_conv_error_stride(conv))) {
        jrg_nn_conv_active_update_dsp(conv, scaled, x, rate, bias_rate, (uint32_t *)(void *)column);
        return;
    }
#endif
    const uint32_t inputs = geometry->kernel_height * geometry->kernel_width * geometry->channels;
    uint32_t k = 0;
#pragma GCC unroll 1
    for (uint32_t ky = 0; ky < geometry->kernel_height; ky++) {
#pragma GCC unroll 1
        for (uint32_t kx = 0; kx < geometry->kernel_width; kx++) {
#pragma GCC unroll 1
            for (uint32_t channel = 0; channel < geometry->channels; channel++) {
                jrg_nn_column(geometry, x, ky, kx, channel, column);
                jrg_nn_conv_update_column(conv, scaled, column, k, inputs + (inputs & 1u), rate);
                k++;
            }
        }
    }
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        const int16_t *errors = scaled + channel * jrg_nn_conv_error_stride(conv);
        jrg_nn_conv_step_bias(&conv->biases[channel], jrg_nn_conv_error_sum(errors, geometry->rows * geometry->columns),
                              bias_rate);
    }
}

#endif
