/* 3 x 3 weights over one channel on the DSP extension: forward, a channel of a position in 11 instructions; gradient, an
 * active position in 17, two with a zero gradient in 5. */
#ifndef JRG_NN_CONV3X3_DSP_H
#define JRG_NN_CONV3X3_DSP_H

#include "dense/jrg_nn_dense_forward_dsp.h" // jrg_nn_activation_dsp
#include "core/jrg_nn_dsp.h"                // jrg_nn_load_pair

/* The 9 inputs of a position as they meet a stored row of weights; what stands in the high half of the last one meets the
 * row's padding, which is 0. */
typedef struct {
    uint32_t pair[5];
} jrg_nn_conv3x3_patch;

/* x: the first input; line: numbers in a row. */
JRG_NN_INLINE jrg_nn_conv3x3_patch jrg_nn_conv3x3_load(const int16_t *x, uint32_t line)
{
    const int16_t *second = x + line;
    const int16_t *third = second + line;
    return (jrg_nn_conv3x3_patch){{
        jrg_nn_load_pair(x),
        jrg_nn_pack_pair(x[2], second[0]),
        jrg_nn_load_pair(second + 1),
        jrg_nn_load_pair(third),
        (uint32_t)third[2],
    }};
}

/* The sum of one channel with its bias; moves both pointers to the next one. w: 4-aligned. */
JRG_NN_INLINE int32_t jrg_nn_conv3x3_dot(const jrg_nn_conv3x3_patch *patch, const int16_t **w, const int32_t **bias)
{
    int32_t sum;
    __asm__ volatile("ldmia %[w]!, {r4, r5, r6}\n\t"
                     "ldr %[s], [%[bias]], #4\n\t"
                     "smlad %[s], r4, %[p0], %[s]\n\t"
                     "smlad %[s], r5, %[p1], %[s]\n\t"
                     "ldrd r4, r5, [%[w]], #8\n\t"
                     "smlad %[s], r6, %[p2], %[s]\n\t"
                     "smlad %[s], r4, %[p3], %[s]\n\t"
                     "smlad %[s], r5, %[p4], %[s]"
                     : [w] "+&r"(*w), [bias] "+&r"(*bias), [s] "=&r"(sum)
                     : [p0] "r"(patch->pair[0]), [p1] "r"(patch->pair[1]), [p2] "r"(patch->pair[2]),
                       [p3] "r"(patch->pair[3]), [p4] "r"(patch->pair[4])
                     : "r4", "r5", "r6", "memory");
    return sum;
}

/* As jrg_nn_conv3x3_position. factor: jrg_nn_shift_factor of its shift. */
JRG_NN_INLINE void jrg_nn_conv3x3_position_dsp(const int16_t *x, uint32_t line, const int16_t *weights,
                                               const int32_t *biases, int16_t *y, uint32_t outputs, int32_t factor,
                                               uint32_t output_width, bool relu)
{
    const jrg_nn_conv3x3_patch patch = jrg_nn_conv3x3_load(x, line);
#pragma GCC unroll 16
    for (uint32_t channel = 0; channel < outputs; channel++) {
        const int32_t sum = jrg_nn_conv3x3_dot(&patch, &weights, &biases);
        *y++ = (int16_t)jrg_nn_activation_dsp(sum, factor, output_width, relu);
    }
}

/* Adds e * x of one position: x: its first input; e: the low half of `error`. */
JRG_NN_INLINE void jrg_nn_conv3x3_add_dsp(const int16_t *x, uint32_t line, uint32_t error, int32_t sums[9])
{
#pragma GCC unroll 3
    for (uint32_t ky = 0; ky < 3u; ky++) {
        const uint32_t pair = jrg_nn_load_pair(x + ky * line);
        sums[3u * ky] = jrg_nn_smlabb(pair, error, sums[3u * ky]);
        sums[3u * ky + 1u] = jrg_nn_smlatb(pair, error, sums[3u * ky + 1u]);
        sums[3u * ky + 2u] = jrg_nn_smlabb((uint32_t)x[ky * line + 2u], error, sums[3u * ky + 2u]);
    }
}

/* As jrg_nn_conv3x3_gradients. row_step, column_step: numbers of x from one position to the next one. */
JRG_NN_INLINE void jrg_nn_conv3x3_gradients_dsp(const int16_t *errors, const int16_t *x, uint32_t rows,
                                                uint32_t columns, uint32_t row_step, uint32_t column_step,
                                                uint32_t line, int32_t gradients[9])
{
    int32_t sums[9] = {0};
#pragma GCC unroll 1
    for (uint32_t row = 0; row < rows; row++) {
        const int16_t *at = x + row * row_step;
#pragma GCC unroll 1
        for (uint32_t pairs = columns / 2u; pairs > 0u; pairs--) {
            const uint32_t two = jrg_nn_load_pair(errors);
            if (two != 0u) {
                jrg_nn_conv3x3_add_dsp(at, line, two, sums);
                jrg_nn_conv3x3_add_dsp(at + column_step, line, two >> 16, sums);
            }
            at += 2u * column_step;
            errors += 2;
        }
        if (columns % 2u != 0u) {
            jrg_nn_conv3x3_add_dsp(at, line, (uint32_t)*errors++, sums);
        }
    }
#pragma GCC unroll 9
    for (uint32_t tap = 0; tap < 9u; tap++) {
        gradients[tap] = sums[tap];
    }
}

#endif
