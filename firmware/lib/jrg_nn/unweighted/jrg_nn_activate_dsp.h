/* A9.1 to A9.3 on the DSP extension: two numbers of a ReLU in 5 instructions, of a ReLU6 in 7, of a leaky ReLU in 9. */
#ifndef JRG_NN_ACTIVATE_DSP_H
#define JRG_NN_ACTIVATE_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_max16

#define JRG_NN_STEEPEST_SLOPE 32767 /* of a leaky ReLU, Q15: a factor of 16 bits */

/* pairs: of numbers. x, y: 4-aligned. */
JRG_NN_INLINE void jrg_nn_relu_dsp(const int16_t *x, int16_t *y, uint32_t pairs)
{
    const jrg_nn_pair *from = (const jrg_nn_pair *)(const void *)x;
    jrg_nn_pair *to = (jrg_nn_pair *)(void *)y;
#pragma GCC unroll 4
    for (; pairs > 0u; pairs--) {
        *to++ = jrg_nn_max16(*from++, 0);
    }
}

/* six: c of A9.2, 0..32767. As jrg_nn_relu_dsp. */
JRG_NN_INLINE void jrg_nn_relu6_dsp(const int16_t *x, int16_t *y, uint32_t pairs, int32_t six)
{
    const jrg_nn_pair *from = (const jrg_nn_pair *)(const void *)x;
    jrg_nn_pair *to = (jrg_nn_pair *)(void *)y;
    const uint32_t both = jrg_nn_pack_pair(six, six);
#pragma GCC unroll 4
    for (; pairs > 0u; pairs--) {
        *to++ = jrg_nn_min16(jrg_nn_max16(*from++, 0), both);
    }
}

/* slope: at most JRG_NN_STEEPEST_SLOPE. As jrg_nn_relu_dsp. */
JRG_NN_INLINE void jrg_nn_leaky_relu_dsp(const int16_t *x, int16_t *y, uint32_t pairs, int32_t slope)
{
    const jrg_nn_pair *from = (const jrg_nn_pair *)(const void *)x;
    jrg_nn_pair *to = (jrg_nn_pair *)(void *)y;
    const int32_t half = 1 << 14;
#pragma GCC unroll 4
    for (; pairs > 0u; pairs--) {
        const uint32_t two = *from++;
        const int32_t low = jrg_nn_smlabb(two, (uint32_t)slope, half) >> 15;
        const int32_t high = jrg_nn_smlatb(two, (uint32_t)slope, half) >> 15;
        *to++ = jrg_nn_where_negative16(two, jrg_nn_pack_pair(low, high));
    }
}

#endif
