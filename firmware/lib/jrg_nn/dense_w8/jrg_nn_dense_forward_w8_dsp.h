/* A8.2 on the DSP extension: two rows share the loads of x; 16 products in 19 instructions. */
#ifndef JRG_NN_DENSE_FORWARD_W8_DSP_H
#define JRG_NN_DENSE_FORWARD_W8_DSP_H

#include "dense/jrg_nn_dense_forward_dsp.h" // jrg_nn_activation_dsp
#include "core/jrg_nn_dsp.h"                // jrg_nn_pair
#include "weighted/jrg_nn_layer_w8.h"       // jrg_nn_dense_w8

/* Two rows of weights on their way along x, and their sums. All pointers are 4-aligned. */
typedef struct {
    const int16_t *x;
    const int8_t *w0;
    const int8_t *w1;
    int32_t sum0;
    int32_t sum1;
} jrg_nn_two_rows_w8;

/* A quad of weights times two pairs of x, added to a sum. */
#define JRG_NN_QUAD_W8(w, x0, x1, sum)                                                                                 \
    "sxtb16 r11, " w "\n\t"                                                                                            \
    "sxtb16 r12, " w ", ror #8\n\t"                                                                                    \
    "smlad " sum ", r11, " x0 ", " sum "\n\t"                                                                          \
    "smlad " sum ", r12, " x1 ", " sum "\n\t"

/* 8 columns. */
JRG_NN_INLINE void jrg_nn_two_rows8_w8(jrg_nn_two_rows_w8 *rows)
{
    __asm__ volatile(
        "ldmia %[x]!, {r4, r5, r6, r8}\n\t"
        "ldrd r9, r10, [%[w0]], #8\n\t" JRG_NN_QUAD_W8("r9", "r4", "r5", "%[s0]") JRG_NN_QUAD_W8(
            "r10", "r6", "r8", "%[s0]") "ldrd r9, r10, [%[w1]], #8\n\t" JRG_NN_QUAD_W8("r9", "r4", "r5", "%[s1]")
            JRG_NN_QUAD_W8("r10", "r6", "r8", "%[s1]")
        : [x] "+&r"(rows->x), [w0] "+&r"(rows->w0), [w1] "+&r"(rows->w1), [s0] "+&r"(rows->sum0), [s1] "+&r"(rows->sum1)
        :
        : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
}

/* 4 columns. */
JRG_NN_INLINE void jrg_nn_two_rows4_w8(jrg_nn_two_rows_w8 *rows)
{
    __asm__ volatile(
        "ldrd r4, r5, [%[x]], #8\n\t"
        "ldr r9, [%[w0]], #4\n\t"
        "ldr r10, [%[w1]], #4\n\t" JRG_NN_QUAD_W8("r9", "r4", "r5", "%[s0]") JRG_NN_QUAD_W8("r10", "r4", "r5", "%[s1]")
        : [x] "+&r"(rows->x), [w0] "+&r"(rows->w0), [w1] "+&r"(rows->w1), [s0] "+&r"(rows->sum0), [s1] "+&r"(rows->sum1)
        :
        : "r4", "r5", "r9", "r10", "r11", "r12", "memory");
}

/* 4 columns of one row; moves both pointers on. */
JRG_NN_INLINE int32_t jrg_nn_one_row4_w8(const int16_t **x, const int8_t **w, int32_t sum)
{
    __asm__ volatile("ldrd r4, r5, [%[x]], #8\n\t"
                     "ldr r9, [%[w]], #4\n\t" JRG_NN_QUAD_W8("r9", "r4", "r5", "%[s]")
                     : [x] "+&r"(*x), [w] "+&r"(*w), [s] "+&r"(sum)
                     :
                     : "r4", "r5", "r9", "r11", "r12", "memory");
    return sum;
}

JRG_NN_INLINE void jrg_nn_two_rows_add_w8(jrg_nn_two_rows_w8 *rows, uint32_t quads)
{
#pragma GCC unroll 8
    for (uint32_t blocks = quads / 2u; blocks > 0u; blocks--) {
        jrg_nn_two_rows8_w8(rows);
    }
    if ((quads & 1u) != 0u) {
        jrg_nn_two_rows4_w8(rows);
    }
}

/* A3.2 or A3.3 of one channel's sum. */
JRG_NN_INLINE int32_t jrg_nn_channel_output(int32_t sum, int32_t shift, uint32_t bits, bool relu)
{
    return jrg_nn_activation_dsp(sum, jrg_nn_shift_factor((uint32_t)shift), bits, relu);
}

/* As jrg_nn_dense_forward_w8. */
JRG_NN_INLINE void jrg_nn_dense_forward_w8_dsp(const jrg_nn_dense_w8 *layer, const int16_t *x, int16_t *y,
                                               int32_t shift, uint32_t output_width, bool relu)
{
    const uint32_t quads = (layer->inputs + 3u) / 4u;
    const int8_t *w = layer->weights;
    jrg_nn_pair *pairs = (jrg_nn_pair *)(void *)y;
    uint32_t j = 0;
    for (; j + 1u < layer->outputs; j += 2u) {
        jrg_nn_two_rows_w8 rows = {x, w, w + 4u * quads, layer->biases[j], layer->biases[j + 1u]};
        jrg_nn_two_rows_add_w8(&rows, quads);
        w = rows.w1;
        *pairs++ =
            jrg_nn_pack_pair(jrg_nn_channel_output(rows.sum0, shift + layer->channels[j], output_width, relu),
                             jrg_nn_channel_output(rows.sum1, shift + layer->channels[j + 1u], output_width, relu));
    }
    if (j < layer->outputs) {
        int32_t sum = layer->biases[j];
#pragma GCC unroll 8
        for (uint32_t left = quads; left > 0u; left--) {
            sum = jrg_nn_one_row4_w8(&x, &w, sum);
        }
        y[j] = (int16_t)jrg_nn_channel_output(sum, shift + layer->channels[j], output_width, relu);
    }
}

#endif
