/* A7.1 for 3 x 3 weights over an image of one channel, the first layer of most networks: the 9 inputs of a position stay
 * in registers for all output channels. */
#ifndef JRG_NN_CONV3X3_FORWARD_H
#define JRG_NN_CONV3X3_FORWARD_H

#include "conv/jrg_nn_border.h"         // jrg_nn_border
#include "dense/jrg_nn_dense_forward.h" // jrg_nn_activation
#if JRG_NN_DSP
#include "conv/jrg_nn_conv3x3_dsp.h" // jrg_nn_conv3x3_position_dsp
#endif

#define JRG_NN_CONV3X3_STRIDE 10u /* numbers in a stored row of weights: 9, padded to even (A6) */

/* True if a window is this kernel's. */
JRG_NN_INLINE bool jrg_nn_is_conv3x3(const jrg_nn_conv_geometry *geometry)
{
    return geometry->kernel_height == 3u && geometry->kernel_width == 3u && geometry->channels == 1u;
}

/* One position. x: its first input; line: numbers in a row of x. y: [outputs]. As jrg_nn_conv3x3_forward. */
JRG_NN_INLINE void jrg_nn_conv3x3_position(const int16_t *x, uint32_t line, const int16_t *weights,
                                           const int32_t *biases, int16_t *y, uint32_t outputs, uint32_t shift,
                                           uint32_t output_width, bool relu)
{
#if JRG_NN_DSP
    jrg_nn_conv3x3_position_dsp(x, line, weights, biases, y, outputs, jrg_nn_shift_factor(shift), output_width, relu);
#else
    for (uint32_t channel = 0; channel < outputs; channel++) {
        int32_t sum = biases[channel];
        for (uint32_t tap = 0; tap < 9u; tap++) {
            sum += (int32_t)weights[tap] * x[tap / 3u * line + tap % 3u];
        }
        y[channel] = jrg_nn_activation(jrg_nn_rshift(sum, shift), output_width, relu);
        weights += JRG_NN_CONV3X3_STRIDE;
    }
#endif
}

/* As jrg_nn_conv_forward, for a window of 3 x 3 and one channel. bordered: scratch of jrg_nn_border, 4-aligned. */
JRG_NN_INLINE void jrg_nn_conv3x3_forward(const jrg_nn_conv_geometry *geometry, const int16_t *x,
                                          const int16_t *weights, const int32_t *biases, int16_t *y, int16_t *bordered,
                                          uint32_t outputs, uint32_t shift, uint32_t output_width, bool relu)
{
    const uint32_t line = jrg_nn_border_stride(geometry);
    jrg_nn_border(geometry, x, bordered);
#pragma GCC unroll 1
    for (uint32_t row = 0; row < geometry->rows; row++) {
        const int16_t *at = bordered + row * geometry->stride_y * line;
#pragma GCC unroll 1
        for (uint32_t column = 0; column < geometry->columns; column++) {
            jrg_nn_conv3x3_position(at, line, weights, biases, y, outputs, shift, output_width, relu);
            at += geometry->stride_x;
            y += outputs;
        }
    }
}

#endif
