/* A8.7: gradient and update of a depthwise convolution with int8 weights. */
#ifndef JRG_NN_DEPTHWISE_UPDATE_W8_H
#define JRG_NN_DEPTHWISE_UPDATE_W8_H

#include "conv_w8/jrg_nn_conv_update_w8.h" // jrg_nn_conv_step_quad_w8
#include "depthwise/jrg_nn_depthwise.h"    // jrg_nn_depthwise_channel_gradients
#include "depthwise/jrg_nn_depthwise_w8.h" // jrg_nn_conv_w8

/* One channel of a layer in one step. */
typedef struct {
    const jrg_nn_conv_geometry *geometry;
    const int16_t *x;      /* [height][width][channels] */
    const int16_t *errors; /* the channel's, [positions padded with 0 to even], 4-aligned */
    int16_t *column;       /* scratch, [positions padded to even], 4-aligned */
    uint32_t number;
} jrg_nn_depthwise_channel;

/* Channel `number` of a layer. scaled: of jrg_nn_conv_scale. */
JRG_NN_INLINE jrg_nn_depthwise_channel jrg_nn_depthwise_channel_of(const jrg_nn_conv_w8 *conv, const int16_t *scaled,
                                                                   const int16_t *x, int16_t *column, uint32_t number)
{
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(conv);
    const int16_t *errors = scaled + number * jrg_nn_conv_error_stride(&shape);
    return (jrg_nn_depthwise_channel){&conv->geometry, x, errors, column, number};
}

/* A7.4 of the weights first..first+3 of a channel; 0 behind the last one. */
JRG_NN_INLINE void jrg_nn_depthwise_quad_gradients(const jrg_nn_depthwise_channel *channel, uint32_t first,
                                                   int32_t gradients[4])
{
    const jrg_nn_conv_geometry *geometry = channel->geometry;
    const uint32_t positions = geometry->rows * geometry->columns;
#pragma GCC unroll 1
    for (uint32_t i = 0; i < 4u; i++) {
        const uint32_t tap = first + i;
        gradients[i] = 0;
        if (tap < geometry->kernel_height * geometry->kernel_width) {
            jrg_nn_column(geometry, channel->x, tap / geometry->kernel_width, tap % geometry->kernel_width,
                          channel->number, channel->column);
            gradients[i] = jrg_nn_dot(channel->errors, channel->column, positions + (positions & 1u));
        }
    }
}

/* A8.4 of one channel. weights: its row. key: jrg_nn_dither_row. */
JRG_NN_INLINE void jrg_nn_depthwise_update_channel_w8(const jrg_nn_depthwise_channel *channel, int8_t *weights,
                                                      uint32_t key, jrg_nn_fine_rate rate)
{
    const jrg_nn_conv_geometry *geometry = channel->geometry;
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
#if JRG_NN_DSP
    if (jrg_nn_is_depthwise_dsp(geometry)) {
        int32_t gradients[JRG_NN_DEPTHWISE_MOST_TAPS + 3u] = {0};
        jrg_nn_depthwise_channel_gradients(geometry, channel->x, channel->errors, channel->number, gradients);
#pragma GCC unroll 1
        for (uint32_t first = 0; first < taps; first += 4u) {
            jrg_nn_conv_step_quad_w8(weights + first, gradients + first, first, key, rate);
        }
        return;
    }
#endif
#pragma GCC unroll 1
    for (uint32_t first = 0; first < taps; first += 4u) {
        int32_t gradients[4];
        jrg_nn_depthwise_quad_gradients(channel, first, gradients);
        jrg_nn_conv_step_quad_w8(weights + first, gradients, first, key, rate);
    }
}

/* As jrg_nn_conv_update_w8. column: scratch, [positions padded to even], 4-aligned. */
JRG_NN_INLINE void jrg_nn_depthwise_update_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, int32_t error_exponent,
                                              const int16_t *x, int32_t input_exponent, jrg_nn_step_rate rate,
                                              uint32_t layer_key, int16_t *column)
{
    const uint32_t stride = jrg_nn_stride_w8(conv->geometry.kernel_height * conv->geometry.kernel_width);
    const int32_t common = rate.exponent + error_exponent - 16;
#pragma GCC unroll 1
    for (uint32_t number = 0; number < conv->outputs; number++) {
        const jrg_nn_depthwise_channel channel = jrg_nn_depthwise_channel_of(conv, scaled, x, column, number);
        jrg_nn_depthwise_update_channel_w8(
            &channel, conv->weights + number * stride, jrg_nn_dither_row(layer_key, number),
            jrg_nn_conv_rate_of_w8(rate.mantissa, common + input_exponent - conv->channels[number]));
    }
    jrg_nn_conv_step_biases_w8(conv, scaled, rate.mantissa, common, input_exponent);
}

#endif
