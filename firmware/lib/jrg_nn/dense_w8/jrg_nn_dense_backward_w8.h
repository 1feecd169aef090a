/* A8.3 and A8.4 fused: the error of a dense layer's inputs, and its update: every int8 weight read and written once. */
#ifndef JRG_NN_DENSE_BACKWARD_W8_H
#define JRG_NN_DENSE_BACKWARD_W8_H

#include "dense_w8/jrg_nn_dense_update_w8.h" // jrg_nn_stepped_weight_w8
#if JRG_NN_DSP
#include "dense_w8/jrg_nn_dense_backward_w8_dsp.h" // jrg_nn_dense_backward_w8_dsp
#endif

/* One row: adds w * e' to the errors below, with the weights as they were, then updates the weights. */
JRG_NN_INLINE void jrg_nn_dense_backward_row_w8(const jrg_nn_dense_w8 *layer, const jrg_nn_active_row_w8 *row,
                                                const int16_t *x, jrg_nn_row_error *below)
{
    for (uint32_t i = 0; i < layer->inputs; i++) {
        int8_t *weight = &row->weights[jrg_nn_place_w8(i)];
        below[i].value += (int32_t)*weight * row->error;
        *weight =
            jrg_nn_stepped_weight_w8(*weight, row->factor, x[i], jrg_nn_dither(row->dither, i), layer->input_width);
    }
}

/* As jrg_nn_dense_backward_w8. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_backward_w8_portable(const jrg_nn_dense_w8 *layer,
                                                             const jrg_nn_active_row_w8 *rows, uint32_t count,
                                                             const int16_t *x, bool input_rectified,
                                                             jrg_nn_row_error *below)
{
    for (uint32_t i = 0; i < layer->inputs; i++) {
        below[i].value = 0;
    }
    for (uint32_t r = 0; r < count; r++) {
        jrg_nn_dense_backward_row_w8(layer, &rows[r], x, below);
    }
    jrg_nn_error error = {0};
    for (uint32_t i = 0; i < layer->inputs; i++) {
        jrg_nn_list_error(below, &error, input_rectified && x[i] == 0 ? 0 : below[i].value, i);
    }
    return error;
}

/* As jrg_nn_dense_backward, for int8 rows. x is padded with 0 to quads. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_backward_w8(const jrg_nn_dense_w8 *layer, jrg_nn_active_row_w8 *rows,
                                                    uint32_t count, const int16_t *x, bool input_rectified,
                                                    jrg_nn_row_error *below)
{
#if JRG_NN_DSP
    (void)count;
    return jrg_nn_dense_backward_w8_dsp(layer, rows, x, input_rectified, below);
#else
    return jrg_nn_dense_backward_w8_portable(layer, rows, count, x, input_rectified, below);
#endif
}

#endif
