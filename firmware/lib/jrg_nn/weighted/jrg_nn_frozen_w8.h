/* A10.3: the int8 rows an error passes down by; frozen ones are only read. */
#ifndef JRG_NN_FROZEN_W8_H
#define JRG_NN_FROZEN_W8_H

#include "weighted/jrg_nn_active_rows_w8.h" // jrg_nn_end_rows_w8

/* Adds to a list of count rows those with a scaled error that is not 0, with their e' (A8.3). Weights and biases stay.
 * errors: [error_count] of this layer's rows, which are numbered from first_row on; error_shift: of A5.1;
 * weight_exponent: F. Returns how many rows the list has now; it has no end yet. */
JRG_NN_INLINE uint32_t jrg_nn_add_passing_rows_w8(const jrg_nn_dense_w8 *layer, int32_t weight_exponent,
                                                  int32_t error_shift, const jrg_nn_row_error *errors,
                                                  uint32_t error_count, uint32_t first_row, jrg_nn_active_row_w8 *rows,
                                                  uint32_t count)
{
    const uint32_t stride = jrg_nn_stride_w8(layer->inputs);
    for (uint32_t i = 0; i < error_count; i++) {
        const uint32_t row = errors[i].row - first_row;
        const uint32_t below = (uint32_t)(layer->channels[row] - weight_exponent);
        const int32_t scaled = jrg_nn_scaled_error(errors[i].value, error_shift, layer->error_width);
        if (scaled != 0) {
            const int32_t passed = below == 0u ? scaled : jrg_nn_rshift(scaled, below);
            rows[count++] = (jrg_nn_active_row_w8){layer->weights + row * stride, (int16_t)passed, 0, 0};
        }
    }
    return count;
}

/* As jrg_nn_active_rows_w8 for a layer that does not learn: weights and biases stay. weight_exponent: F. */
JRG_NN_INLINE uint32_t jrg_nn_frozen_rows_w8(const jrg_nn_dense_w8 *layer, int32_t weight_exponent,
                                             const jrg_nn_row_error *errors, jrg_nn_error *error,
                                             jrg_nn_active_row_w8 *rows)
{
    const int32_t shift = jrg_nn_error_shift(error->magnitude, layer->error_width);
    const uint32_t count =
        jrg_nn_add_passing_rows_w8(layer, weight_exponent, shift, errors, error->count, 0u, rows, 0u);
    error->exponent -= shift;
    jrg_nn_end_rows_w8(layer, rows, count);
    return count;
}

#endif
