/* Sums of 64 bits on the DSP extension, where SMLALD costs what SMLAD does: 8 products in 6 instructions. */
#ifndef JRG_NN_WIDE_DSP_H
#define JRG_NN_WIDE_DSP_H

#include "jrg_nn_dsp.h" // JRG_NN_INLINE

/* 8 products; moves both pointers on. */
JRG_NN_INLINE int64_t jrg_nn_wide_row8(const int16_t **x, const int16_t **w, int64_t sum)
{
    __asm__ volatile("ldmia %[x]!, {r4, r5, r6, r8}\n\t"
                     "ldmia %[w]!, {r9, r10, r11, r12}\n\t"
                     "smlald %Q[s], %R[s], r9, r4\n\t"
                     "smlald %Q[s], %R[s], r10, r5\n\t"
                     "smlald %Q[s], %R[s], r11, r6\n\t"
                     "smlald %Q[s], %R[s], r12, r8"
                     : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(sum)
                     :
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
    return sum;
}

/* 2 products. */
JRG_NN_INLINE int64_t jrg_nn_wide_row2(const int16_t **x, const int16_t **w, int64_t sum)
{
    __asm__ volatile("ldr r4, [%[x]], #4\n\t"
                     "ldr r5, [%[w]], #4\n\t"
                     "smlald %Q[s], %R[s], r5, r4"
                     : [x] "+r"(*x), [w] "+r"(*w), [s] "+r"(sum)
                     :
                     : "r4", "r5", "memory");
    return sum;
}

/* As jrg_nn_dot_wide. words: pairs of products. */
JRG_NN_INLINE int64_t jrg_nn_dot_wide_dsp(const int16_t *w, const int16_t *x, uint32_t words, int64_t sum)
{
#pragma GCC unroll 12
    for (uint32_t blocks = words / 4u; blocks > 0u; blocks--) {
        sum = jrg_nn_wide_row8(&x, &w, sum);
    }
#pragma GCC unroll 4
    for (uint32_t pairs = words % 4u; pairs > 0u; pairs--) {
        sum = jrg_nn_wide_row2(&x, &w, sum);
    }
    return sum;
}

#endif
