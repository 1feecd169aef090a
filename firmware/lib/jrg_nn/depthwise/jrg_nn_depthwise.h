/* A9.8: a depthwise convolution: A7 with a kernel of its own for each channel. */
#ifndef JRG_NN_DEPTHWISE_H
#define JRG_NN_DEPTHWISE_H

#include "conv/jrg_nn_conv_update.h"    // jrg_nn_conv_stepped_weight
#include "dense/jrg_nn_dense_forward.h" // jrg_nn_activation
#include "weighted/jrg_nn_errors.h"     // jrg_nn_mask_errors
#include "core/jrg_nn_wide.h"           // jrg_nn_rshift_cut
#if JRG_NN_DSP
#include "depthwise/jrg_nn_depthwise_dsp.h" // jrg_nn_depthwise_forward_dsp
#endif

/* The exact sum of one channel at one position. weights: [kernel_height][kernel_width] of the channel. */
JRG_NN_INLINE int64_t jrg_nn_depthwise_sum(const jrg_nn_conv_geometry *geometry, const int16_t *x,
                                           const int16_t *weights, jrg_nn_meeting at, uint32_t channel)
{
    int64_t sum = 0;
    for (uint32_t ky = at.rows.first; ky < at.rows.end; ky++) {
        const uint32_t line = (uint32_t)(at.rows.start + (int32_t)ky) * geometry->width;
        for (uint32_t kx = at.columns.first; kx < at.columns.end; kx++) {
            const uint32_t pixel = line + (uint32_t)(at.columns.start + (int32_t)kx);
            sum += (int32_t)weights[ky * geometry->kernel_width + kx] * x[pixel * geometry->channels + channel];
        }
    }
    return sum;
}

/* x: [height][width][channels]. conv: its outputs are the channels, its weights [channels][taps padded to even].
 * y: [positions][channels]. patch: scratch, [taps][channels], padded to even. x, weights and patch are 4-aligned.
 * shift: 2..30 (A3.3). */
JRG_NN_INLINE void jrg_nn_depthwise_forward(const jrg_nn_conv *conv, const int16_t *x, int16_t *y, int16_t *patch,
                                            uint32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
#if JRG_NN_DSP
    if (jrg_nn_is_depthwise_dsp(geometry)) {
        jrg_nn_depthwise_forward_dsp(conv, x, y, patch, shift, output_width, relu);
        return;
    }
#endif
    (void)patch;
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    for (uint32_t row = 0; row < geometry->rows; row++) {
        const jrg_nn_span rows = jrg_nn_row_span(geometry, row);
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const jrg_nn_meeting at = {rows, jrg_nn_column_span(geometry, column)};
            const int16_t *weights = conv->weights;
            for (uint32_t channel = 0; channel < geometry->channels; channel++) {
                const int64_t sum = jrg_nn_depthwise_sum(geometry, x, weights, at, channel);
                const int32_t value = jrg_nn_rshift_cut(sum + conv->biases[channel], shift);
                *y++ = jrg_nn_activation(value, output_width, relu);
                weights += taps + (taps & 1u);
            }
        }
    }
}

/* Adds the share of one position and channel to the inputs under it. */
JRG_NN_INLINE void jrg_nn_depthwise_spread(const jrg_nn_conv_geometry *geometry, const int16_t *weights, int32_t error,
                                           jrg_nn_meeting at, uint32_t channel, int32_t *below)
{
    for (uint32_t ky = at.rows.first; ky < at.rows.end; ky++) {
        for (uint32_t kx = at.columns.first; kx < at.columns.end; kx++) {
            const uint32_t pixel = jrg_nn_pixel_under(geometry, at, ky, kx);
            below[pixel * geometry->channels + channel] += (int32_t)weights[ky * geometry->kernel_width + kx] * error;
        }
    }
}

/* scaled: of jrg_nn_conv_scale. As jrg_nn_conv_backward. */
JRG_NN_INLINE jrg_nn_error jrg_nn_depthwise_backward(const jrg_nn_conv *conv, const int16_t *scaled, const int16_t *x,
                                                     bool rectified, int32_t *below)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t inputs = geometry->height * geometry->width * geometry->channels;
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    jrg_nn_clear_errors(below, inputs);
    for (uint32_t channel = 0; channel < geometry->channels; channel++) {
        const int16_t *weights = conv->weights + channel * (taps + (taps & 1u));
        const int16_t *error = scaled + channel * jrg_nn_conv_error_stride(conv);
        for (uint32_t row = 0; row < geometry->rows; row++) {
            const jrg_nn_span rows = jrg_nn_row_span(geometry, row);
            for (uint32_t column = 0; column < geometry->columns; column++) {
                const int32_t e = *error++;
                if (e == 0) {
                    continue;
                }
#if JRG_NN_DSP
                if (jrg_nn_is_depthwise_dsp(geometry) && jrg_nn_is_inside(geometry, row, column)) {
                    int32_t *to = below + jrg_nn_place_under(geometry, row, column) + channel;
                    jrg_nn_depthwise_spread_dsp(geometry, weights, e, to);
                    continue;
                }
#endif
                const jrg_nn_meeting at = {rows, jrg_nn_column_span(geometry, column)};
                jrg_nn_depthwise_spread(geometry, weights, e, at, channel, below);
            }
        }
    }
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, inputs, rectified)};
}

