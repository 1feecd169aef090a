/* A8.3 on the DSP extension: 4 inputs of one tap stay in registers while all active channels pass: 10 instructions each. */
#ifndef JRG_NN_CONV_BACKWARD_W8_DSP_H
#define JRG_NN_CONV_BACKWARD_W8_DSP_H

#include "weighted/jrg_nn_layer_w8.h" // jrg_nn_active_row_w8

/* One row of the list: 4 weights times e', added to the four sums. */
#define JRG_NN_CONV_ROW4_W8                                                                                            \
    "ldrd %[row], %[e], [%[list]], #12\n\t"                                                                            \
    "cbz %[row], 2f\n\t"                                                                                               \
    "ldr %[w], [%[row], %[offset]]\n\t"                                                                                \
    "sxtb16 %[t], %[w]\n\t"                                                                                            \
    "sxtb16 %[w], %[w], ror #8\n\t"                                                                                    \
    "smlabb %[g0], %[t], %[e], %[g0]\n\t"                                                                              \
    "smlatb %[g1], %[t], %[e], %[g1]\n\t"                                                                              \
    "smlabb %[g2], %[w], %[e], %[g2]\n\t"                                                                              \
    "smlatb %[g3], %[w], %[e], %[g3]\n\t"

/* Four inputs whose weights stand at `offset` in a row, a multiple of 4. below: [4]. */
JRG_NN_INLINE void jrg_nn_conv_add_quad_w8_dsp(const jrg_nn_active_row_w8 *rows, uint32_t offset, int32_t *below)
{
    uint32_t row, e, w, t;
    __asm__ volatile("1:\n\t" JRG_NN_CONV_ROW4_W8 JRG_NN_CONV_ROW4_W8 "b 1b\n"
                     "2:"
                     : [list] "+&r"(rows), [g0] "+&r"(below[0]), [g1] "+&r"(below[1]), [g2] "+&r"(below[2]),
                       [g3] "+&r"(below[3]), [row] "=&l"(row), [e] "=&r"(e), [w] "=&r"(w), [t] "=&r"(t)
                     : [offset] "r"(offset)
                     : "memory");
}

#endif
