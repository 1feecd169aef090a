/* A5.1, A8.3, A8.4 and the biases: from an error vector to the list of int8 rows that learn. */
#ifndef JRG_NN_ACTIVE_ROWS_W8_H
#define JRG_NN_ACTIVE_ROWS_W8_H

#include "core/jrg_nn_dither.h"          // jrg_nn_dither_row
#include "weighted/jrg_nn_layer_w8.h"    // jrg_nn_active_row_w8
#include "weighted/jrg_nn_active_rows.h" // jrg_nn_scaled_error

/* What all rows of a layer share in one step. */
typedef struct {
    int32_t error_shift;     /* A5.1 */
    int32_t factor_shift;    /* A8.4: of a channel with the exponent 0 */
    int32_t mantissa;        /* m' */
    int32_t bias_shift;      /* q */
    int32_t weight_exponent; /* F */
    uint32_t dither;         /* jrg_nn_dither_layer */
} jrg_nn_rows_w8;

/* A8.4: d of a row. shift: 0..31. */
JRG_NN_INLINE int32_t jrg_nn_row_factor(int32_t error, int32_t mantissa, uint32_t shift)
{
    const int32_t product = error * mantissa;
    const int32_t factor = shift == 0u ? product : shift > 30u ? 0 : jrg_nn_rshift(product, shift);
    return jrg_nn_sats(factor, 15u);
}

/* A8.4: a bias after its step. factor: int16; shift: q in -30..14. */
JRG_NN_INLINE int32_t jrg_nn_stepped_bias(int32_t bias, int32_t factor, int32_t shift)
{
    const int32_t step =
        shift >= 0 ? (int32_t)((uint32_t)factor << (uint32_t)shift) : jrg_nn_rshift(factor, (uint32_t)-shift);
    return jrg_nn_sats(bias - step, 30u);
}

/* Ends a list of count rows as jrg_nn_active_row_w8 says, with a row that learns nothing where a place is left. */
JRG_NN_INLINE void jrg_nn_end_rows_w8(const jrg_nn_dense_w8 *layer, jrg_nn_active_row_w8 *rows, uint32_t count)
{
    if ((count & 1u) != 0u) {
        rows[count] = (jrg_nn_active_row_w8){layer->weights, 0, 0, 0};
    }
    rows[count + (count & 1u)].weights = NULL;
}

/* One row: e' and d of its scaled error, and the step of its bias. */
JRG_NN_INLINE jrg_nn_active_row_w8 jrg_nn_active_row_of_w8(const jrg_nn_dense_w8 *layer, const jrg_nn_rows_w8 *shared,
                                                           int32_t scaled, uint32_t row)
{
    const int32_t exponent = layer->channels[row];
    const uint32_t below = (uint32_t)(exponent - shared->weight_exponent);
    const uint32_t shift = (uint32_t)jrg_nn_clamp(shared->factor_shift - exponent, 0, 31);
    const int32_t factor = jrg_nn_row_factor(scaled, shared->mantissa, shift);
    layer->biases[row] = jrg_nn_stepped_bias(layer->biases[row], factor, shared->bias_shift);
    return (jrg_nn_active_row_w8){
        .weights = layer->weights + row * jrg_nn_stride_w8(layer->inputs),
        .error = (int16_t)(below == 0u ? scaled : jrg_nn_rshift(scaled, below)),
        .factor = (int16_t)factor,
        .dither = jrg_nn_dither_row(shared->dither, row),
    };
}

/* As jrg_nn_active_rows, for int8 rows. layer_key: jrg_nn_dither_layer of this layer. rows:
 * [outputs made even, and one]. */
JRG_NN_INLINE uint32_t jrg_nn_active_rows_w8(const jrg_nn_dense_w8 *layer, jrg_nn_exponents exponents,
                                             jrg_nn_step_rate rate, uint32_t layer_key, const jrg_nn_row_error *errors,
                                             jrg_nn_error *error, jrg_nn_active_row_w8 *rows)
{
    const int32_t error_shift = jrg_nn_error_shift(error->magnitude, layer->error_width);
    error->exponent -= error_shift;
    const jrg_nn_rows_w8 shared = {
        .error_shift = error_shift,
        .factor_shift = rate.exponent + error->exponent + exponents.input_exponent - (int32_t)layer->input_width - 9,
        .mantissa = rate.mantissa,
        .bias_shift = exponents.bias_shift,
        .weight_exponent = exponents.weight_exponent,
        .dither = layer_key,
    };
    uint32_t count = 0;
    for (uint32_t i = 0; i < error->count; i++) {
        const int32_t scaled = jrg_nn_scaled_error(errors[i].value, error_shift, layer->error_width);
        if (scaled != 0) {
            rows[count++] = jrg_nn_active_row_of_w8(layer, &shared, scaled, errors[i].row);
        }
    }
    jrg_nn_end_rows_w8(layer, rows, count);
    return count;
}

#endif
