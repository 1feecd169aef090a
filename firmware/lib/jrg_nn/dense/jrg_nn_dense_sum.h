/* A11.2: a dense layer's steps go into sums. (Those of the biases do so in jrg_nn_active_rows: the layer's biases are sums.) */
#ifndef JRG_NN_DENSE_SUM_H
#define JRG_NN_DENSE_SUM_H

#include "weighted/jrg_nn_layer.h" // jrg_nn_active_row
#include "core/jrg_nn_sum.h"       // jrg_nn_sum_less
#if JRG_NN_DSP
#include "dense/jrg_nn_dense_sum_dsp.h" // jrg_nn_dense_sum_dsp
#endif

/* rows: [count] of this layer (jrg_nn_active_rows), before their pointers are moved. x: [inputs] of the forward pass, padded
 * with 0 to even. sums: [outputs][inputs padded to even]. */
JRG_NN_INLINE void jrg_nn_dense_sum(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, uint32_t count,
                                    const int16_t *x, int32_t *sums)
{
#if JRG_NN_DSP
    jrg_nn_dense_sum_dsp(layer, rows, count, x, sums);
#else
    for (uint32_t r = 0; r < count; r++) {
        int32_t *restrict row = sums + (rows[r].weights - layer->weights);
        for (uint32_t i = 0; i < layer->inputs; i++) {
            row[i] = jrg_nn_sum_less(row[i], (int32_t)rows[r].factor * x[i]);
        }
    }
#endif
}

#endif
