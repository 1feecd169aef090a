/* A8.4: update of a dense layer's int8 weights where no error goes further down. */
#ifndef JRG_NN_DENSE_UPDATE_W8_H
#define JRG_NN_DENSE_UPDATE_W8_H

#include "core/jrg_nn_dither.h"       // jrg_nn_dither
#include "weighted/jrg_nn_layer_w8.h" // jrg_nn_active_row_w8
#if JRG_NN_DSP
#include "dense_w8/jrg_nn_dense_update_w8_dsp.h" // jrg_nn_dense_update_w8_dsp
#endif

/* A8.4: a weight after its step. */
JRG_NN_INLINE int8_t jrg_nn_stepped_weight_w8(int32_t weight, int32_t factor, int32_t x, int32_t dither,
                                              uint32_t input_width)
{
    const int32_t widened = (int32_t)((uint32_t)x << (15u - input_width));
    return (int8_t)jrg_nn_sats(weight - ((factor * widened + dither) >> JRG_NN_DITHER_BITS), 7u);
}

/* rows: [count] of this layer (jrg_nn_active_rows_w8). x: [inputs] of the forward pass, padded with 0 to quads; its buffer
 * may be overwritten. */
JRG_NN_INLINE void jrg_nn_dense_update_w8(const jrg_nn_dense_w8 *layer, const jrg_nn_active_row_w8 *rows,
                                          uint32_t count, int16_t *x)
{
#if JRG_NN_DSP
    jrg_nn_dense_update_w8_dsp(layer, rows, count, x);
#else
    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t i = 0; i < layer->inputs; i++) {
            int8_t *weight = &rows[r].weights[jrg_nn_place_w8(i)];
            *weight = jrg_nn_stepped_weight_w8(*weight, rows[r].factor, x[i], jrg_nn_dither(rows[r].dither, i),
                                               layer->input_width);
        }
    }
#endif
}

#endif
