/* A11.3 of a depthwise convolution. */
#ifndef JRG_NN_DEPTHWISE_SUM_H
#define JRG_NN_DEPTHWISE_SUM_H

#include "conv/jrg_nn_conv_sum.h"       // jrg_nn_conv_summed_step
#include "depthwise/jrg_nn_depthwise.h" // jrg_nn_depthwise_update

/* As jrg_nn_depthwise_update, but sums [channels][taps padded to even] and the layer's biases, which are sums, take the
 * steps. */
JRG_NN_INLINE void jrg_nn_depthwise_sum_steps(const jrg_nn_conv *conv, const int16_t *scaled, int32_t error_exponent,
                                              const int16_t *x, jrg_nn_exponents exponents, jrg_nn_step_rate step_rate,
                                              int16_t *column, int32_t *sums)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const jrg_nn_fine_rate rate = jrg_nn_conv_sum_rate_of(step_rate, error_exponent, exponents);
    const uint32_t stride = jrg_nn_conv_error_stride(conv);
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    for (uint32_t channel = 0; channel < geometry->channels; channel++) {
        for (uint32_t tap = 0; tap < taps; tap++) {
            jrg_nn_column(geometry, x, tap / geometry->kernel_width, tap % geometry->kernel_width, channel, column);
            const int32_t gradient = jrg_nn_dot(scaled + channel * stride, column, stride);
            sums[tap] = jrg_nn_sum_less(sums[tap], jrg_nn_conv_summed_step(gradient, rate));
        }
        sums += taps + (taps & 1u);
    }
    jrg_nn_conv_sum_biases(conv, scaled, jrg_nn_conv_bias_rate_of(step_rate, error_exponent, exponents));
}

#endif
