/* A11.3: the steps of weights that move over an image go into sums. */
#ifndef JRG_NN_CONV_SUM_H
#define JRG_NN_CONV_SUM_H

#include "conv/jrg_nn_conv_update.h" // jrg_nn_conv_step_bias
#include "core/jrg_nn_sum.h"         // jrg_nn_sum_less

/* A11.3. shift: s. */
JRG_NN_INLINE jrg_nn_fine_rate jrg_nn_sum_rate_of(int32_t mantissa, int32_t shift)
{
    return jrg_nn_fine_rate_of(mantissa, shift, (int32_t)JRG_NN_SUM_BITS, 31u);
}

/* A11.3 of int16 weights. error_exponent: of the scaled errors. */
JRG_NN_INLINE jrg_nn_fine_rate jrg_nn_conv_sum_rate_of(jrg_nn_step_rate rate, int32_t error_exponent,
                                                       jrg_nn_exponents exponents)
{
    const int32_t shift = rate.exponent + error_exponent + exponents.input_exponent - exponents.weight_exponent - 16;
    return jrg_nn_sum_rate_of(rate.mantissa, shift);
}

/* A11.3: t of a gradient. */
JRG_NN_INLINE int32_t jrg_nn_conv_summed_step(int32_t gradient, jrg_nn_fine_rate rate)
{
#if JRG_NN_DSP
    const int32_t product = jrg_nn_smmulr(gradient, (int32_t)((uint32_t)rate.mantissa << 16));
#else
    const int32_t product = jrg_nn_conv_product(gradient, rate.mantissa);
#endif
    if (rate.left == 0u) {
        return rate.right == 0u ? product : rate.right == 31u ? 0 : jrg_nn_rshift(product, rate.right);
    }
    return (int32_t)((uint32_t)jrg_nn_sats(product, rate.bits) << rate.left);
}

/* The sums number k of all channels. column: of jrg_nn_column. stride: of the sums of a channel. */
JRG_NN_INLINE void jrg_nn_conv_sum_column(const jrg_nn_conv *conv, const int16_t *scaled, const int16_t *column,
                                          int32_t *sums, uint32_t stride, jrg_nn_fine_rate rate)
{
    const uint32_t error_stride = jrg_nn_conv_error_stride(conv);
    uint32_t channel = 0;
#if JRG_NN_DSP
#pragma GCC unroll 1
    for (; channel + 1u < conv->outputs; channel += 2u) {
        jrg_nn_two_rows rows = {column, scaled, scaled + error_stride, 0, 0};
        jrg_nn_two_rows_add(&rows, error_stride / 2u);
        sums[0] = jrg_nn_sum_less(sums[0], jrg_nn_conv_summed_step(rows.sum0, rate));
        sums[stride] = jrg_nn_sum_less(sums[stride], jrg_nn_conv_summed_step(rows.sum1, rate));
        sums += 2u * stride;
        scaled = rows.w1;
    }
#endif
    for (; channel < conv->outputs; channel++) {
        int32_t gradient = 0;
        for (uint32_t i = 0; i < error_stride; i++) {
            gradient += (int32_t)scaled[i] * column[i];
        }
        *sums = jrg_nn_sum_less(*sums, jrg_nn_conv_summed_step(gradient, rate));
        sums += stride;
        scaled += error_stride;
    }
}

/* A11.4 of all channels; the layer's biases are sums. */
JRG_NN_INLINE void jrg_nn_conv_sum_biases(const jrg_nn_conv *conv, const int16_t *scaled, jrg_nn_conv_bias_rate rate)
{
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        const int16_t *errors = scaled + channel * jrg_nn_conv_error_stride(conv);
        const int32_t sum = jrg_nn_conv_error_sum(errors, conv->geometry.rows * conv->geometry.columns);
        jrg_nn_conv_step_bias(&conv->biases[channel], sum, rate);
    }
}

/* As jrg_nn_conv_update, but sums [outputs][K padded to even] and the layer's biases, which are sums, take the steps. */
JRG_NN_INLINE void jrg_nn_conv_sum(const jrg_nn_conv *conv, const int16_t *scaled, int32_t error_exponent,
                                   const int16_t *x, jrg_nn_exponents exponents, jrg_nn_step_rate step_rate,
                                   int16_t *column, int32_t *sums)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const jrg_nn_fine_rate rate = jrg_nn_conv_sum_rate_of(step_rate, error_exponent, exponents);
    const uint32_t inputs = geometry->kernel_height * geometry->kernel_width * geometry->channels;
#pragma GCC unroll 1
    for (uint32_t ky = 0; ky < geometry->kernel_height; ky++) {
#pragma GCC unroll 1
        for (uint32_t kx = 0; kx < geometry->kernel_width; kx++) {
#pragma GCC unroll 1
            for (uint32_t channel = 0; channel < geometry->channels; channel++) {
                jrg_nn_column(geometry, x, ky, kx, channel, column);
                jrg_nn_conv_sum_column(conv, scaled, column, sums++, inputs + (inputs & 1u), rate);
            }
        }
    }
    jrg_nn_conv_sum_biases(conv, scaled, jrg_nn_conv_bias_rate_of(step_rate, error_exponent, exponents));
}

#endif
