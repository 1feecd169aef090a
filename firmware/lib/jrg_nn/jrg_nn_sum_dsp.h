/* A11.5 on the DSP extension: 4 weights in 27 instructions, or in 7 if nothing was summed for them (dead rows). */
#ifndef JRG_NN_SUM_DSP_H
#define JRG_NN_SUM_DSP_H

#include "jrg_nn_dsp.h" // jrg_nn_shift_factor

/* One sum becomes its mean in whole weights: SMMUL, then the rounded shift of A1.1. */
#define JRG_NN_MEAN(s)                                                                                                 \
    "smmul " s ", " s ", %[factor]\n\t"                                                                                \
    "smmulr " s ", " s ", %[shift]\n\t"                                                                                \
    "ssat " s ", #16, " s "\n\t"

/* 4 weights for each of `quads`; shift: of jrg_nn_shift_factor. weights: 4-aligned. The sums are 0 again. */
JRG_NN_INLINE void jrg_nn_apply_quads_dsp(int16_t *weights, int32_t *sums, uint32_t quads, int32_t factor,
                                          int32_t shift)
{
    const uint32_t zero = 0;
#pragma GCC unroll 4
    for (uint32_t left = quads; left > 0u; left--) {
        __asm__ volatile("ldmia %[s], {r4, r5, r6, r8}\n\t"
                         "orr r9, r4, r5\n\t"
                         "orr r10, r6, r8\n\t"
                         "orrs r9, r9, r10\n\t"
                         "beq 1f\n\t" JRG_NN_MEAN("r4") JRG_NN_MEAN("r5") JRG_NN_MEAN("r6") JRG_NN_MEAN("r8")
                         "ldrd r9, r10, [%[w]]\n\t"
                         "pkhbt r4, r4, r5, lsl #16\n\t"
                         "pkhbt r6, r6, r8, lsl #16\n\t"
                         "qadd16 r9, r9, r4\n\t"
                         "qadd16 r10, r10, r6\n\t"
                         "strd r9, r10, [%[w]]\n\t"
                         "strd %[zero], %[zero], [%[s]]\n\t"
                         "strd %[zero], %[zero], [%[s], #8]\n"
                         "1:\n\t"
                         "add %[w], %[w], #8\n\t"
                         "add %[s], %[s], #16"
                         : [w] "+&r"(weights), [s] "+&r"(sums)
                         : [factor] "r"(factor), [shift] "r"(shift), [zero] "r"(zero)
                         : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    }
}

#endif
