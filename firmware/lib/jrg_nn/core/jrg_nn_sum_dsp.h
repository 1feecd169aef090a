/* A11.5 on the DSP extension: 4 weights in 38 instructions, or in 8 if nothing was summed for them (zero-gradient rows). */
#ifndef JRG_NN_SUM_DSP_H
#define JRG_NN_SUM_DSP_H

#include "core/jrg_nn_dither.h" // JRG_NN_DITHER_GOLDEN
#include "core/jrg_nn_dsp.h"    // JRG_NN_INLINE

/* One sum becomes its mean in whole weights: SMLAL on the dither, whose top half is `fine`. */
#define JRG_NN_MEAN(s)                                                                                                 \
    "mov r9, %[rho]\n\t"                                                                                               \
    "lsr r10, %[rho], %[fine]\n\t"                                                                                     \
    "smlal r9, r10, " s ", %[factor]\n\t"                                                                              \
    "ssat " s ", #16, r10, asr %[shift]\n\t"

/* 4 weights for each of `quads`; shift: a constant, 6..14. weights: 4-aligned. The sums are 0 again. */
JRG_NN_INLINE void jrg_nn_apply_quads_dsp(int16_t *weights, int32_t *sums, uint32_t quads, int32_t factor,
                                          uint32_t shift, uint32_t rho)
{
    const uint32_t zero = 0;
#pragma GCC unroll 4
    for (uint32_t left = quads; left > 0u; left--) {
        __asm__ volatile("ldmia %[s], {r4, r5, r6, r8}\n\t"
                         "orr r9, r4, r5\n\t"
                         "orr r10, r6, r8\n\t"
                         "orrs r9, r9, r10\n\t"
                         "beq 1f\n\t" JRG_NN_MEAN("r4") JRG_NN_MEAN("r5") JRG_NN_MEAN("r6")
                             JRG_NN_MEAN("r8") "ldrd r9, r10, [%[w]]\n\t"
                                               "pkhbt r4, r4, r5, lsl #16\n\t"
                                               "pkhbt r6, r6, r8, lsl #16\n\t"
                                               "qadd16 r9, r9, r4\n\t"
                                               "qadd16 r10, r10, r6\n\t"
                                               "strd r9, r10, [%[w]]\n\t"
                                               "strd %[zero], %[zero], [%[s]]\n\t"
                                               "strd %[zero], %[zero], [%[s], #8]\n"
                                               "1:\n\t"
                                               "add %[w], %[w], #8\n\t"
                                               "add %[s], %[s], #16\n\t"
                                               "add %[rho], %[rho], %[golden]"
                         : [w] "+&r"(weights), [s] "+&r"(sums), [rho] "+&r"(rho)
                         : [factor] "r"(factor), [zero] "r"(zero), [golden] "r"(JRG_NN_DITHER_GOLDEN),
                           [shift] "I"(shift), [fine] "I"(32u - shift)
                         : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    }
}

#endif
