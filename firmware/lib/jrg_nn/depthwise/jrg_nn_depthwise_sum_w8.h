/* A11.3 of a depthwise convolution with int8 weights (A8.7). */
#ifndef JRG_NN_DEPTHWISE_SUM_W8_H
#define JRG_NN_DEPTHWISE_SUM_W8_H

#include "conv/jrg_nn_conv_sum.h"                 // jrg_nn_conv_summed_step
#include "depthwise/jrg_nn_depthwise_update_w8.h" // jrg_nn_depthwise_quad_gradients

/* The steps of one channel go into its sums: [taps padded to quads]. */
JRG_NN_INLINE void jrg_nn_depthwise_sum_channel_w8(const jrg_nn_depthwise_channel *channel, int32_t *sums,
                                                   jrg_nn_fine_rate rate)
{
    const jrg_nn_conv_geometry *geometry = channel->geometry;
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
#pragma GCC unroll 1
    for (uint32_t first = 0; first < taps; first += 4u) {
        int32_t gradients[4];
        jrg_nn_depthwise_quad_gradients(channel, first, gradients);
        for (uint32_t i = 0; i < 4u; i++) {
            sums[first + i] = jrg_nn_sum_less(sums[first + i], jrg_nn_conv_summed_step(gradients[i], rate));
        }
    }
}

/* As jrg_nn_depthwise_update_w8, but sums [channels][taps padded to quads], in the order of the taps, and the layer's
 * biases, which are sums, take the steps. */
JRG_NN_INLINE void jrg_nn_depthwise_sum_steps_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled,
                                                 int32_t error_exponent, const int16_t *x, int32_t input_exponent,
                                                 jrg_nn_step_rate rate, int16_t *column, int32_t *sums)
{
    const int32_t common = rate.exponent + error_exponent - 16;
    const uint32_t stride = jrg_nn_stride_w8(conv->geometry.kernel_height * conv->geometry.kernel_width);
#pragma GCC unroll 1
    for (uint32_t number = 0; number < conv->outputs; number++) {
        const jrg_nn_depthwise_channel channel = jrg_nn_depthwise_channel_of(conv, scaled, x, column, number);
        jrg_nn_depthwise_sum_channel_w8(
            &channel, sums + number * stride,
            jrg_nn_sum_rate_of(rate.mantissa, common + input_exponent - conv->channels[number]));
    }
    jrg_nn_conv_step_biases_w8(conv, scaled, rate.mantissa, common, input_exponent);
}

#endif
