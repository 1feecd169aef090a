/* Copying for jrg_nn_conv_geometry.h: 8 numbers in 2 instructions, 2 in 2 where nothing is aligned. */
#ifndef JRG_NN_CONV_GEOMETRY_DSP_H
#define JRG_NN_CONV_GEOMETRY_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_pair

/* 8 numbers; moves both pointers on. Both are 4-aligned. */
JRG_NN_INLINE void jrg_nn_copy8_dsp(const int16_t **from, int16_t **to)
{
    __asm__ volatile("ldmia %[from]!, {r4, r5, r6, r8}\n\t"
                     "stmia %[to]!, {r4, r5, r6, r8}"
                     : [from] "+r"(*from), [to] "+r"(*to)
                     :
                     : "r4", "r5", "r6", "r8", "memory");
}

/* words: pairs of numbers. Both pointers are 4-aligned. */
JRG_NN_INLINE void jrg_nn_copy_dsp(const int16_t *from, int16_t *to, uint32_t words)
{
#pragma GCC unroll 4
    for (uint32_t blocks = words / 4u; blocks > 0u; blocks--) {
        jrg_nn_copy8_dsp(&from, &to);
    }
    const jrg_nn_pair *pairs = (const jrg_nn_pair *)(const void *)from;
    for (uint32_t i = 0; i < words % 4u; i++) {
        ((jrg_nn_pair *)(void *)to)[i] = pairs[i];
    }
}

/* As jrg_nn_copy_dsp for count numbers of any alignment: single words need none. */
JRG_NN_INLINE void jrg_nn_copy_any_dsp(const int16_t *from, int16_t *to, uint32_t count)
{
#pragma GCC unroll 4
    for (uint32_t words = count / 2u; words > 0u; words--) {
        jrg_nn_store_pair(to, jrg_nn_load_pair(from));
        from += 2;
        to += 2;
    }
    if ((count & 1u) != 0u) {
        *to = *from;
    }
}

#endif
