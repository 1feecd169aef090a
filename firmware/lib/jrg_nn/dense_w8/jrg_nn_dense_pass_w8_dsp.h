/* A8.3 alone on the DSP extension: blocks of 4 columns, 4 weights of a row in 7 instructions and those of the loop. */
#ifndef JRG_NN_DENSE_PASS_W8_DSP_H
#define JRG_NN_DENSE_PASS_W8_DSP_H

#include "dense/jrg_nn_dense_backward_dsp.h" // jrg_nn_list_block
#include "weighted/jrg_nn_layer_w8.h"        // jrg_nn_active_row_w8

/* Four columns of one row (r4: weights, r5: e' | d): adds w * e' to the four sums. */
#define JRG_NN_PASS_ROW4_W8                                                                                            \
    "ldr %[w], [r4, %[offset]]\n\t"                                                                                    \
    "sxtb16 %[t], %[w]\n\t"                                                                                            \
    "smlabb %[g0], %[t], r5, %[g0]\n\t"                                                                                \
    "smlatb %[g1], %[t], r5, %[g1]\n\t"                                                                                \
    "sxtb16 %[t], %[w], ror #8\n\t"                                                                                    \
    "smlabb %[g2], %[t], r5, %[g2]\n\t"                                                                                \
    "smlatb %[g3], %[t], r5, %[g3]\n\t"

/* All rows of a list (there is one at least), four columns at `offset` from the rows' pointers. */
JRG_NN_INLINE void jrg_nn_pass_block4_w8(const jrg_nn_active_row_w8 *rows, uint32_t offset, int32_t sums[4])
{
    uint32_t w, t;
    __asm__ volatile("ldmia %[list]!, {r4, r5, r6}\n"
                     "1:\n\t" JRG_NN_PASS_ROW4_W8 "ldmia %[list]!, {r4, r5, r6}\n\t" JRG_NN_PASS_ROW4_W8
                     "ldmia %[list]!, {r4, r5, r6}\n\t"
                     "cmp r4, #0\n\t"
                     "bne 1b"
                     : [list] "+&r"(rows), [g0] "+&r"(sums[0]), [g1] "+&r"(sums[1]), [g2] "+&r"(sums[2]),
                       [g3] "+&r"(sums[3]), [w] "=&r"(w), [t] "=&r"(t)
                     : [offset] "ri"(offset)
                     : "r4", "r5", "r6", "cc", "memory");
}

/* Up to 32 columns from `first` on, to which the rows' pointers point. */
JRG_NN_INLINE void jrg_nn_pass_panel_w8(const jrg_nn_active_row_w8 *rows, const int16_t *x, uint32_t first,
                                        uint32_t columns, bool input_rectified, jrg_nn_error_list *list)
{
#pragma GCC unroll 8
    for (uint32_t offset = 0; offset < columns; offset += 4u) {
        const jrg_nn_pair *pairs = (const jrg_nn_pair *)(const void *)(x + first + offset);
        const uint32_t inputs[2] = {pairs[0], pairs[1]};
        const uint32_t left = columns - offset;
        if (!input_rectified || (inputs[0] | inputs[1]) != 0u) {
            int32_t sums[4] = {0};
            jrg_nn_pass_block4_w8(rows, offset, sums);
            jrg_nn_list_block(list, sums, first + offset, left < 4u ? left : 4u, inputs, input_rectified);
        }
    }
}

/* As jrg_nn_dense_pass_w8. x is 4-aligned. The list's pointers are moved along the rows. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_pass_w8_dsp(const jrg_nn_dense_w8 *layer, jrg_nn_active_row_w8 *rows,
                                                    const int16_t *x, bool input_rectified, jrg_nn_row_error *below)
{
    jrg_nn_error_list list = {below, 0u};
    const uint32_t rest = layer->inputs % JRG_NN_PANEL_COLUMNS;
    uint32_t first = 0;
#pragma GCC unroll 1
    while (first + JRG_NN_PANEL_COLUMNS <= layer->inputs) {
        jrg_nn_pass_panel_w8(rows, x, first, JRG_NN_PANEL_COLUMNS, input_rectified, &list);
        first += JRG_NN_PANEL_COLUMNS;
        for (jrg_nn_active_row_w8 *row = rows; first != layer->inputs && row->weights != NULL; row++) {
            row->weights += JRG_NN_PANEL_COLUMNS;
        }
    }
    jrg_nn_pass_panel_w8(rows, x, first, rest, input_rectified, &list);
    return (jrg_nn_error){.magnitude = list.magnitude, .count = (uint32_t)(list.next - below)};
}

#endif
