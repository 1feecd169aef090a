/* A7.1: forward of a convolution: a dense layer on the patch under every position. */
#ifndef JRG_NN_CONV_FORWARD_H
#define JRG_NN_CONV_FORWARD_H

#include "conv/jrg_nn_conv3x3_forward.h" // jrg_nn_conv3x3_forward
#include "dense/jrg_nn_dense_forward.h"  // jrg_nn_dense_forward
#include "core/jrg_nn_wide.h"            // jrg_nn_wide_forward
#include "conv/jrg_nn_conv_geometry.h"   // jrg_nn_patch

#define JRG_NN_CONV_NARROW_INPUTS 128u /* A7.1: up to here 32 bits hold a sum beside any bias */
#define JRG_NN_CONV_WIDE_INPUT 12u     /* A7.1: bits of more inputs, at most */

/* One position of at most 128 inputs and any number of outputs: y need not be aligned. */
JRG_NN_INLINE void jrg_nn_conv_position(const int16_t *patch, const int16_t *weights, const int32_t *biases, int16_t *y,
                                        uint32_t inputs, uint32_t outputs, uint32_t shift, uint32_t output_width,
                                        bool relu)
{
    const uint32_t stride = inputs + (inputs & 1u);
    for (uint32_t j = 0; j < outputs; j++) {
        const int16_t *row = weights + j * stride;
        const int32_t value = jrg_nn_dense_narrow_row(row, patch, biases[j], inputs, shift);
        y[j] = jrg_nn_activation(value, output_width, relu);
    }
}

/* x: [height][width][channels] within the width of A7.1. weights: [outputs][K padded to even]. biases: [outputs] within
 * A2.3. y: [positions][outputs]. patch: scratch, [K padded to even], or that of jrg_nn_border for 3 x 3 weights over one channel. x, weights, y and patch are 4-aligned.
 * shift: 2..30 (A3.3). */
JRG_NN_INLINE void jrg_nn_conv_forward(const jrg_nn_conv_geometry *geometry, const int16_t *x, const int16_t *weights,
                                       const int32_t *biases, int16_t *y, int16_t *patch, uint32_t outputs,
                                       uint32_t shift, uint32_t output_width, bool relu)
{
    if (jrg_nn_is_conv3x3(geometry)) {
        jrg_nn_conv3x3_forward(geometry, x, weights, biases, y, patch, outputs, shift, output_width, relu);
        return;
    }
    const uint32_t inputs = geometry->kernel_height * geometry->kernel_width * geometry->channels;
    if ((inputs & 1u) != 0u) {
        patch[inputs] = 0;
    }
#pragma GCC unroll 1
    for (uint32_t row = 0; row < geometry->rows; row++) {
        const jrg_nn_span rows = jrg_nn_row_span(geometry, row);
#pragma GCC unroll 1
        for (uint32_t column = 0; column < geometry->columns; column++) {
            jrg_nn_patch(geometry, x, rows, jrg_nn_column_span(geometry, column), patch);
            if (inputs > JRG_NN_CONV_NARROW_INPUTS) {
                jrg_nn_wide_forward(patch, weights, biases, y, inputs, outputs,
                                    jrg_nn_wide_part(JRG_NN_CONV_WIDE_INPUT), shift, output_width, relu);
            } else if (outputs % 2u == 0u) {
                jrg_nn_dense_forward(patch, weights, biases, y, inputs, outputs, shift, output_width, relu);
            } else {
                jrg_nn_conv_position(patch, weights, biases, y, inputs, outputs, shift, output_width, relu);
            }
            y += outputs;
        }
    }
}

#endif
