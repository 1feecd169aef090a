/* A11.2: the steps of a dense layer with int8 weights go into sums. */
#ifndef JRG_NN_DENSE_SUM_W8_H
#define JRG_NN_DENSE_SUM_W8_H

#include "weighted/jrg_nn_layer_w8.h" // jrg_nn_active_row_w8
#include "core/jrg_nn_sum.h"          // jrg_nn_sum_less

/* A11.2: s of one weight. input_width: bx, 7..15. */
JRG_NN_INLINE int32_t jrg_nn_summed_step_w8(int32_t factor, int32_t x, uint32_t input_width)
{
    return input_width == 7u ? factor * x : jrg_nn_rshift(factor * x, input_width - 7u);
}

/* As jrg_nn_dense_sum. sums: [outputs][inputs padded to quads], in the order of the columns. */
JRG_NN_INLINE void jrg_nn_dense_sum_w8(const jrg_nn_dense_w8 *layer, const jrg_nn_active_row_w8 *rows, uint32_t count,
                                       const int16_t *x, int32_t *sums)
{
    for (uint32_t r = 0; r < count; r++) {
        int32_t *restrict row = sums + (rows[r].weights - layer->weights);
        const int32_t factor = rows[r].factor;
#pragma GCC unroll 4
        for (uint32_t i = 0; i < layer->inputs; i++) {
            row[i] = jrg_nn_sum_less(row[i], jrg_nn_summed_step_w8(factor, x[i], layer->input_width));
        }
    }
}

#endif
