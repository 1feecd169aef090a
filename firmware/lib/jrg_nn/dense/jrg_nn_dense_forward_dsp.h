/* A3 on the DSP extension: two rows at a time share the loads of x; 16 products in 11 instructions. */
#ifndef JRG_NN_DENSE_FORWARD_DSP_H
#define JRG_NN_DENSE_FORWARD_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_smmulr

#define JRG_NN_NARROW_WORDS 128u /* A3.4: 256 products fit a 32-bit accumulator */

/* Two rows of weights on their way along x, and their sums. All pointers are 4-aligned. */
typedef struct {
    const int16_t *x;
    const int16_t *w0;
    const int16_t *w1;
    int32_t sum0;
    int32_t sum1;
} jrg_nn_two_rows;

/* 8 columns. */
JRG_NN_INLINE void jrg_nn_two_rows8(jrg_nn_two_rows *rows)
{
    __asm__ volatile(
        "ldmia %[x]!, {r4, r5, r6, r8}\n\t"
        "ldmia %[w0]!, {r9, r10, r11, r12}\n\t"
        "smlad %[s0], r9, r4, %[s0]\n\t"
        "smlad %[s0], r10, r5, %[s0]\n\t"
        "smlad %[s0], r11, r6, %[s0]\n\t"
        "smlad %[s0], r12, r8, %[s0]\n\t"
        "ldmia %[w1]!, {r9, r10, r11, r12}\n\t"
        "smlad %[s1], r9, r4, %[s1]\n\t"
        "smlad %[s1], r10, r5, %[s1]\n\t"
        "smlad %[s1], r11, r6, %[s1]\n\t"
        "smlad %[s1], r12, r8, %[s1]"
        : [x] "+r"(rows->x), [w0] "+r"(rows->w0), [w1] "+r"(rows->w1), [s0] "+r"(rows->sum0), [s1] "+r"(rows->sum1)
        :
        : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
}

/* 4 columns. */
JRG_NN_INLINE void jrg_nn_two_rows4(jrg_nn_two_rows *rows)
{
    __asm__ volatile(
        "ldrd r4, r5, [%[x]], #8\n\t"
        "ldrd r6, r8, [%[w0]], #8\n\t"
        "smlad %[s0], r6, r4, %[s0]\n\t"
        "smlad %[s0], r8, r5, %[s0]\n\t"
        "ldrd r6, r8, [%[w1]], #8\n\t"
        "smlad %[s1], r6, r4, %[s1]\n\t"
        "smlad %[s1], r8, r5, %[s1]"
        : [x] "+r"(rows->x), [w0] "+r"(rows->w0), [w1] "+r"(rows->w1), [s0] "+r"(rows->sum0), [s1] "+r"(rows->sum1)
        :
        : "r4", "r5", "r6", "r8", "memory");
}

/* 2 columns. */
JRG_NN_INLINE void jrg_nn_two_rows2(jrg_nn_two_rows *rows)
{
    __asm__ volatile(
        "ldr r4, [%[x]], #4\n\t"
        "ldr r5, [%[w0]], #4\n\t"
        "smlad %[s0], r5, r4, %[s0]\n\t"
        "ldr r5, [%[w1]], #4\n\t"
        "smlad %[s1], r5, r4, %[s1]"
        : [x] "+r"(rows->x), [w0] "+r"(rows->w0), [w1] "+r"(rows->w1), [s0] "+r"(rows->sum0), [s1] "+r"(rows->sum1)
        :
        : "r4", "r5", "memory");
}

/* words: pairs of columns, at most JRG_NN_NARROW_WORDS. */
JRG_NN_INLINE void jrg_nn_two_rows_add(jrg_nn_two_rows *rows, uint32_t words)
{
#pragma GCC unroll 8
    for (uint32_t blocks = words / 4u; blocks > 0u; blocks--) {
        jrg_nn_two_rows8(rows);
    }
    if ((words & 2u) != 0u) {
        jrg_nn_two_rows4(rows);
    }
    if ((words & 1u) != 0u) {
        jrg_nn_two_rows2(rows);
    }
}

/* 8 columns of one row; moves both pointers on. */
JRG_NN_INLINE int32_t jrg_nn_one_row8(const int16_t **x, const int16_t **w, int32_t sum)
{
    __asm__ volatile("ldmia %[x]!, {r4, r5, r6, r8}\n\t"
                     "ldmia %[w]!, {r9, r10, r11, r12}\n\t"
                     "smlad %[s], r9, r4, %[s]\n\t"
                     "smlad %[s], r10, r5, %[s]\n\t"
                     "smlad %[s], r11, r6, %[s]\n\t"
                     "smlad %[s], r12, r8, %[s]"
                     : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(sum)
                     :
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
    return sum;
}

/* 2 columns of one row. */
JRG_NN_INLINE int32_t jrg_nn_one_row2(const int16_t **x, const int16_t **w, int32_t sum)
{
    __asm__ volatile("ldr r4, [%[x]], #4\n\t"
                     "ldr r5, [%[w]], #4\n\t"
                     "smlad %[s], r5, r4, %[s]"
                     : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(sum)
                     :
                     : "r4", "r5", "memory");
    return sum;
}

/* As jrg_nn_dot, on top of a sum. words: pairs of columns, at most JRG_NN_NARROW_WORDS. */
JRG_NN_INLINE int32_t jrg_nn_dot_dsp(const int16_t *w, const int16_t *x, uint32_t words, int32_t sum)
{
#pragma GCC unroll 8
    for (uint32_t blocks = words / 4u; blocks > 0u; blocks--) {
        sum = jrg_nn_one_row8(&x, &w, sum);
    }
#pragma GCC unroll 4
    for (uint32_t pairs = words % 4u; pairs > 0u; pairs--) {
        sum = jrg_nn_one_row2(&x, &w, sum);
    }
    return sum;
}

/* A1.1, then A3.2 or A3.3 of one sum. factor: jrg_nn_shift_factor(shift). */
JRG_NN_INLINE int32_t jrg_nn_activation_dsp(int32_t sum, int32_t factor, uint32_t bits, bool relu)
{
    const int32_t value = jrg_nn_smmulr(sum, factor);
    return relu ? jrg_nn_usat(value, bits) : jrg_nn_ssat(value, bits);
}

/* As jrg_nn_dense_forward. x is 4-aligned and padded with 0. */
JRG_NN_INLINE void jrg_nn_dense_forward_dsp(const int16_t *x, const int16_t *weights, const int32_t *biases, int16_t *y,
                                            uint32_t inputs, uint32_t outputs, uint32_t shift, uint32_t output_width,
                                            bool relu)
{
    const uint32_t words = (inputs + 1u) / 2u;
    const int32_t factor = jrg_nn_shift_factor(shift);
    const int16_t *w = weights;
    jrg_nn_pair *pairs = (jrg_nn_pair *)(void *)y;
    const int32_t *end = biases + (outputs & ~1u);
    while (biases != end) {
        jrg_nn_two_rows rows = {x, w, w + 2u * words, biases[0], biases[1]};
        jrg_nn_two_rows_add(&rows, words);
        w = rows.w1;
        biases += 2;
        *pairs++ = jrg_nn_pack_pair(jrg_nn_activation_dsp(rows.sum0, factor, output_width, relu),
                                    jrg_nn_activation_dsp(rows.sum1, factor, output_width, relu));
    }
    if ((outputs & 1u) != 0u) {
        const int32_t sum = jrg_nn_dot_dsp(w, x, words, *biases);
        y[outputs - 1u] = (int16_t)jrg_nn_activation_dsp(sum, factor, output_width, relu);
    }
}

#endif
