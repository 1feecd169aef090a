/* A5.7 and A5.1 of an error tensor on the DSP extension: two errors of a shut ReLU in 5 instructions, others in 14. */
#ifndef JRG_NN_ERRORS_DSP_H
#define JRG_NN_ERRORS_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_pair

/* The magnitude (A5.1) of count errors, an even number. */
JRG_NN_INLINE uint32_t jrg_nn_magnitude_dsp(const int32_t *errors, uint32_t count)
{
    uint32_t magnitude = 0;
#pragma GCC unroll 2
    for (uint32_t pairs = count / 2u; pairs > 0u; pairs--) {
        magnitude |= jrg_nn_magnitude(errors[0]) | jrg_nn_magnitude(errors[1]);
        errors += 2;
    }
    return magnitude;
}

/* Sets errors to 0 where x = 0; returns the magnitude of what is left. count is even; x: 4-aligned. */
JRG_NN_INLINE uint32_t jrg_nn_mask_errors_dsp(int32_t *errors, const int16_t *x, uint32_t count)
{
    const jrg_nn_pair *pair = (const jrg_nn_pair *)(const void *)x;
    const jrg_nn_pair *end = pair + count / 2u;
    uint32_t magnitude = 0;
#pragma GCC unroll 2
    while (pair != end) {
        const uint32_t two = *pair++;
        int32_t first = 0;
        int32_t second = 0;
        if (two != 0u) {
            first = (two << 16) == 0u ? 0 : errors[0];
            second = (two >> 16) == 0u ? 0 : errors[1];
            magnitude |= jrg_nn_magnitude(first) | jrg_nn_magnitude(second);
        }
        errors[0] = first;
        errors[1] = second;
        errors += 2;
    }
    return magnitude;
}

#endif
