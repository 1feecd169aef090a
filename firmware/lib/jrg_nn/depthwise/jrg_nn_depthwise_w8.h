/* A8.7: a depthwise convolution with int8 weights, whether it learns or not: its outputs, and the error of its inputs. */
#ifndef JRG_NN_DEPTHWISE_W8_H
#define JRG_NN_DEPTHWISE_W8_H

#include "conv_w8/jrg_nn_conv_w8.h" // jrg_nn_conv_w8
#include "weighted/jrg_nn_errors.h" // jrg_nn_mask_errors
#if JRG_NN_DSP
#include "depthwise/jrg_nn_depthwise_w8_dsp.h" // jrg_nn_depthwise_forward_w8_dsp
#endif

/* The exact sum of one channel at one position. weights: [taps padded to quads] of the channel (A8.6). */
JRG_NN_INLINE int32_t jrg_nn_depthwise_sum_w8(const jrg_nn_conv_geometry *geometry, const int16_t *x,
                                              const int8_t *weights, jrg_nn_meeting at, uint32_t channel)
{
    int32_t sum = 0;
    for (uint32_t ky = at.rows.first; ky < at.rows.end; ky++) {
        const uint32_t line = (uint32_t)(at.rows.start + (int32_t)ky) * geometry->width;
        for (uint32_t kx = at.columns.first; kx < at.columns.end; kx++) {
            const uint32_t pixel = line + (uint32_t)(at.columns.start + (int32_t)kx);
            const int32_t weight = weights[jrg_nn_place_w8(ky * geometry->kernel_width + kx)];
            sum += weight * x[pixel * geometry->channels + channel];
        }
    }
    return sum;
}

/* A8.2. conv: its outputs are the channels, its K is that of the kernel's taps. x: [height][width][channels] within bx.
 * y: [positions][channels]. patch: scratch, [taps][channels], padded to even. All are 4-aligned. shift: fx - fy; with a
 * channel's fw_o it lies in 2..30 (A3.3). */
JRG_NN_INLINE void jrg_nn_depthwise_forward_w8(const jrg_nn_conv_w8 *conv, const int16_t *x, int16_t *y, int16_t *patch,
                                               int32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
#if JRG_NN_DSP
    if (jrg_nn_is_depthwise_dsp(geometry)) {
        jrg_nn_depthwise_forward_w8_dsp(conv, x, y, patch, shift, output_width, relu);
        return;
    }
#endif
    (void)patch;
    const uint32_t stride = jrg_nn_stride_w8(geometry->kernel_height * geometry->kernel_width);
    for (uint32_t row = 0; row < geometry->rows; row++) {
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const jrg_nn_meeting at = {jrg_nn_row_span(geometry, row), jrg_nn_column_span(geometry, column)};
            for (uint32_t channel = 0; channel < geometry->channels; channel++) {
                const int8_t *weights = conv->weights + channel * stride;
                const int32_t sum = conv->biases[channel] + jrg_nn_depthwise_sum_w8(geometry, x, weights, at, channel);
                const uint32_t down = (uint32_t)(shift + conv->channels[channel]);
                *y++ = jrg_nn_activation(jrg_nn_rshift(sum, down), output_width, relu);
            }
        }
    }
}

/* Adds the share of one position and channel to the inputs under it. */
JRG_NN_INLINE void jrg_nn_depthwise_spread_w8(const jrg_nn_conv_geometry *geometry, const int8_t *weights,
                                              int32_t error, jrg_nn_meeting at, uint32_t channel, int32_t *below)
{
    for (uint32_t ky = at.rows.first; ky < at.rows.end; ky++) {
        const uint32_t line = (uint32_t)(at.rows.start + (int32_t)ky) * geometry->width;
        for (uint32_t kx = at.columns.first; kx < at.columns.end; kx++) {
            const uint32_t pixel = line + (uint32_t)(at.columns.start + (int32_t)kx);
            below[pixel * geometry->channels + channel] +=
                weights[jrg_nn_place_w8(ky * geometry->kernel_width + kx)] * error;
        }
    }
}

/* A8.3 of one channel. scaled: its errors, at all positions. weight_exponent: F. below: [height][width][channels]. */
JRG_NN_INLINE void jrg_nn_depthwise_add_errors_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, uint32_t channel,
                                                  int32_t weight_exponent, int32_t *below)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t shift = (uint32_t)(conv->channels[channel] - weight_exponent);
    const int8_t *weights =
        conv->weights + channel * jrg_nn_stride_w8(geometry->kernel_height * geometry->kernel_width);
#if JRG_NN_DSP
    _Alignas(4) int16_t row_w16[JRG_NN_DEPTHWISE_MOST_TAPS + 3u];
    if (jrg_nn_is_depthwise_dsp(geometry)) {
        jrg_nn_depthwise_unpack_dsp(geometry, weights, row_w16);
    }
#endif
    for (uint32_t row = 0; row < geometry->rows; row++) {
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const int32_t error = shift == 0u ? *scaled : jrg_nn_rshift(*scaled, shift);
#if JRG_NN_DSP
            if (error != 0 && jrg_nn_is_depthwise_dsp(geometry) && jrg_nn_is_inside(geometry, row, column)) {
                int32_t *to = below + jrg_nn_place_under(geometry, row, column) + channel;
                jrg_nn_depthwise_spread_dsp(geometry, row_w16, error, to);
                scaled++;
                continue;
            }
#endif
            if (error != 0) {
                const jrg_nn_meeting at = {jrg_nn_row_span(geometry, row), jrg_nn_column_span(geometry, column)};
                jrg_nn_depthwise_spread_w8(geometry, weights, error, at, channel, below);
            }
            scaled++;
        }
    }
}

/* scaled: of jrg_nn_conv_scale. As jrg_nn_conv_backward_w8, without scratch. */
JRG_NN_INLINE jrg_nn_error jrg_nn_depthwise_backward_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled,
                                                        const int16_t *x, bool rectified, int32_t weight_exponent,
                                                        int32_t *below)
{
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(conv);
    const uint32_t inputs = conv->geometry.height * conv->geometry.width * conv->geometry.channels;
    jrg_nn_clear_errors(below, inputs);
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        const int16_t *errors = scaled + channel * jrg_nn_conv_error_stride(&shape);
        jrg_nn_depthwise_add_errors_w8(conv, errors, channel, weight_exponent, below);
    }
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, inputs, rectified)};
}

#endif