/* Adds e * x of one position to the gradients of a channel: sums [kernel_height][kernel_width]. */
JRG_NN_INLINE void jrg_nn_depthwise_gradients(const jrg_nn_conv_geometry *geometry, const int16_t *x, int32_t error,
                                              jrg_nn_meeting at, uint32_t channel, int32_t *sums)
{
    for (uint32_t ky = at.rows.first; ky < at.rows.end; ky++) {
        const uint32_t line = (uint32_t)(at.rows.start + (int32_t)ky) * geometry->width;
        for (uint32_t kx = at.columns.first; kx < at.columns.end; kx++) {
            const uint32_t pixel = line + (uint32_t)(at.columns.start + (int32_t)kx);
            sums[ky * geometry->kernel_width + kx] += error * x[pixel * geometry->channels + channel];
        }
    }
}

#if JRG_NN_DSP
/* A7.4 of one channel: its gradients [kernel_height][kernel_width]. errors: of the channel. At most 25 taps. */
JRG_NN_INLINE void jrg_nn_depthwise_channel_gradients(const jrg_nn_conv_geometry *geometry, const int16_t *x,
                                                      const int16_t *errors, uint32_t channel, int32_t *gradients)
{
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    int32_t inside[JRG_NN_DEPTHWISE_MOST_TAPS] = {0};
    jrg_nn_clear_errors(gradients, taps);
#pragma GCC unroll 1
    for (uint32_t row = 0; row < geometry->rows; row++) {
        const jrg_nn_span rows = jrg_nn_row_span(geometry, row);
#pragma GCC unroll 1
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const int32_t error = *errors++;
            if (error == 0) {
                continue;
            }
            if (jrg_nn_is_inside(geometry, row, column)) {
                const int16_t *at = x + jrg_nn_place_under(geometry, row, column) + channel;
                jrg_nn_depthwise_gradients_dsp(geometry, at, error, inside);
            } else {
                const jrg_nn_meeting at = {rows, jrg_nn_column_span(geometry, column)};
                jrg_nn_depthwise_gradients(geometry, x, error, at, channel, gradients);
            }
        }
    }
#pragma GCC unroll 25
    for (uint32_t tap = 0; tap < taps; tap++) {
        gradients[tap] += inside[tap];
    }
}
#endif

/* The weights of one channel. errors: its own; rate.dither: rho of its first pair; column: scratch of jrg_nn_column. */
JRG_NN_INLINE void jrg_nn_depthwise_update_channel(const jrg_nn_conv_geometry *geometry, const int16_t *errors,
                                                   const int16_t *x, uint32_t channel, int16_t *weights,
                                                   jrg_nn_conv_rate rate, int16_t *column)
{
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
#if JRG_NN_DSP
    int32_t gradients[JRG_NN_DEPTHWISE_MOST_TAPS];
    if (jrg_nn_is_depthwise_dsp(geometry)) {
        jrg_nn_depthwise_channel_gradients(geometry, x, errors, channel, gradients);
        for (uint32_t tap = 0; tap < taps; tap++) {
            const uint32_t rho = jrg_nn_weight_dither(rate.dither, tap);
            weights[tap] = jrg_nn_conv_stepped_weight(weights[tap], gradients[tap], rate.factor, rho);
        }
        return;
    }
#endif
    const uint32_t positions = geometry->rows * geometry->columns;
    for (uint32_t tap = 0; tap < taps; tap++) {
        jrg_nn_column(geometry, x, tap / geometry->kernel_width, tap % geometry->kernel_width, channel, column);
        const int32_t gradient = jrg_nn_dot(errors, column, positions + (positions & 1u));
        const uint32_t rho = jrg_nn_weight_dither(rate.dither, tap);
        weights[tap] = jrg_nn_conv_stepped_weight(weights[tap], gradient, rate.factor, rho);
    }
}

/* As jrg_nn_conv_update. */
JRG_NN_INLINE void jrg_nn_depthwise_update(const jrg_nn_conv *conv, const int16_t *scaled, int32_t error_exponent,
                                           const int16_t *x, jrg_nn_exponents exponents, jrg_nn_step_rate step_rate,
                                           uint32_t layer_key, int16_t *column)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    const uint32_t row = taps + (taps & 1u);
    const jrg_nn_conv_bias_rate bias_rate = jrg_nn_conv_bias_rate_of(step_rate, error_exponent, exponents);
    jrg_nn_conv_rate rate = jrg_nn_conv_rate_of(step_rate, error_exponent, exponents, layer_key);
    for (uint32_t channel = 0; channel < geometry->channels; channel++) {
        const int16_t *errors = scaled + channel * jrg_nn_conv_error_stride(conv);
        jrg_nn_depthwise_update_channel(geometry, errors, x, channel, conv->weights + channel * row, rate, column);
        const int32_t sum = jrg_nn_conv_error_sum(errors, geometry->rows * geometry->columns);
        jrg_nn_conv_step_bias(&conv->biases[channel], sum, bias_rate);
        rate.dither = jrg_nn_plane_dither(rate.dither, 0, 1u);
    }
}

#endif
