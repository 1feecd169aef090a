/* A5.7 and A5.6 fused on the DSP extension: blocks of 4 columns, 4 weights of a row in 16 instructions. */
#ifndef JRG_NN_DENSE_BACKWARD_DSP_H
#define JRG_NN_DENSE_BACKWARD_DSP_H

#include "dense/jrg_nn_dense_update_dsp.h" // jrg_nn_shifted_pair
#include "core/jrg_nn_dsp.h"               // jrg_nn_pair
#include "weighted/jrg_nn_layer.h"         // jrg_nn_active_row

#define JRG_NN_PANEL_COLUMNS 32u /* columns reached from one row pointer with constant offsets */

/* Where the errors below are listed, and their magnitude so far. */
typedef struct {
    jrg_nn_row_error *next;
    uint32_t magnitude;
} jrg_nn_error_list;

/* Four columns of one row: adds w * e to the four sums with the weights as they were, then steps the weights. */
#define JRG_NN_BACKWARD_ROW4                                                                                           \
    "ldrd %[w0], %[w1], [%[row], %[offset]]\n\t"                                                                       \
    "smlabb %[g0], %[w0], %[ed], %[g0]\n\t"                                                                            \
    "smlatb %[g1], %[w0], %[ed], %[g1]\n\t"                                                                            \
    "smlabb %[g2], %[w1], %[ed], %[g2]\n\t"                                                                            \
    "smlatb %[g3], %[w1], %[ed], %[g3]\n\t"                                                                            \
    "smlatb %[t0], %[ed], %[x0], %[rho]\n\t"                                                                           \
    "smlatt %[t1], %[ed], %[x0], %[rho]\n\t"                                                                           \
    "pkhtb %[t0], %[t1], %[t0], asr #16\n\t"                                                                           \
    "qsub16 %[w0], %[w0], %[t0]\n\t"                                                                                   \
    "smlatb %[t0], %[ed], %[x1], %[rho]\n\t"                                                                           \
    "smlatt %[t1], %[ed], %[x1], %[rho]\n\t"                                                                           \
    "pkhtb %[t0], %[t1], %[t0], asr #16\n\t"                                                                           \
    "qsub16 %[w1], %[w1], %[t0]\n\t"                                                                                   \
    "strd %[w0], %[w1], [%[row], %[offset]]\n\t"

/* All rows of a list, two columns at offset_bytes from the rows' pointers. x0: x' of the columns; rho: of the columns. */
JRG_NN_INLINE void jrg_nn_backward_block2(const jrg_nn_active_row *rows, uint32_t offset_bytes, uint32_t x0,
                                          uint32_t rho, int32_t sums[2])
{
    for (const jrg_nn_active_row *active = rows; active->weights != NULL; active++) {
        uint32_t factor = *(const jrg_nn_pair *)(const void *)&active->error;
        uint32_t pair, top;
        __asm__ volatile("ldr %[w], [%[row], %[offset]]\n\t"
                         "smlabb %[g0], %[w], %[ed], %[g0]\n\t"
                         "smlatb %[g1], %[w], %[ed], %[g1]\n\t"
                         "smlatt %[t], %[ed], %[x], %[rho]\n\t"
                         "smlatb %[ed], %[ed], %[x], %[rho]\n\t"
                         "pkhtb %[ed], %[t], %[ed], asr #16\n\t"
                         "qsub16 %[w], %[w], %[ed]\n\t"
                         "str %[w], [%[row], %[offset]]"
                         : [g0] "+r"(sums[0]), [g1] "+r"(sums[1]), [ed] "+r"(factor), [w] "=&r"(pair), [t] "=&r"(top)
                         : [row] "r"(active->weights), [x] "r"(x0), [rho] "r"(rho), [offset] "ri"(offset_bytes)
                         : "memory");
    }
}

/* All rows of a list, four columns at offset_bytes from the rows' pointers: a part of the instructions, or at -Og, where
 * loops stay loops, two columns at a time. x0, x1: x' of the columns; rho: of the columns. */
JRG_NN_INLINE void jrg_nn_backward_block4(const jrg_nn_active_row *rows, uint32_t offset_bytes, uint32_t x0,
                                          uint32_t x1, uint32_t rho, int32_t sums[4])
{
    if (!__builtin_constant_p(offset_bytes)) {
        jrg_nn_backward_block2(rows, offset_bytes, x0, rho, sums);
        jrg_nn_backward_block2(rows, offset_bytes + 4u, x1, rho, sums + 2);
        return;
    }
    uint32_t row, factor, w0, w1, t0, t1;
    __asm__ volatile(
        "1:\n\t"
        "ldrd %[row], %[ed], [%[list]], #8\n\t"
        "cbz %[row], 2f\n\t" JRG_NN_BACKWARD_ROW4 "ldrd %[row], %[ed], [%[list]], #8\n\t" JRG_NN_BACKWARD_ROW4 "b 1b\n"
        "2:"
        : [list] "+r"(rows), [g0] "+r"(sums[0]), [g1] "+r"(sums[1]), [g2] "+r"(sums[2]), [g3] "+r"(sums[3]),
          [row] "=&l"(row), [ed] "=&r"(factor), [w0] "=&r"(w0), [w1] "=&r"(w1), [t0] "=&r"(t0), [t1] "=&r"(t1)
        : [x0] "r"(x0), [x1] "r"(x1), [rho] "r"(rho), [offset] "i"(offset_bytes)
        : "memory");
}

