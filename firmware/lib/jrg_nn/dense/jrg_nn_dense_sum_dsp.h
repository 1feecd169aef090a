/* A11.2 on the DSP extension: 8 sums in 21 instructions. */
#ifndef JRG_NN_DENSE_SUM_DSP_H
#define JRG_NN_DENSE_SUM_DSP_H

#include "core/jrg_nn_dsp.h"       // jrg_nn_pair
#include "weighted/jrg_nn_layer.h" // jrg_nn_active_row

/* Two pairs x, four sums. */
#define JRG_NN_SUM_FOUR(x0, x1)                                                                                        \
    "ldmia %[s], {r9, r10, r11, r12}\n\t"                                                                              \
    "smultb %[t], %[ed], " x0 "\n\t"                                                                                   \
    "qsub r9, r9, %[t]\n\t"                                                                                            \
    "smultt %[t], %[ed], " x0 "\n\t"                                                                                   \
    "qsub r10, r10, %[t]\n\t"                                                                                          \
    "smultb %[t], %[ed], " x1 "\n\t"                                                                                   \
    "qsub r11, r11, %[t]\n\t"                                                                                          \
    "smultt %[t], %[ed], " x1 "\n\t"                                                                                   \
    "qsub r12, r12, %[t]\n\t"                                                                                          \
    "stmia %[s]!, {r9, r10, r11, r12}\n\t"

/* 8 columns of one row; factor: d in the top half. Moves both pointers on. */
JRG_NN_INLINE void jrg_nn_sum8(const int16_t **x, int32_t **sums, uint32_t factor)
{
    int32_t product;
    __asm__ volatile("ldmia %[x]!, {r4, r5, r6, r8}\n\t" JRG_NN_SUM_FOUR("r4", "r5") JRG_NN_SUM_FOUR("r6", "r8")
                     : [x] "+&r"(*x), [s] "+&r"(*sums), [t] "=&r"(product)
                     : [ed] "r"(factor)
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
}

/* 2 columns of one row. */
JRG_NN_INLINE void jrg_nn_sum2(const int16_t **x, int32_t **sums, uint32_t factor)
{
    int32_t product;
    __asm__ volatile("ldr r4, [%[x]], #4\n\t"
                     "ldrd r5, r6, [%[s]]\n\t"
                     "smultb %[t], %[ed], r4\n\t"
                     "qsub r5, r5, %[t]\n\t"
                     "smultt %[t], %[ed], r4\n\t"
                     "qsub r6, r6, %[t]\n\t"
                     "strd r5, r6, [%[s]], #8"
                     : [x] "+&r"(*x), [s] "+&r"(*sums), [t] "=&r"(product)
                     : [ed] "r"(factor)
                     : "r4", "r5", "r6", "memory");
}

/* As jrg_nn_dense_sum. x is 4-aligned. */
JRG_NN_INLINE void jrg_nn_dense_sum_dsp(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, uint32_t count,
                                        const int16_t *x, int32_t *sums)
{
    const uint32_t words = (layer->inputs + 1u) / 2u;
    for (const jrg_nn_active_row *row = rows; row != rows + count; row++) {
        const uint32_t factor = *(const jrg_nn_pair *)(const void *)&row->error;
        const int16_t *from = x;
        int32_t *to = sums + (row->weights - layer->weights);
#pragma GCC unroll 8
        for (uint32_t blocks = words / 4u; blocks > 0u; blocks--) {
            jrg_nn_sum8(&from, &to, factor);
        }
#pragma GCC unroll 4
        for (uint32_t pairs = words % 4u; pairs > 0u; pairs--) {
            jrg_nn_sum2(&from, &to, factor);
        }
    }
}

#endif
