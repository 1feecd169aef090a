/* A3.0 on the DSP extension: 8 numbers in 6 instructions. */
#ifndef JRG_NN_INPUT_DSP_H
#define JRG_NN_INPUT_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_ssat

/* Clamps 8 numbers and moves both pointers on. Both are 4-aligned. */
JRG_NN_INLINE void jrg_nn_input8_dsp(const int16_t **x, int16_t **buffer, uint32_t input_width)
{
    __asm__ volatile("ldmia %[x]!, {r4, r5, r6, r8}\n\t"
                     "ssat16 r4, %[bits], r4\n\t"
                     "ssat16 r5, %[bits], r5\n\t"
                     "ssat16 r6, %[bits], r6\n\t"
                     "ssat16 r8, %[bits], r8\n\t"
                     "stmia %[y]!, {r4, r5, r6, r8}"
                     : [x] "+r"(*x), [y] "+r"(*buffer)
                     : [bits] "I"(input_width + 1u)
                     : "r4", "r5", "r6", "r8", "memory");
}

/* As jrg_nn_input; x is 4-aligned. */
JRG_NN_INLINE void jrg_nn_input_dsp(const int16_t *x, int16_t *buffer, uint32_t inputs, uint32_t input_width)
{
#pragma GCC unroll 8
    for (uint32_t blocks = inputs / 8u; blocks > 0u; blocks--) {
        jrg_nn_input8_dsp(&x, &buffer, input_width);
    }
    for (uint32_t i = 0; i < inputs % 8u; i++) {
        buffer[i] = (int16_t)jrg_nn_ssat(x[i], input_width);
    }
}

#endif
