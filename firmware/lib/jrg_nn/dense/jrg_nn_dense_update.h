/* A5.6: update of a dense layer's weights where no error goes further down (the first trained layer). */
#ifndef JRG_NN_DENSE_UPDATE_H
#define JRG_NN_DENSE_UPDATE_H

#include "core/jrg_nn_arith.h"     // jrg_nn_sats
#include "core/jrg_nn_dither.h"    // jrg_nn_column_dither
#include "weighted/jrg_nn_layer.h" // jrg_nn_dense
#if JRG_NN_DSP
#include "dense/jrg_nn_dense_update_dsp.h" // jrg_nn_dense_update_dsp
#endif

/* A5.6: a weight after its step. dither: of jrg_nn_dense_dither. */
JRG_NN_INLINE int16_t jrg_nn_stepped_weight(int32_t weight, int32_t factor, int32_t x, int32_t dither,
                                            uint32_t input_width)
{
    return (int16_t)jrg_nn_sats(weight - ((factor * x + dither) >> (input_width + 1u)), 15u);
}

/* A5.9: rho of a block of columns in the unit of a product d * x. */
JRG_NN_INLINE int32_t jrg_nn_dense_dither(uint32_t layer_key, uint32_t first_column, uint32_t input_width)
{
    const uint32_t rho = jrg_nn_column_dither(layer_key, first_column / JRG_NN_DITHER_COLUMN_BLOCK);
    return (int32_t)(rho >> (15u - input_width));
}

/* Columns of the block that begins with `first`. */
JRG_NN_INLINE uint32_t jrg_nn_block_columns(uint32_t inputs, uint32_t first)
{
    return inputs - first < JRG_NN_DITHER_COLUMN_BLOCK ? inputs - first : JRG_NN_DITHER_COLUMN_BLOCK;
}

/* A5.6 of one row. */
JRG_NN_INLINE void jrg_nn_dense_update_row(const jrg_nn_dense *layer, const jrg_nn_active_row *row,
                                           const int16_t *restrict x, uint32_t layer_key)
{
    for (uint32_t first = 0; first < layer->inputs; first += JRG_NN_DITHER_COLUMN_BLOCK) {
        const int32_t dither = jrg_nn_dense_dither(layer_key, first, layer->input_width);
        const uint32_t columns = jrg_nn_block_columns(layer->inputs, first);
        int16_t *restrict weights = row->weights + first;
        for (uint32_t i = 0; i < columns; i++) {
            weights[i] = jrg_nn_stepped_weight(weights[i], row->factor, x[first + i], dither, layer->input_width);
        }
    }
}

/* rows: [count] of this layer (jrg_nn_active_rows). x: [inputs] of the forward pass; its buffer may be overwritten.
 * layer_key: jrg_nn_dither_layer of this layer. */
JRG_NN_INLINE void jrg_nn_dense_update(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, uint32_t count,
                                       int16_t *x, uint32_t layer_key)
{
#if JRG_NN_DSP
    jrg_nn_dense_update_dsp(layer, rows, count, x, layer_key);
#else
    for (uint32_t r = 0; r < count; r++) {
        jrg_nn_dense_update_row(layer, &rows[r], x, layer_key);
    }
#endif
}

#endif
