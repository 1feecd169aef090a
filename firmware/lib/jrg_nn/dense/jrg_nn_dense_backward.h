/* A5.7 and A5.6 fused: the error of a dense layer's inputs, and its update: every weight read and written once. */
#ifndef JRG_NN_DENSE_BACKWARD_H
#define JRG_NN_DENSE_BACKWARD_H

#include "dense/jrg_nn_dense_update.h" // jrg_nn_stepped_weight
#include "weighted/jrg_nn_layer.h"     // jrg_nn_list_error
#if JRG_NN_DSP
#include "dense/jrg_nn_dense_backward_dsp.h" // jrg_nn_dense_backward_dsp
#endif

/* One row: adds w * e to the errors below, with the weights as they were, then updates the weights. */
JRG_NN_INLINE void jrg_nn_dense_backward_row(const jrg_nn_dense *layer, const jrg_nn_active_row *row,
                                             const int16_t *restrict x, uint32_t layer_key,
                                             jrg_nn_row_error *restrict below)
{
    for (uint32_t first = 0; first < layer->inputs; first += JRG_NN_DITHER_COLUMN_BLOCK) {
        const int32_t dither = jrg_nn_dense_dither(layer_key, first, layer->input_width);
        const uint32_t columns = jrg_nn_block_columns(layer->inputs, first);
        int16_t *restrict weights = row->weights + first;
        for (uint32_t i = 0; i < columns; i++) {
            below[first + i].value += (int32_t)weights[i] * row->error;
            weights[i] = jrg_nn_stepped_weight(weights[i], row->factor, x[first + i], dither, layer->input_width);
        }
    }
}

/* As jrg_nn_dense_backward. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_backward_portable(const jrg_nn_dense *layer, const jrg_nn_active_row *rows,
                                                          uint32_t count, const int16_t *x, bool input_rectified,
                                                          uint32_t layer_key, jrg_nn_row_error *below)
{
    for (uint32_t i = 0; i < layer->inputs; i++) {
        below[i].value = 0;
    }
    for (uint32_t r = 0; r < count; r++) {
        jrg_nn_dense_backward_row(layer, &rows[r], x, layer_key, below);
    }
    jrg_nn_error error = {0};
    for (uint32_t i = 0; i < layer->inputs; i++) {
        jrg_nn_list_error(below, &error, input_rectified && x[i] == 0 ? 0 : below[i].value, i);
    }
    return error;
}

/* rows: [count] of this layer (jrg_nn_active_rows), at most 511 (A5.5). x: [inputs] of the forward pass; input_rectified:
 * a ReLU made it, so no error passes where it is 0. layer_key: jrg_nn_dither_layer of this layer. below: [inputs], its list is written. rows' pointers
 * may be moved. Returns magnitude and count of the error below; its exponent is 0. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_backward(const jrg_nn_dense *layer, jrg_nn_active_row *rows, uint32_t count,
                                                 const int16_t *x, bool input_rectified, uint32_t layer_key,
                                                 jrg_nn_row_error *below)
{
#if JRG_NN_DSP
    (void)count;
    return jrg_nn_dense_backward_dsp(layer, rows, x, input_rectified, layer_key, below);
#else
    return jrg_nn_dense_backward_portable(layer, rows, count, x, input_rectified, layer_key, below);
#endif
}

#endif
