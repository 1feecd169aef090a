/* A5.6: update of a dense layer's weights where no error goes further down (the first trained layer). */
#ifndef JRG_NN_DENSE_UPDATE_H
#define JRG_NN_DENSE_UPDATE_H

#include "jrg_nn_arith.h" // jrg_nn_sats
#include "jrg_nn_layer.h" // jrg_nn_dense
#if JRG_NN_DSP
#include "jrg_nn_dense_update_dsp.h" // jrg_nn_dense_update_dsp
#endif

/* A5.6: a weight after its step. */
JRG_NN_INLINE int16_t jrg_nn_stepped_weight(int32_t weight, int32_t factor, int32_t x, uint32_t input_width)
{
    const int32_t step = (factor * x + (int32_t)(1u << input_width)) >> (input_width + 1u);
    return (int16_t)jrg_nn_sats(weight - step, 15u);
}

/* rows: [count] of this layer (jrg_nn_live_rows). x: [inputs] of the forward pass; its buffer may be overwritten. */
JRG_NN_INLINE void jrg_nn_dense_update(const jrg_nn_dense *layer, const jrg_nn_live_row *rows, uint32_t count,
                                       int16_t *x)
{
#if JRG_NN_DSP
    jrg_nn_dense_update_dsp(layer, rows, count, x);
#else
    for (uint32_t r = 0; r < count; r++) {
        int16_t *restrict weights = rows[r].weights;
        for (uint32_t i = 0; i < layer->inputs; i++) {
            weights[i] = jrg_nn_stepped_weight(weights[i], rows[r].factor, x[i], layer->input_width);
        }
    }
#endif
}

#endif
