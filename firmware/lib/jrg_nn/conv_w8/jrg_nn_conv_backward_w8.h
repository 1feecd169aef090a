/* A8.3: the error of a convolution's inputs, with the int8 weights as they were. */
#ifndef JRG_NN_CONV_BACKWARD_W8_H
#define JRG_NN_CONV_BACKWARD_W8_H

#include "conv/jrg_nn_conv_backward.h" // jrg_nn_mask_errors
#include "conv_w8/jrg_nn_conv_w8.h"    // jrg_nn_conv_w8
#if JRG_NN_DSP
#include "conv_w8/jrg_nn_conv_backward_w8_dsp.h" // jrg_nn_conv_add_quad_w8_dsp
#endif
#if JRG_NN_AVX2
#include "core/jrg_nn_w8_avx2.h" // jrg_nn_conv_add_16_w8_avx2
#endif

/* Lists the channels whose e' at a position is not 0, ended as jrg_nn_active_row_w8 says. errors: the position's error in
 * channel 0; weight_exponent: F. Returns their number. */
JRG_NN_INLINE uint32_t jrg_nn_conv_active_channels_w8(const jrg_nn_conv_w8 *conv, const int16_t *errors,
                                                      int32_t weight_exponent, jrg_nn_active_row_w8 *rows)
{
    const uint32_t stride = jrg_nn_stride_w8(jrg_nn_conv_inputs_w8(conv));
    const uint32_t positions = conv->geometry.rows * conv->geometry.columns;
    const uint32_t error_stride = positions + (positions & 1u);
    uint32_t count = 0;
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        const uint32_t shift = (uint32_t)(conv->channels[channel] - weight_exponent);
        const int32_t error = shift == 0u ? *errors : jrg_nn_rshift(*errors, shift);
        if (error != 0) {
            rows[count++] = (jrg_nn_active_row_w8){conv->weights + channel * stride, (int16_t)error, 0, 0};
        }
        errors += error_stride;
    }
    if ((count & 1u) != 0u) {
        rows[count] = (jrg_nn_active_row_w8){conv->weights, 0, 0, 0};
    }
    rows[count + (count & 1u)].weights = NULL;
    return count;
}

/* Adds w * e' of all listed channels (there is one at least) to the errors of `count` inputs. offset: of their weights in a
 * row. */
JRG_NN_INLINE void jrg_nn_conv_add_tap_w8(const jrg_nn_active_row_w8 *rows, uint32_t offset, uint32_t count,
                                          int32_t *below)
{
#if JRG_NN_DSP
    if (count % 4u == 0u) {
        for (uint32_t i = 0; i < count; i += 4u) {
            jrg_nn_conv_add_quad_w8_dsp(rows, offset + i, below + i);
        }
        return;
    }
#elif JRG_NN_AVX2
    if (count % JRG_NN_AVX2_WEIGHTS == 0u && offset % 4u == 0u) {
        for (uint32_t i = 0; i < count; i += JRG_NN_AVX2_WEIGHTS) {
            jrg_nn_conv_add_16_w8_avx2(rows, offset + i, below + i);
        }
        return;
    }
#endif
    for (const jrg_nn_active_row_w8 *row = rows; row->weights != NULL; row++) {
        for (uint32_t i = 0; i < count; i++) {
            below[i] += (int32_t)row->weights[jrg_nn_place_w8(offset + i)] * row->error;
        }
    }
}

/* One position: adds its share to all inputs under it. rows: its active channels. */
JRG_NN_INLINE void jrg_nn_conv_backward_position_w8(const jrg_nn_conv_geometry *geometry,
                                                    const jrg_nn_active_row_w8 *rows, jrg_nn_span row_span,
                                                    jrg_nn_span column_span, int32_t *below)
{
#pragma GCC unroll 1
    for (uint32_t ky = row_span.first; ky < row_span.end; ky++) {
        jrg_nn_line line = jrg_nn_line_under(geometry, row_span, column_span, ky, below);
#pragma GCC unroll 1
        for (uint32_t kx = column_span.first; kx < column_span.end; kx++) {
            jrg_nn_conv_add_tap_w8(rows, line.weights, geometry->channels, line.below);
            line.below += geometry->channels;
            line.weights += geometry->channels;
        }
    }
}

/* Adds the shares of all positions to the errors below. weight_exponent: F. rows: scratch,
 * [outputs made even, and one]. */
JRG_NN_INLINE void jrg_nn_conv_add_errors_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, int32_t weight_exponent,
                                             jrg_nn_active_row_w8 *rows, int32_t *below)
{
#pragma GCC unroll 1
    for (uint32_t row = 0; row < conv->geometry.rows; row++) {
        const jrg_nn_span row_span = jrg_nn_row_span(&conv->geometry, row);
#pragma GCC unroll 1
        for (uint32_t column = 0; column < conv->geometry.columns; column++) {
            if (jrg_nn_conv_active_channels_w8(conv, scaled, weight_exponent, rows) != 0u) {
                jrg_nn_conv_backward_position_w8(&conv->geometry, rows, row_span,
                                                 jrg_nn_column_span(&conv->geometry, column), below);
            }
            scaled++;
        }
    }
}

/* As jrg_nn_conv_backward. weight_exponent: F. rows: scratch, [outputs made even, and one]. */
JRG_NN_INLINE jrg_nn_error jrg_nn_conv_backward_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, const int16_t *x,
                                                   bool rectified, int32_t weight_exponent, jrg_nn_active_row_w8 *rows,
                                                   int32_t *below)
{
    const uint32_t inputs = conv->geometry.height * conv->geometry.width * conv->geometry.channels;
    jrg_nn_clear_errors(below, inputs);
    jrg_nn_conv_add_errors_w8(conv, scaled, weight_exponent, rows, below);
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, inputs, rectified)};
}

#endif
