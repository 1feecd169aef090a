/* A7.4 of four weights at once on the DSP extension: 8 products in 6 instructions. */
#ifndef JRG_NN_CONV_UPDATE_W8_DSP_H
#define JRG_NN_CONV_UPDATE_W8_DSP_H

#include "core/jrg_nn_arith.h" // JRG_NN_INLINE

/* As jrg_nn_quad_sums. All pointers are 4-aligned. */
JRG_NN_INLINE void jrg_nn_quad_sums_dsp(const int16_t *columns, const int16_t *errors, uint32_t pairs, int32_t sums[4])
{
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma GCC unroll 4
    for (uint32_t left = pairs; left > 0u; left--) {
        __asm__ volatile("ldmia %[columns]!, {r4, r5, r6, r8}\n\t"
                         "ldr r9, [%[errors]], #4\n\t"
                         "smlad %[s0], r4, r9, %[s0]\n\t"
                         "smlad %[s1], r5, r9, %[s1]\n\t"
                         "smlad %[s2], r6, r9, %[s2]\n\t"
                         "smlad %[s3], r8, r9, %[s3]"
                         : [columns] "+&r"(columns), [errors] "+&r"(errors), [s0] "+&r"(sum0), [s1] "+&r"(sum1),
                           [s2] "+&r"(sum2), [s3] "+&r"(sum3)
                         :
                         : "r4", "r5", "r6", "r8", "r9", "memory");
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#endif
