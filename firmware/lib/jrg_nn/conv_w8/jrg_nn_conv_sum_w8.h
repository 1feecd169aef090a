/* A11.3: the steps of a convolution with int8 weights go into sums. */
#ifndef JRG_NN_CONV_SUM_W8_H
#define JRG_NN_CONV_SUM_W8_H

#include "conv/jrg_nn_conv_sum.h"          // jrg_nn_conv_summed_step
#include "conv_w8/jrg_nn_conv_update_w8.h" // jrg_nn_quad_columns

/* As jrg_nn_conv_update_w8, but sums [outputs][K padded to quads], in the order of the columns, and the layer's biases,
 * which are sums, take the steps. */
JRG_NN_INLINE void jrg_nn_conv_sum_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, int32_t error_exponent,
                                      const int16_t *x, int32_t input_exponent, jrg_nn_step_rate rate, int16_t *columns,
                                      int32_t *sums)
{
    const uint32_t pairs = (conv->geometry.rows * conv->geometry.columns + 1u) / 2u;
    const uint32_t stride = jrg_nn_stride_w8(jrg_nn_conv_inputs_w8(conv));
    const int32_t common = rate.exponent + error_exponent - 16;
#pragma GCC unroll 1
    for (uint32_t first = 0; first < stride; first += 4u) {
        jrg_nn_quad_columns(&conv->geometry, x, first, columns);
#pragma GCC unroll 1
        for (uint32_t channel = 0; channel < conv->outputs; channel++) {
            int32_t gradients[4];
            jrg_nn_quad_sums(columns, scaled + channel * 2u * pairs, pairs, gradients);
            if ((gradients[0] | gradients[1] | gradients[2] | gradients[3]) != 0) {
                const jrg_nn_fine_rate channel_rate =
                    jrg_nn_sum_rate_of(rate.mantissa, common + input_exponent - conv->channels[channel]);
                int32_t *quad = sums + channel * stride + first;
                for (uint32_t i = 0; i < 4u; i++) {
                    quad[i] = jrg_nn_sum_less(quad[i], jrg_nn_conv_summed_step(gradients[i], channel_rate));
                }
            }
        }
    }
    jrg_nn_conv_step_biases_w8(conv, scaled, rate.mantissa, common, input_exponent);
}

#endif
