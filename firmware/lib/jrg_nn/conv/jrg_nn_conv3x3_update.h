/* A7.4, A7.5 for 3 x 3 weights over an image of one channel: the 9 gradients of an output channel stay in registers for all
 * positions, and positions without an error are skipped. */
#ifndef JRG_NN_CONV3X3_UPDATE_H
#define JRG_NN_CONV3X3_UPDATE_H

#include "conv/jrg_nn_conv3x3_forward.h" // JRG_NN_CONV3X3_STRIDE
#include "conv/jrg_nn_conv_rate.h"       // jrg_nn_conv_stepped_weight

/* A7.4 of one channel: its 9 gradients. errors: [positions], of jrg_nn_conv_scale, 4-aligned; bordered: of jrg_nn_border. */
JRG_NN_INLINE void jrg_nn_conv3x3_gradients(const jrg_nn_conv_geometry *geometry, const int16_t *errors,
                                            const int16_t *bordered, int32_t gradients[9])
{
    const uint32_t line = jrg_nn_border_stride(geometry);
#if JRG_NN_DSP
    jrg_nn_conv3x3_gradients_dsp(errors, bordered, geometry->rows, geometry->columns, geometry->stride_y * line,
                                 geometry->stride_x, line, gradients);
#else
    for (uint32_t tap = 0; tap < 9u; tap++) {
        gradients[tap] = 0;
    }
    for (uint32_t position = 0; position < geometry->rows * geometry->columns; position++) {
        const uint32_t row = position / geometry->columns;
        const uint32_t column = position % geometry->columns;
        const int16_t *at = bordered + row * geometry->stride_y * line + column * geometry->stride_x;
        for (uint32_t tap = 0; tap < 9u && errors[position] != 0; tap++) {
            gradients[tap] += (int32_t)errors[position] * at[tap / 3u * line + tap % 3u];
        }
    }
#endif
}

/* As jrg_nn_conv_update, for a window of 3 x 3 and one channel. bordered: scratch of jrg_nn_border, 4-aligned. */
JRG_NN_INLINE void jrg_nn_conv3x3_update(const jrg_nn_conv *conv, const int16_t *scaled, const int16_t *x,
                                         jrg_nn_conv_rate rate, jrg_nn_conv_bias_rate bias_rate, int16_t *bordered)
{
    const uint32_t stride = jrg_nn_conv_error_stride(conv);
    jrg_nn_border(&conv->geometry, x, bordered);
#pragma GCC unroll 1
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        int16_t *weights = conv->weights + channel * JRG_NN_CONV3X3_STRIDE;
        int32_t gradients[9];
        jrg_nn_conv3x3_gradients(&conv->geometry, scaled, bordered, gradients);
        for (uint32_t tap = 0; tap < 9u; tap++) {
            const uint32_t rho = jrg_nn_weight_dither(rate.dither, tap);
            weights[tap] = jrg_nn_conv_stepped_weight(weights[tap], gradients[tap], rate.factor, rho);
        }
        rate.dither = jrg_nn_plane_dither(rate.dither, 0, 1u);
        const int32_t sum = jrg_nn_conv_error_sum(scaled, conv->geometry.rows * conv->geometry.columns);
        jrg_nn_conv_step_bias(&conv->biases[channel], sum, bias_rate);
        scaled += stride;
    }
}

#endif
