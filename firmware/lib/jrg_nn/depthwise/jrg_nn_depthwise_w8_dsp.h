/* A8.7 on the DSP extension, up to 25 taps. Forward: two channels of a position share the loads of x. Backward: a channel's
 * weights are unpacked once, and are then those of jrg_nn_depthwise_dsp.h. */
#ifndef JRG_NN_DEPTHWISE_W8_DSP_H
#define JRG_NN_DEPTHWISE_W8_DSP_H

#include "conv_w8/jrg_nn_conv_w8.h"               // jrg_nn_conv_w8
#include "dense_w8/jrg_nn_dense_forward_w8_dsp.h" // jrg_nn_channel_output
#include "depthwise/jrg_nn_depthwise_dsp.h"       // jrg_nn_depthwise_under

/* The channels `channel` and `channel + 1` of one position. under: its first number is the first channel's under tap 0.
 * y: two numbers, any alignment. */
JRG_NN_INLINE void jrg_nn_depthwise_pair_w8_dsp(const jrg_nn_conv_w8 *conv, uint32_t channel, jrg_nn_under under,
                                                int16_t *y, int32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t stride = jrg_nn_stride_w8(geometry->kernel_height * geometry->kernel_width);
    const jrg_nn_pair *first = (const jrg_nn_pair *)(const void *)(conv->weights + channel * stride);
    const jrg_nn_pair *second = first + stride / 4u;
    int32_t sum0 = conv->biases[channel];
    int32_t sum1 = conv->biases[channel + 1u];
    uint32_t w0 = 0;
    uint32_t w1 = 0;
#pragma GCC unroll 25
    for (uint32_t tap = 0; tap < geometry->kernel_height * geometry->kernel_width; tap++) {
        const uint32_t place =
            tap / geometry->kernel_width * under.line + tap % geometry->kernel_width * geometry->channels;
        const uint32_t two = jrg_nn_load_pair(under.x + place);
        if (tap % 2u == 0u) {
            const uint32_t quad = tap / 4u;
            w0 = tap % 4u == 0u ? jrg_nn_first_two_w8(first[quad]) : jrg_nn_last_two_w8(first[quad]);
            w1 = tap % 4u == 0u ? jrg_nn_first_two_w8(second[quad]) : jrg_nn_last_two_w8(second[quad]);
            sum0 = jrg_nn_smlabb(two, w0, sum0);
            sum1 = jrg_nn_smlatb(two, w1, sum1);
        } else {
            sum0 = jrg_nn_smlabt(two, w0, sum0);
            sum1 = jrg_nn_smlatt(two, w1, sum1);
        }
    }
    jrg_nn_store_pair(
        y, jrg_nn_pack_pair(jrg_nn_channel_output(sum0, shift + conv->channels[channel], output_width, relu),
                            jrg_nn_channel_output(sum1, shift + conv->channels[channel + 1u], output_width, relu)));
}

/* One channel of one position, the last of an odd number. As jrg_nn_depthwise_pair_w8_dsp. */
JRG_NN_INLINE int16_t jrg_nn_depthwise_one_w8_dsp(const jrg_nn_conv_w8 *conv, uint32_t channel, jrg_nn_under under,
                                                  int32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    const int8_t *w = conv->weights + channel * jrg_nn_stride_w8(taps);
    int32_t sum = conv->biases[channel];
    for (uint32_t tap = 0; tap < taps; tap++) {
        const uint32_t place =
            tap / geometry->kernel_width * under.line + tap % geometry->kernel_width * geometry->channels;
        sum += (int32_t)w[jrg_nn_place_w8(tap)] * under.x[place];
    }
    return (int16_t)jrg_nn_channel_output(sum, shift + conv->channels[channel], output_width, relu);
}

/* As jrg_nn_depthwise_forward_w8. */
JRG_NN_INLINE void jrg_nn_depthwise_forward_w8_dsp(const jrg_nn_conv_w8 *conv, const int16_t *x, int16_t *y,
                                                   int16_t *patch, int32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
#pragma GCC unroll 1
    for (uint32_t row = 0; row < geometry->rows; row++) {
#pragma GCC unroll 1
        for (uint32_t column = 0; column < geometry->columns; column++) {
            jrg_nn_under under = jrg_nn_depthwise_under(geometry, x, row, column, patch);
#pragma GCC unroll 1
            for (uint32_t channel = 0; channel + 1u < geometry->channels; channel += 2u) {
                jrg_nn_depthwise_pair_w8_dsp(conv, channel, under, y, shift, output_width, relu);
                under.x += 2;
                y += 2;
            }
            if (geometry->channels % 2u != 0u) {
                *y++ = jrg_nn_depthwise_one_w8_dsp(conv, geometry->channels - 1u, under, shift, output_width, relu);
            }
        }
    }
}

/* A channel's weights as int16 numbers: to [taps padded to quads], 4-aligned. */
JRG_NN_INLINE void jrg_nn_depthwise_unpack_dsp(const jrg_nn_conv_geometry *geometry, const int8_t *weights, int16_t *to)
{
    const jrg_nn_pair *from = (const jrg_nn_pair *)(const void *)weights;
    jrg_nn_pair *pairs = (jrg_nn_pair *)(void *)to;
    const uint32_t quads = (geometry->kernel_height * geometry->kernel_width + 3u) / 4u;
    for (uint32_t quad = 0; quad < quads; quad++) {
        pairs[2u * quad] = jrg_nn_first_two_w8(from[quad]);
        pairs[2u * quad + 1u] = jrg_nn_last_two_w8(from[quad]);
    }
}

#endif
