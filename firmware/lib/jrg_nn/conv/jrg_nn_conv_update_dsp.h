/* A7.4, A7.5 on the DSP extension: two channels share the loads of a column; 16 products in 11 instructions. */
#ifndef JRG_NN_CONV_UPDATE_DSP_H
#define JRG_NN_CONV_UPDATE_DSP_H

#include "conv/jrg_nn_conv_rate.h"          // jrg_nn_conv_stepped_weight
#include "dense/jrg_nn_dense_forward_dsp.h" // jrg_nn_two_rows
#include "core/jrg_nn_dsp.h"                // jrg_nn_smmulr

/* Weight number k of all channels. weights: that of channel 0, the next one `stride` numbers on. scaled: [outputs]
 * [error_stride]; column: [error_stride]; both 4-aligned, error_stride is even. rate.dither: rho of channel 0. */
JRG_NN_INLINE void jrg_nn_conv_update_column_dsp(int16_t *weights, const int16_t *scaled, const int16_t *column,
                                                 uint32_t outputs, uint32_t stride, uint32_t error_stride,
                                                 jrg_nn_conv_rate rate)
{
    const uint32_t words = error_stride / 2u;
#pragma GCC unroll 1
    for (uint32_t pairs = outputs / 2u; pairs > 0u; pairs--) {
        jrg_nn_two_rows rows = {column, scaled, scaled + error_stride, 0, 0};
        jrg_nn_two_rows_add(&rows, words);
        const uint32_t rho1 = jrg_nn_plane_dither(rate.dither, 0, 1u);
        weights[0] = jrg_nn_conv_stepped_weight(weights[0], rows.sum0, rate.factor, rate.dither);
        weights[stride] = jrg_nn_conv_stepped_weight(weights[stride], rows.sum1, rate.factor, rho1);
        rate.dither = jrg_nn_plane_dither(rho1, 0, 1u);
        weights += 2u * stride;
        scaled = rows.w1;
    }
    if ((outputs & 1u) != 0u) {
        const int32_t gradient = jrg_nn_dot_dsp(scaled, column, words, 0);
        *weights = jrg_nn_conv_stepped_weight(*weights, gradient, rate.factor, rate.dither);
    }
}

#endif
