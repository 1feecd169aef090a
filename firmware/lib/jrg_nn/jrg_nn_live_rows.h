/* A5.1, A5.4 and the biases of A5.6: from an error vector to the list of rows that learn. */
#ifndef JRG_NN_LIVE_ROWS_H
#define JRG_NN_LIVE_ROWS_H

#include <stddef.h>

#include "jrg_nn_arith.h" // jrg_nn_rshift
#include "jrg_nn_layer.h" // jrg_nn_live_row
#if JRG_NN_DSP
#include "jrg_nn_live_rows_dsp.h" // jrg_nn_live_rows_dsp
#endif

/* A5.1: how far the errors are shifted right (negative: left) to fill error_width bits. magnitude is not 0. */
JRG_NN_INLINE int32_t jrg_nn_error_shift(uint32_t magnitude, uint32_t error_width)
{
    return (int32_t)(32u - jrg_nn_leading_zeros(magnitude)) - (int32_t)error_width;
}

/* A5.4: the shift of the row factors, clamped to 0..31. */
JRG_NN_INLINE uint32_t jrg_nn_factor_shift(int32_t error_exponent, jrg_nn_step_rate rate, jrg_nn_exponents exponents,
                                           uint32_t input_width)
{
    const int32_t shift = rate.exponent + error_exponent + exponents.input_exponent - exponents.weight_exponent -
                          (int32_t)input_width - 1;
    return (uint32_t)jrg_nn_clamp(shift, 0, 31);
}

/* A5.1: one error in error_width magnitude bits. */
JRG_NN_INLINE int32_t jrg_nn_scaled_error(int32_t error, int32_t shift, uint32_t error_width)
{
    return shift > 0 ? jrg_nn_sats(jrg_nn_rshift(error, (uint32_t)shift), error_width)
                     : (int32_t)((uint32_t)error << (uint32_t)-shift);
}

/* A5.4: the largest step a weight of this row can take. shift: 0..31. */
JRG_NN_INLINE int32_t jrg_nn_row_factor(int32_t error, int32_t mantissa, uint32_t shift)
{
    const int32_t product = error * mantissa;
    const int32_t factor = shift == 0u ? product : shift > 30u ? 0 : jrg_nn_rshift(product, shift);
    return jrg_nn_sats(factor, 15u);
}

/* A5.6: a bias after its step. factor: int16; shift: q in -30..14. */
JRG_NN_INLINE int32_t jrg_nn_stepped_bias(int32_t bias, int32_t factor, int32_t shift)
{
    const int32_t step = shift >= 0 ? (int32_t)((uint32_t)factor << (uint32_t)shift)
                                    : jrg_nn_rshift(factor, (uint32_t)-shift);
    return jrg_nn_sats(bias - step, 30u);
}

/* A5.6: ends a list of count rows as jrg_nn_live_row says, with a row that learns nothing where a place is left. */
JRG_NN_INLINE void jrg_nn_end_rows(const jrg_nn_dense *layer, jrg_nn_live_row *rows, uint32_t count)
{
    if ((count & 1u) != 0u) {
        rows[count] = (jrg_nn_live_row){layer->weights, 0, 0};
    }
    rows[count + (count & 1u)].weights = NULL;
}

/* As jrg_nn_live_rows, without the end of the list. */
JRG_NN_INLINE uint32_t jrg_nn_live_rows_portable(const jrg_nn_dense *layer, jrg_nn_exponents exponents,
                                                 int32_t mantissa, int32_t error_shift, uint32_t factor_shift,
                                                 const jrg_nn_row_error *errors, uint32_t error_count,
                                                 jrg_nn_live_row *rows)
{
    const uint32_t stride = layer->inputs + (layer->inputs & 1u);
    uint32_t count = 0;
    for (uint32_t i = 0; i < error_count; i++) {
        const int32_t scaled = jrg_nn_scaled_error(errors[i].value, error_shift, layer->error_width);
        if (scaled != 0) {
            const int32_t factor = jrg_nn_row_factor(scaled, mantissa, factor_shift);
            int32_t *bias = &layer->biases[errors[i].row];
            *bias = jrg_nn_stepped_bias(*bias, factor, exponents.bias_shift);
            rows[count] =
                (jrg_nn_live_row){layer->weights + errors[i].row * stride, (int16_t)scaled, (int16_t)factor};
            count++;
        }
    }
    return count;
}

/* errors: [error->count] of this layer's rows, error->magnitude not 0; error->exponent becomes that of the scaled
 * errors. Steps the biases and lists the rows with a scaled error that is not 0 (A5.6: the others are dead). rows:
 * [outputs made even, and one]; where a row is as long as an error they may begin with errors: an error is read before
 * its place is written. Returns their number. */
JRG_NN_INLINE uint32_t jrg_nn_live_rows(const jrg_nn_dense *layer, jrg_nn_exponents exponents, jrg_nn_step_rate rate,
                                        const jrg_nn_row_error *errors, jrg_nn_error *error, jrg_nn_live_row *rows)
{
    const int32_t error_shift = jrg_nn_error_shift(error->magnitude, layer->error_width);
    error->exponent -= error_shift;
    const uint32_t factor_shift = jrg_nn_factor_shift(error->exponent, rate, exponents, layer->input_width);
#if JRG_NN_DSP
    const jrg_nn_row_scale scale =
        jrg_nn_row_scale_of(error->magnitude, factor_shift, rate.mantissa, exponents.bias_shift);
    const uint32_t count = jrg_nn_live_rows_dsp(layer, scale, errors, error->count, rows);
#else
    const uint32_t count = jrg_nn_live_rows_portable(layer, exponents, rate.mantissa, error_shift, factor_shift, errors,
                                                     error->count, rows);
#endif
    jrg_nn_end_rows(layer, rows, count);
    return count;
}

#endif
