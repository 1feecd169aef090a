/* A11: sums of steps, and the step by their mean. A sum is what is to be added to its weight or bias. */
#ifndef JRG_NN_SUM_H
#define JRG_NN_SUM_H

#include "core/jrg_nn_arith.h"        // jrg_nn_rshift
#include "core/jrg_nn_dither.h"       // jrg_nn_dither
#include "weighted/jrg_nn_layer_w8.h" // jrg_nn_place_w8
#if JRG_NN_DSP
#include "core/jrg_nn_sum_dsp.h" // jrg_nn_apply_quads_dsp
#endif

#define JRG_NN_LARGEST_BATCH 65535u
#define JRG_NN_MEAN_BITS 30u
#define JRG_NN_SUM_BITS 16u /* u of A11.2 and A11.3, but for a dense layer of int16 weights */

/* A11.2: sats(sum - step, 31). */
JRG_NN_INLINE int32_t jrg_nn_sum_less(int32_t sum, int32_t step)
{
#if JRG_NN_DSP
    int32_t result;
    __asm__("qsub %0, %1, %2" : "=r"(result) : "r"(sum), "r"(step));
    return result;
#else
    const uint32_t difference = (uint32_t)sum - (uint32_t)step;
    const bool overflows = (int32_t)(((uint32_t)sum ^ (uint32_t)step) & ((uint32_t)sum ^ difference)) < 0;
    return overflows ? (sum >> 31) ^ INT32_MAX : (int32_t)difference;
#endif
}

/* A11.5: F. count: 1..JRG_NN_LARGEST_BATCH. */
JRG_NN_INLINE int32_t jrg_nn_mean_factor(uint32_t count)
{
    return (int32_t)(((1u << JRG_NN_MEAN_BITS) + count / 2u) / count);
}

/* A11.5 for count int16 weights of a dense layer, an even number of them, 4-aligned. unit: u, 8..16. layer_key:
 * jrg_nn_dither_layer of this layer (A5.9). The sums are 0 again. */
JRG_NN_INLINE void jrg_nn_apply_weights(int16_t *weights, int32_t *sums, uint32_t count, int32_t factor, uint32_t unit,
                                        uint32_t layer_key)
{
    const uint32_t shift = unit + JRG_NN_MEAN_BITS - 32u;
    uint32_t i = 0;
#if JRG_NN_DSP
    i = count & ~3u;
    jrg_nn_apply_quads_dsp(weights, sums, count / 4u, factor, shift, layer_key);
#endif
    for (; i < count; i++) {
        const uint32_t rho = jrg_nn_sum_dither(layer_key, i / 4u);
        const int64_t fine = ((int64_t)(rho >> (32u - shift)) << 32) + rho;
        const int32_t step = (int32_t)(((int64_t)sums[i] * factor + fine) >> 32) >> shift;
        weights[i] = (int16_t)jrg_nn_sats(weights[i] + jrg_nn_sats(step, 15u), 15u);
        sums[i] = 0;
    }
}

/* A11.5 for int16 weights that move over an image: [rows][columns], columns even. layer_key: jrg_nn_dither_layer of this
 * layer (A7.7). The sums are 0 again. */
JRG_NN_INLINE void jrg_nn_apply_conv_weights(int16_t *weights, int32_t *sums, uint32_t rows, uint32_t columns,
                                             int32_t factor, uint32_t layer_key)
{
    uint32_t first = jrg_nn_dither_row(layer_key, 0);
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < columns; i++) {
            if (*sums != 0) {
                const int64_t mean = ((int64_t)*sums * factor) >> (JRG_NN_MEAN_BITS + JRG_NN_SUM_BITS - 32u);
                const int64_t moved = *weights + ((mean + jrg_nn_weight_dither(first, i)) >> 32);
                *weights = (int16_t)jrg_nn_sats((int32_t)moved, 15u);
                *sums = 0;
            }
            weights++;
            sums++;
        }
        first = jrg_nn_plane_dither(first, 0, 1u);
    }
}

/* A11.5 for int8 weights: [outputs][inputs padded to quads], stored as A8.6 says; sums in the order of the columns. */
JRG_NN_INLINE void jrg_nn_apply_weights_w8(int8_t *weights, int32_t *sums, uint32_t outputs, uint32_t inputs,
                                           int32_t factor, uint32_t layer_key)
{
    for (uint32_t row = 0; row < outputs; row++) {
        const uint32_t key = jrg_nn_dither_row(layer_key, row);
        for (uint32_t i = 0; i < inputs; i++) {
            int8_t *weight = &weights[jrg_nn_place_w8(i)];
            const int64_t mean =
                jrg_nn_rshift_wide((int64_t)sums[i] * factor, JRG_NN_MEAN_BITS + JRG_NN_SUM_BITS - JRG_NN_DITHER_BITS);
            const int64_t limit = 1 << 30;
            const int32_t step = (int32_t)(mean < -limit ? -limit : mean > limit - 1 ? limit - 1 : mean);
            *weight = (int8_t)jrg_nn_sats(*weight + ((step + jrg_nn_dither(key, i)) >> JRG_NN_DITHER_BITS), 7u);
            sums[i] = 0;
        }
        weights += jrg_nn_stride_w8(inputs);
        sums += jrg_nn_stride_w8(inputs);
    }
}

/* A11.5 for count biases. The sums are 0 again. */
JRG_NN_INLINE void jrg_nn_apply_biases(int32_t *biases, int32_t *sums, uint32_t count, int32_t factor)
{
    for (uint32_t i = 0; i < count; i++) {
        const int32_t mean = (int32_t)jrg_nn_rshift_wide((int64_t)sums[i] * factor, JRG_NN_MEAN_BITS);
        biases[i] = jrg_nn_sats(biases[i] + mean, 30u);
        sums[i] = 0;
    }
}

#endif