/* Lists the error of one column, unless a ReLU stopped it: then its half of the pair x is 0. */
JRG_NN_INLINE void jrg_nn_list_column(jrg_nn_error_list *list, int32_t value, uint32_t column, uint32_t x_half,
                                      bool input_rectified)
{
    if (!input_rectified || x_half != 0u) {
        *list->next++ = (jrg_nn_row_error){value, column};
        list->magnitude |= jrg_nn_magnitude(value);
    }
}

/* The errors of four columns, of which the first `columns` exist. */
JRG_NN_INLINE void jrg_nn_list_block(jrg_nn_error_list *list, const int32_t *sums, uint32_t first, uint32_t columns,
                                     const uint32_t *x, bool input_rectified)
{
#pragma GCC unroll 4
    for (uint32_t i = 0; i < columns; i++) {
        const uint32_t half = (i & 1u) != 0u ? x[i / 2u] >> 16 : x[i / 2u] << 16;
        jrg_nn_list_column(list, sums[i], first + i, half, input_rectified);
    }
}

/* Four (or, at the end, three) columns: sums over all rows, the update, the list below. */
JRG_NN_INLINE void jrg_nn_backward_columns4(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, const int16_t *x,
                                            uint32_t offset, uint32_t first, uint32_t columns, bool input_rectified,
                                            uint32_t layer_key, jrg_nn_error_list *list)
{
    const jrg_nn_pair *pairs = (const jrg_nn_pair *)(const void *)(x + first);
    const uint32_t shifted[2] = {jrg_nn_shifted_pair(pairs[0], layer->input_width),
                                 jrg_nn_shifted_pair(pairs[1], layer->input_width)};
    if (!input_rectified || (shifted[0] | shifted[1]) != 0u) {
        int32_t sums[4] = {0};
        const uint32_t rho = jrg_nn_column_dither(layer_key, first / JRG_NN_DITHER_COLUMN_BLOCK);
        jrg_nn_backward_block4(rows, 2u * offset, shifted[0], shifted[1], rho, sums);
        jrg_nn_list_block(list, sums, first, columns, shifted, input_rectified);
    }
}

/* The last one or two columns. */
JRG_NN_INLINE void jrg_nn_backward_columns2(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, const int16_t *x,
                                            uint32_t offset, uint32_t first, uint32_t columns, bool input_rectified,
                                            uint32_t layer_key, jrg_nn_error_list *list)
{
    const uint32_t shifted = jrg_nn_shifted_pair(*(const jrg_nn_pair *)(const void *)(x + first), layer->input_width);
    if (!input_rectified || shifted != 0u) {
        int32_t sums[2] = {0};
        const uint32_t rho = jrg_nn_column_dither(layer_key, first / JRG_NN_DITHER_COLUMN_BLOCK);
        jrg_nn_backward_block2(rows, 2u * offset, shifted, rho, sums);
        jrg_nn_list_block(list, sums, first, columns, &shifted, input_rectified);
    }
}

/* Up to 32 columns from `first` on, to which the rows' pointers point. */
JRG_NN_INLINE void jrg_nn_backward_panel(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, const int16_t *x,
                                         uint32_t first, uint32_t columns, bool input_rectified, uint32_t layer_key,
                                         jrg_nn_error_list *list)
{
#pragma GCC unroll 8
    for (uint32_t offset = 0; offset + 2u < columns; offset += 4u) {
        const uint32_t left = columns - offset;
        jrg_nn_backward_columns4(layer, rows, x, offset, first + offset, left < 4u ? left : 4u, input_rectified,
                                 layer_key, list);
    }
    if (columns % 4u == 1u || columns % 4u == 2u) {
        const uint32_t offset = columns & ~3u;
        jrg_nn_backward_columns2(layer, rows, x, offset, first + offset, columns - offset, input_rectified, layer_key,
                                 list);
    }
}

/* As jrg_nn_dense_backward. x is 4-aligned and padded with 0. The list's pointers are moved along the rows. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_backward_dsp(const jrg_nn_dense *layer, jrg_nn_active_row *rows,
                                                     const int16_t *x, bool input_rectified, uint32_t layer_key,
                                                     jrg_nn_row_error *below)
{
    jrg_nn_error_list list = {below, 0u};
    const uint32_t rest = layer->inputs % JRG_NN_PANEL_COLUMNS;
    uint32_t first = 0;
#pragma GCC unroll 1
    while (first + JRG_NN_PANEL_COLUMNS <= layer->inputs) {
        jrg_nn_backward_panel(layer, rows, x, first, JRG_NN_PANEL_COLUMNS, input_rectified, layer_key, &list);
        first += JRG_NN_PANEL_COLUMNS;
        for (jrg_nn_active_row *row = rows; first != layer->inputs && row->weights != NULL; row++) {
            row->weights += JRG_NN_PANEL_COLUMNS;
        }
    }
    jrg_nn_backward_panel(layer, rows, x, first, rest, input_rectified, layer_key, &list);
    return (jrg_nn_error){.magnitude = list.magnitude, .count = (uint32_t)(list.next - below)};
}

#endif
