/* A7.2 on the DSP extension: 8 inputs of one tap stay in registers while all active channels pass: 13 instructions each. */
#ifndef JRG_NN_CONV_BACKWARD_DSP_H
#define JRG_NN_CONV_BACKWARD_DSP_H

#include "core/jrg_nn_dsp.h"       // jrg_nn_pair
#include "weighted/jrg_nn_layer.h" // jrg_nn_row_error

/* 8 weights of the row whose place is in r1; e in the low half of r2. */
#define JRG_NN_CONV_ROW8                                                                                               \
    "add r1, %[weights], r1, lsl #1\n\t"                                                                               \
    "ldrd r3, r12, [r1]\n\t"                                                                                           \
    "smlabb r4, r3, r2, r4\n\t"                                                                                        \
    "smlatb r5, r3, r2, r5\n\t"                                                                                        \
    "smlabb r6, r12, r2, r6\n\t"                                                                                       \
    "smlatb r8, r12, r2, r8\n\t"                                                                                       \
    "ldrd r3, r12, [r1, #8]\n\t"                                                                                       \
    "smlabb r9, r3, r2, r9\n\t"                                                                                        \
    "smlatb r10, r3, r2, r10\n\t"                                                                                      \
    "smlabb r11, r12, r2, r11\n\t"                                                                                     \
    "smlatb lr, r12, r2, lr\n\t"

/* As jrg_nn_conv_add_tap; count is a multiple of 8. weights, below: 4-aligned. */
JRG_NN_INLINE void jrg_nn_conv_add_tap_dsp(const jrg_nn_row_error *rows, const int16_t *weights, uint32_t count,
                                           int32_t *below)
{
    for (uint32_t i = 0; i < count; i += 8u) {
        const jrg_nn_row_error *list = rows;
        register int32_t *to __asm__("r2") = below + i; /* on the stack while r2 holds e: no register is left */
        __asm__ volatile("ldmia r2, {r4, r5, r6, r8, r9, r10, r11, lr}\n\t"
                         "push {r2}\n"
                         "1:\n\t"
                         "ldrd r2, r1, [%[list]], #8\n\t"
                         "cbz r2, 2f\n\t" JRG_NN_CONV_ROW8 "ldrd r2, r1, [%[list]], #8\n\t"
                         "cbz r2, 2f\n\t" JRG_NN_CONV_ROW8 "b 1b\n"
                         "2:\n\t"
                         "pop {r2}\n\t"
                         "stmia r2, {r4, r5, r6, r8, r9, r10, r11, lr}"
                         : [list] "+r"(list), [to] "+r"(to)
                         : [weights] "r"(weights + i)
                         : "r1", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "memory");
    }
}

#endif
