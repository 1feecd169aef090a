/* A10.3: from an error vector to the list of frozen int8 rows it passes down by; they are only read. */
#ifndef JRG_NN_FROZEN_W8_H
#define JRG_NN_FROZEN_W8_H

#include "jrg_nn_live_rows_w8.h" // jrg_nn_end_rows_w8

/* As jrg_nn_live_rows_w8, but weights and biases stay as they are. weight_exponent: F. */
JRG_NN_INLINE uint32_t jrg_nn_frozen_rows_w8(const jrg_nn_dense_w8 *layer, int32_t weight_exponent,
                                             const jrg_nn_row_error *errors, jrg_nn_error *error,
                                             jrg_nn_live_row_w8 *rows)
{
    const uint32_t stride = jrg_nn_stride_w8(layer->inputs);
    const int32_t error_shift = jrg_nn_error_shift(error->magnitude, layer->error_width);
    uint32_t count = 0;
    error->exponent -= error_shift;
    for (uint32_t i = 0; i < error->count; i++) {
        const int32_t scaled = jrg_nn_scaled_error(errors[i].value, error_shift, layer->error_width);
        const uint32_t below = (uint32_t)(layer->channels[errors[i].row] - weight_exponent);
        if (scaled != 0) {
            const int32_t passed = below == 0u ? scaled : jrg_nn_rshift(scaled, below);
            rows[count++] = (jrg_nn_live_row_w8){layer->weights + errors[i].row * stride, (int16_t)passed, 0, 0};
        }
    }
    jrg_nn_end_rows_w8(layer, rows, count);
    return count;
}

#endif
