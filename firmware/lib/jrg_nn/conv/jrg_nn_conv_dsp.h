/* Errors of a convolution on the DSP extension: scaled (A5.1), 5 instructions each, and summed, 8 in 5. */
#ifndef JRG_NN_CONV_DSP_H
#define JRG_NN_CONV_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_smmulr

/* A5.1 of one step: e = sats((g << left) * factor / 2^32), the same for every error. */
typedef struct {
    uint32_t left; /* brings the largest error to 31 bits; from there the shift is 31 - be */
    int32_t factor;
    uint32_t width; /* be, a constant */
} jrg_nn_error_scale;

/* magnitude: of A5.1, not 0. width: be. */
JRG_NN_INLINE jrg_nn_error_scale jrg_nn_error_scale_of(uint32_t magnitude, uint32_t width)
{
    return (jrg_nn_error_scale){jrg_nn_leading_zeros(magnitude) - 1u, (int32_t)(2u << width), width};
}

/* One error. */
JRG_NN_INLINE int16_t jrg_nn_scaled_error_dsp(int32_t error, jrg_nn_error_scale scale)
{
    const int32_t normal = (int32_t)((uint32_t)error << scale.left);
    return (int16_t)jrg_nn_ssat(jrg_nn_smmulr(normal, scale.factor), scale.width);
}

/* As jrg_nn_conv_scale: errors [positions][outputs] to scaled [outputs][stride]. scaled need not be aligned. */
JRG_NN_INLINE void jrg_nn_conv_scale_dsp(const int32_t *errors, int16_t *scaled, uint32_t positions, uint32_t outputs,
                                         uint32_t stride, jrg_nn_error_scale scale)
{
#pragma GCC unroll 1
    for (uint32_t position = 0; position < positions; position++) {
        int16_t *to = scaled + position;
#pragma GCC unroll 8
        for (uint32_t channel = 0; channel < outputs; channel++) {
            *to = jrg_nn_scaled_error_dsp(*errors++, scale);
            to += stride;
        }
    }
}

/* The sum of 2 * words errors. errors: 4-aligned. */
JRG_NN_INLINE int32_t jrg_nn_error_sum_dsp(const int16_t *errors, uint32_t words)
{
    const jrg_nn_pair *pair = (const jrg_nn_pair *)(const void *)errors;
    const jrg_nn_pair *end = pair + words;
    const uint32_t ones = 0x00010001u;
    int32_t sum = 0;
#pragma GCC unroll 8
    while (pair != end) {
        __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(*pair++), "r"(ones));
    }
    return sum;
}

#endif
