/* Sums of 64 bits on the DSP extension, where SMLALD costs what SMLAD does: 8 products in 6 instructions. */
#ifndef JRG_NN_WIDE_DSP_H
#define JRG_NN_WIDE_DSP_H

#include "core/jrg_nn_dsp.h" // JRG_NN_INLINE

/* 8 products; moves both pointers on. */
#define JRG_NN_WIDE8                                                                                                   \
    "ldmia %[x]!, {r4, r5, r6, r8}\n\t"                                                                                \
    "ldmia %[w]!, {r9, r10, r11, r12}\n\t"                                                                             \
    "smlald %Q[s], %R[s], r9, r4\n\t"                                                                                  \
    "smlald %Q[s], %R[s], r10, r5\n\t"                                                                                 \
    "smlald %Q[s], %R[s], r11, r6\n\t"                                                                                 \
    "smlald %Q[s], %R[s], r12, r8\n\t"

#define JRG_NN_WIDE_RUN 8u /* times 8 products in one turn of the loop */

/* Adds `runs` times 64 products to *sum; moves both pointers on. runs: not 0. */
JRG_NN_INLINE void jrg_nn_wide_runs(const int16_t **x, const int16_t **w, uint32_t runs, int64_t *sum)
{
    __asm__ volatile(
        "1:\n\t" JRG_NN_WIDE8 JRG_NN_WIDE8 JRG_NN_WIDE8 JRG_NN_WIDE8 JRG_NN_WIDE8 JRG_NN_WIDE8 JRG_NN_WIDE8 JRG_NN_WIDE8
        "subs %[n], %[n], #1\n\t"
        "bne 1b"
        : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(*sum), [n] "+r"(runs)
        :
        : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "cc", "memory");
}

/* Adds 8 products. */
JRG_NN_INLINE void jrg_nn_wide_8(const int16_t **x, const int16_t **w, int64_t *sum)
{
    __asm__ volatile(JRG_NN_WIDE8
                     : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(*sum)
                     :
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
}

/* Adds 2 products. */
JRG_NN_INLINE void jrg_nn_wide_2(const int16_t **x, const int16_t **w, int64_t *sum)
{
    __asm__ volatile("ldr r4, [%[x]], #4\n\t"
                     "ldr r5, [%[w]], #4\n\t"
                     "smlald %Q[s], %R[s], r5, r4"
                     : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(*sum)
                     :
                     : "r4", "r5", "memory");
}

/* As jrg_nn_dot_wide. words: pairs of products. */
JRG_NN_INLINE int64_t jrg_nn_dot_wide_dsp(const int16_t *w, const int16_t *x, uint32_t words, int64_t sum)
{
    const uint32_t blocks = words / 4u;
    if (blocks >= JRG_NN_WIDE_RUN) {
        jrg_nn_wide_runs(&x, &w, blocks / JRG_NN_WIDE_RUN, &sum);
    }
#pragma GCC unroll 8
    for (uint32_t left = blocks % JRG_NN_WIDE_RUN; left > 0u; left--) {
        jrg_nn_wide_8(&x, &w, &sum);
    }
#pragma GCC unroll 4
    for (uint32_t pairs = words % 4u; pairs > 0u; pairs--) {
        jrg_nn_wide_2(&x, &w, &sum);
    }
    return sum;
}

#endif
