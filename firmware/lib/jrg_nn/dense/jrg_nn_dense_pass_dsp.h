/* A5.7 alone on the DSP extension: blocks of 4 columns, 4 weights of a row in 5 instructions and those of the loop. */
#ifndef JRG_NN_DENSE_PASS_DSP_H
#define JRG_NN_DENSE_PASS_DSP_H

#include "dense/jrg_nn_dense_backward_dsp.h" // jrg_nn_list_block

/* Four columns of one row: adds w * e to the four sums. */
#define JRG_NN_PASS_ROW4                                                                                               \
    "ldrd %[w0], %[w1], [%[row], %[offset]]\n\t"                                                                       \
    "smlabb %[g0], %[w0], %[ed], %[g0]\n\t"                                                                            \
    "smlatb %[g1], %[w0], %[ed], %[g1]\n\t"                                                                            \
    "smlabb %[g2], %[w1], %[ed], %[g2]\n\t"                                                                            \
    "smlatb %[g3], %[w1], %[ed], %[g3]\n\t"

/* All rows of a list, two columns at offset_bytes from the rows' pointers. */
JRG_NN_INLINE void jrg_nn_pass_block2(const jrg_nn_active_row *rows, uint32_t offset_bytes, int32_t sums[2])
{
    for (const jrg_nn_active_row *active = rows; active->weights != NULL; active++) {
        const int16_t *weights = active->weights + offset_bytes / 2u;
        sums[0] += (int32_t)weights[0] * active->error;
        sums[1] += (int32_t)weights[1] * active->error;
    }
}

/* All rows of a list, four columns at offset_bytes from the rows' pointers: a part of the instructions, or at -Og, where
 * loops stay loops, two columns at a time. */
JRG_NN_INLINE void jrg_nn_pass_block4(const jrg_nn_active_row *rows, uint32_t offset_bytes, int32_t sums[4])
{
    if (!__builtin_constant_p(offset_bytes)) {
        jrg_nn_pass_block2(rows, offset_bytes, sums);
        jrg_nn_pass_block2(rows, offset_bytes + 4u, sums + 2);
        return;
    }
    uint32_t row, factor, w0, w1;
    __asm__ volatile("1:\n\t"
                     "ldrd %[row], %[ed], [%[list]], #8\n\t"
                     "cbz %[row], 2f\n\t" JRG_NN_PASS_ROW4 "ldrd %[row], %[ed], [%[list]], #8\n\t" JRG_NN_PASS_ROW4
                     "b 1b\n"
                     "2:"
                     : [list] "+&r"(rows), [g0] "+&r"(sums[0]), [g1] "+&r"(sums[1]), [g2] "+&r"(sums[2]),
                       [g3] "+&r"(sums[3]), [row] "=&l"(row), [ed] "=&r"(factor), [w0] "=&r"(w0), [w1] "=&r"(w1)
                     : [offset] "i"(offset_bytes)
                     : "memory");
}

/* Up to four columns from `first` on, at `offset` from the rows' pointers. */
JRG_NN_INLINE void jrg_nn_pass_columns(const jrg_nn_active_row *rows, const int16_t *x, uint32_t offset, uint32_t first,
                                       uint32_t columns, bool input_rectified, jrg_nn_error_list *list)
{
    const jrg_nn_pair *pairs = (const jrg_nn_pair *)(const void *)(x + first);
    const uint32_t inputs[2] = {pairs[0], columns > 2u ? pairs[1] : 0u};
    if (!input_rectified || (inputs[0] | inputs[1]) != 0u) {
        int32_t sums[4] = {0};
        if (columns > 2u) {
            jrg_nn_pass_block4(rows, 2u * offset, sums);
        } else {
            jrg_nn_pass_block2(rows, 2u * offset, sums);
        }
        jrg_nn_list_block(list, sums, first, columns, inputs, input_rectified);
    }
}

/* Up to 32 columns from `first` on, to which the rows' pointers point. */
JRG_NN_INLINE void jrg_nn_pass_panel(const jrg_nn_active_row *rows, const int16_t *x, uint32_t first, uint32_t columns,
                                     bool input_rectified, jrg_nn_error_list *list)
{
#pragma GCC unroll 8
    for (uint32_t offset = 0; offset < columns; offset += 4u) {
        const uint32_t left = columns - offset;
        jrg_nn_pass_columns(rows, x, offset, first + offset, left < 4u ? left : 4u, input_rectified, list);
    }
}

/* As jrg_nn_dense_pass. x is 4-aligned and padded with 0. The list's pointers are moved along the rows. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_pass_dsp(const jrg_nn_dense *layer, jrg_nn_active_row *rows, const int16_t *x,
                                                 bool input_rectified, jrg_nn_row_error *below)
{
    jrg_nn_error_list list = {below, 0u};
    const uint32_t rest = layer->inputs % JRG_NN_PANEL_COLUMNS;
    uint32_t first = 0;
#pragma GCC unroll 1
    while (first + JRG_NN_PANEL_COLUMNS <= layer->inputs) {
        jrg_nn_pass_panel(rows, x, first, JRG_NN_PANEL_COLUMNS, input_rectified, &list);
        first += JRG_NN_PANEL_COLUMNS;
        for (jrg_nn_active_row *row = rows; first != layer->inputs && row->weights != NULL; row++) {
            row->weights += JRG_NN_PANEL_COLUMNS;
        }
    }
    jrg_nn_pass_panel(rows, x, first, rest, input_rectified, &list);
    return (jrg_nn_error){.magnitude = list.magnitude, .count = (uint32_t)(list.next - below)};
}

#endif
