/* A5.7 alone: the error of a dense layer's inputs, where its weights stay as they are (A11.1). */
#ifndef JRG_NN_DENSE_PASS_H
#define JRG_NN_DENSE_PASS_H

#include "weighted/jrg_nn_layer.h" // jrg_nn_list_error
#if JRG_NN_DSP
#include "dense/jrg_nn_dense_pass_dsp.h" // jrg_nn_dense_pass_dsp
#endif

/* As jrg_nn_dense_backward, but for the update. */
JRG_NN_INLINE jrg_nn_error jrg_nn_dense_pass(const jrg_nn_dense *layer, jrg_nn_active_row *rows, uint32_t count,
                                             const int16_t *x, bool input_rectified, jrg_nn_row_error *below)
{
#if JRG_NN_DSP
    (void)count;
    return jrg_nn_dense_pass_dsp(layer, rows, x, input_rectified, below);
#else
    for (uint32_t i = 0; i < layer->inputs; i++) {
        below[i].value = 0;
    }
    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t i = 0; i < layer->inputs; i++) {
            below[i].value += (int32_t)rows[r].weights[i] * rows[r].error;
        }
    }
    jrg_nn_error error = {0};
    for (uint32_t i = 0; i < layer->inputs; i++) {
        jrg_nn_list_error(below, &error, input_rectified && x[i] == 0 ? 0 : below[i].value, i);
    }
    return error;
#endif
}

#endif
