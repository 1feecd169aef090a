/* A7.2: the error of a convolution's inputs, with the weights as they were. */
#ifndef JRG_NN_CONV_BACKWARD_H
#define JRG_NN_CONV_BACKWARD_H

#include "conv/jrg_nn_conv.h"       // jrg_nn_conv
#include "weighted/jrg_nn_errors.h" // jrg_nn_mask_errors
#if JRG_NN_DSP
#include "conv/jrg_nn_conv_backward_dsp.h" // jrg_nn_conv_add_tap_dsp
#endif

/* Lists the channels whose error at a position is not 0: e, and the place of their weights; ended by an entry of 0. errors:
 * the position's error in channel 0. rows: [outputs + 1]. Returns their number. */
JRG_NN_INLINE uint32_t jrg_nn_conv_active_channels(const jrg_nn_conv *conv, const int16_t *errors,
                                                   jrg_nn_row_error *rows)
{
    const uint32_t inputs = conv->geometry.kernel_height * conv->geometry.kernel_width * conv->geometry.channels;
    const uint32_t stride = inputs + (inputs & 1u);
    const uint32_t error_stride = jrg_nn_conv_error_stride(conv);
    uint32_t count = 0;
    for (uint32_t place = 0; place < conv->outputs * stride; place += stride) {
        if (*errors != 0) {
            rows[count] = (jrg_nn_row_error){*errors, place};
            count++;
        }
        errors += error_stride;
    }
    rows[count] = (jrg_nn_row_error){0};
    return count;
}

/* Adds w * e of all listed channels to the errors of `count` inputs. weights: theirs in the row of channel 0. */
JRG_NN_INLINE void jrg_nn_conv_add_tap(const jrg_nn_row_error *rows, const int16_t *weights, uint32_t count,
                                       int32_t *below)
{
#if JRG_NN_DSP
    if (count % 8u == 0u) {
        jrg_nn_conv_add_tap_dsp(rows, weights, count, below);
        return;
    }
#endif
    for (const jrg_nn_row_error *row = rows; row->value != 0; row++) {
        for (uint32_t i = 0; i < count; i++) {
            below[i] += weights[row->row + i] * row->value;
        }
    }
}

/* One position: adds its share to all inputs under it. rows: its active channels. */
JRG_NN_INLINE void jrg_nn_conv_backward_position(const jrg_nn_conv *conv, const jrg_nn_row_error *rows,
                                                 jrg_nn_span row_span, jrg_nn_span column_span, int32_t *below)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
#pragma GCC unroll 1
    for (uint32_t ky = row_span.first; ky < row_span.end; ky++) {
        jrg_nn_line line = jrg_nn_line_under(geometry, row_span, column_span, ky, below);
#pragma GCC unroll 1
        for (uint32_t kx = column_span.first; kx < column_span.end; kx++) {
            jrg_nn_conv_add_tap(rows, conv->weights + line.weights, geometry->channels, line.below);
            line.below += geometry->channels;
            line.weights += geometry->channels;
        }
    }
}

/* scaled: of jrg_nn_conv_scale. x: [height][width][channels] of the forward pass; rectified: a ReLU made it. below:
 * [height][width][channels], written. rows: scratch, [outputs + 1]. Returns the error below; its exponent is 0. */
JRG_NN_INLINE jrg_nn_error jrg_nn_conv_backward(const jrg_nn_conv *conv, const int16_t *scaled, const int16_t *x,
                                                bool rectified, jrg_nn_row_error *rows, int32_t *below)
{
    const uint32_t inputs = conv->geometry.height * conv->geometry.width * conv->geometry.channels;
    jrg_nn_clear_errors(below, inputs);
#pragma GCC unroll 1
    for (uint32_t row = 0; row < conv->geometry.rows; row++) {
        const jrg_nn_span row_span = jrg_nn_row_span(&conv->geometry, row);
#pragma GCC unroll 1
        for (uint32_t column = 0; column < conv->geometry.columns; column++) {
            if (jrg_nn_conv_active_channels(conv, scaled, rows) != 0u) {
                jrg_nn_conv_backward_position(conv, rows, row_span, jrg_nn_column_span(&conv->geometry, column), below);
            }
            scaled++;
        }
    }
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, inputs, rectified)};
}

#endif
