/* A8.3 and A8.4 fused on the DSP extension: blocks of 4 columns, 4 weights of a row in 21 instructions. */
#ifndef JRG_NN_DENSE_BACKWARD_W8_DSP_H
#define JRG_NN_DENSE_BACKWARD_W8_DSP_H

#include "dense/jrg_nn_dense_backward_dsp.h" // jrg_nn_list_block
#include "core/jrg_nn_dither.h"              // JRG_NN_DITHER_GOLDEN
#include "weighted/jrg_nn_layer_w8.h"        // jrg_nn_active_row_w8

/* Four columns of one row (r4: weights, r5: e' | d, r6: key): adds w * e' to the four sums with the weights as they
 * were, then steps the weights by the top bytes of d * x' + rho. */
#define JRG_NN_BACKWARD_ROW4_W8                                                                                        \
    "ldr %[w], [r4, %[offset]]\n\t"                                                                                    \
    "sxtb16 %[t], %[w]\n\t"                                                                                            \
    "smlabb %[g0], %[t], r5, %[g0]\n\t"                                                                                \
    "smlatb %[g1], %[t], r5, %[g1]\n\t"                                                                                \
    "sxtb16 %[t], %[w], ror #8\n\t"                                                                                    \
    "smlabb %[g2], %[t], r5, %[g2]\n\t"                                                                                \
    "smlatb %[g3], %[t], r5, %[g3]\n\t"                                                                                \
    "add r6, r6, %[draw]\n\t"                                                                                          \
    "lsr %[t], r6, #8\n\t"                                                                                             \
    "smlatb %[u], r5, %[x0], %[t]\n\t"                                                                                 \
    "smlatt %[t], r5, %[x0], %[t]\n\t"                                                                                 \
    "pkhtb %[u], %[t], %[u], asr #16\n\t"                                                                              \
    "bic r6, r6, #0xFF000000\n\t"                                                                                      \
    "smlatb %[t], r5, %[x1], r6\n\t"                                                                                   \
    "smlatt r6, r5, %[x1], r6\n\t"                                                                                     \
    "pkhtb %[t], r6, %[t], asr #16\n\t"                                                                                \
    "and %[t], %[t], #0xFF00FF00\n\t"                                                                                  \
    "uxtab16 %[t], %[t], %[u], ror #8\n\t"                                                                             \
    "qsub8 %[w], %[w], %[t]\n\t"                                                                                       \
    "str %[w], [r4, %[offset]]\n\t"

/* All rows of a list (there is one at least), four columns at `offset` from the rows' pointers. x0, x1: x' of the columns. draw: what R of this quad
 * is beyond the row's key (A8.5). */
JRG_NN_INLINE void jrg_nn_backward_block4_w8(const jrg_nn_active_row_w8 *rows, uint32_t offset, uint32_t draw,
                                             const uint32_t x[2], int32_t sums[4])
{
    uint32_t w, t, u;
    __asm__ volatile("ldmia %[list]!, {r4, r5, r6}\n"
                     "1:\n\t" JRG_NN_BACKWARD_ROW4_W8 "ldmia %[list]!, {r4, r5, r6}\n\t" JRG_NN_BACKWARD_ROW4_W8
                     "ldmia %[list]!, {r4, r5, r6}\n\t"
                     "cmp r4, #0\n\t"
                     "bne 1b"
                     : [list] "+&r"(rows), [g0] "+&r"(sums[0]), [g1] "+&r"(sums[1]), [g2] "+&r"(sums[2]),
                       [g3] "+&r"(sums[3]), [w] "=&r"(w), [t] "=&r"(t), [u] "=&r"(u)
                     : [x0] "r"(x[0]), [x1] "r"(x[1]), [draw] "r"(draw), [offset] "i"(offset)
                     : "r4", "r5", "r6", "cc", "memory");
}

/* The same at an offset that is no constant (at -Og, where loops stay loops): the rows' pointers are moved there and back. */
JRG_NN_INLINE void jrg_nn_backward_block4_at_w8(jrg_nn_active_row_w8 *rows, uint32_t offset, uint32_t draw,
                                                const uint32_t x[2], int32_t sums[4])
{
    for (jrg_nn_active_row_w8 *row = rows; row->weights != NULL; row++) {
        row->weights += offset;
    }
    jrg_nn_backward_block4_w8(rows, 0, draw, x, sums);
    for (jrg_nn_active_row_w8 *row = rows; row->weights != NULL; row++) {
        row->weights -= offset;
    }
}

/* Up to four columns: sums over all rows, the update, the list below. quad: their place in the row. */
JRG_NN_INLINE void jrg_nn_backward_quad_w8(const jrg_nn_dense_w8 *layer, jrg_nn_active_row_w8 *rows, const int16_t *x,
                                           uint32_t offset, uint32_t quad, uint32_t columns, bool input_rectified,
                                           jrg_nn_error_list *list)
{
    const jrg_nn_pair *pairs = (const jrg_nn_pair *)(const void *)(x + 4u * quad);
    const uint32_t shifted[2] = {jrg_nn_shifted_pair(pairs[0], layer->input_width),
                                 jrg_nn_shifted_pair(pairs[1], layer->input_width)};
    if (!input_rectified || (shifted[0] | shifted[1]) != 0u) {
        int32_t sums[4] = {0};
        if (__builtin_constant_p(offset)) {
            jrg_nn_backward_block4_w8(rows, offset, quad * JRG_NN_DITHER_GOLDEN, shifted, sums);
        } else {
            jrg_nn_backward_block4_at_w8(rows, offset, quad * JRG_NN_DITHER_GOLDEN, shifted, sums);
        }
        jrg_nn_list_block(list, sums, 4u * quad, columns, shifted, input_rectified);
    }
}

/* Up to 32 columns from `first` on, to which the rows' pointers point. */
JRG_NN_INLINE void jrg_nn_backward_panel_w8(const jrg_nn_dense_w8 *layer, jrg_nn_active_row_w8 *rows, const int16_t *x,
                                            uint32_t first, uint32_t columns, bool input_rectified,
                                            jrg_nn_error_list *list)
{
#pragma GCC unroll 8
    for (uint32_t offset = 0; offset < columns; offset += 4u) {
        const uint32_t left = columns - offset;
        jrg_nn_backward_quad_w8(layer, rows, x, offset, (first + offset) / 4u, left < 4u ? left : 4u, input_rectified,
                                list);
    }
}

/* As jrg_nn_dense_backward_w8. x is 4-aligned. The list's pointers are moved along the rows. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_backward_w8_dsp(const jrg_nn_dense_w8 *layer, jrg_nn_active_row_w8 *rows,
                                                        const int16_t *x, bool input_rectified, jrg_nn_row_error *below)
{
    jrg_nn_error_list list = {below, 0u};
    const uint32_t rest = layer->inputs % JRG_NN_PANEL_COLUMNS;
    uint32_t first = 0;
#pragma GCC unroll 1
    while (first + JRG_NN_PANEL_COLUMNS <= layer->inputs) {
        jrg_nn_backward_panel_w8(layer, rows, x, first, JRG_NN_PANEL_COLUMNS, input_rectified, &list);
        first += JRG_NN_PANEL_COLUMNS;
        for (jrg_nn_active_row_w8 *row = rows; first != layer->inputs && row->weights != NULL; row++) {
            row->weights += JRG_NN_PANEL_COLUMNS;
        }
    }
    jrg_nn_backward_panel_w8(layer, rows, x, first, rest, input_rectified, &list);
    return (jrg_nn_error){.magnitude = list.magnitude, .count = (uint32_t)(list.next - below)};
}

#endif
