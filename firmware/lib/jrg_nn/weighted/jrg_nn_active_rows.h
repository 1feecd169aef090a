/* A5.1, A5.4 and the biases of A5.6, rounded as A5.9 says: from an error vector to the list of rows that learn. */
#ifndef JRG_NN_ACTIVE_ROWS_H
#define JRG_NN_ACTIVE_ROWS_H

#include <stddef.h>

#include "core/jrg_nn_arith.h"     // jrg_nn_rshift
#include "core/jrg_nn_dither.h"    // jrg_nn_factor_dither
#include "weighted/jrg_nn_layer.h" // jrg_nn_active_row
#if JRG_NN_DSP
#include "weighted/jrg_nn_active_rows_dsp.h" // jrg_nn_active_rows_dsp
#endif

/* A5.1: how far the errors are shifted right (negative: left) to fill error_width bits. magnitude is not 0. */
JRG_NN_INLINE int32_t jrg_nn_error_shift(uint32_t magnitude, uint32_t error_width)
{
    return (int32_t)(32u - jrg_nn_leading_zeros(magnitude)) - (int32_t)error_width;
}

#define JRG_NN_FACTOR_SHIFT_MAX 45    /* A5.4: what is above leaves nothing of a mantissa */
#define JRG_NN_FACTOR_SHIFT_WHOLE 30u /* up to here the mantissa keeps all its bits */
#define JRG_NN_BIAS_SHIFT_MIN (-16)   /* A5.6: below, a bias stays */

/* A5.4: the shift of the row factors. */
JRG_NN_INLINE uint32_t jrg_nn_factor_shift(int32_t error_exponent, jrg_nn_step_rate rate, jrg_nn_exponents exponents,
                                           uint32_t input_width)
{
    const int32_t shift = rate.exponent + error_exponent + exponents.input_exponent - exponents.weight_exponent -
                          (int32_t)input_width - 1;
    return (uint32_t)jrg_nn_clamp(shift, 0, JRG_NN_FACTOR_SHIFT_MAX);
}

/* A5.1: one error in error_width magnitude bits. */
JRG_NN_INLINE int32_t jrg_nn_scaled_error(int32_t error, int32_t shift, uint32_t error_width)
{
    return shift > 0 ? jrg_nn_sats(jrg_nn_rshift(error, (uint32_t)shift), error_width)
                     : (int32_t)((uint32_t)error << (uint32_t)-shift);
}

/* A5.4: the largest step a weight of this row can take. shift: of jrg_nn_factor_shift; rho: of jrg_nn_factor_dither. */
JRG_NN_INLINE int32_t jrg_nn_dithered_factor(int32_t error, int32_t mantissa, uint32_t shift, uint32_t rho)
{
    const uint32_t whole = shift < JRG_NN_FACTOR_SHIFT_WHOLE ? shift : JRG_NN_FACTOR_SHIFT_WHOLE;
    const int32_t product = error * (mantissa >> (shift - whole));
    const int32_t dither = (int32_t)((rho >> 1) >> (31u - whole));
    return jrg_nn_sats((product + dither) >> whole, 15u);
}

/* A5.6: a bias after its step. factor: int16; shift: q in -30..14; rho: of jrg_nn_bias_dither. */
JRG_NN_INLINE int32_t jrg_nn_dithered_bias(int32_t bias, int32_t factor, int32_t shift, uint32_t rho)
{
    if (shift >= 0) {
        return jrg_nn_sats(bias - (int32_t)((uint32_t)factor << (uint32_t)shift), 30u);
    }
    if (shift < JRG_NN_BIAS_SHIFT_MIN) {
        return bias;
    }
    return jrg_nn_sats(bias + (((int32_t)(rho >> (uint32_t)(32 + shift)) - factor) >> (uint32_t)-shift), 30u);
}

/* A5.6: ends a list of count rows as jrg_nn_active_row says, with a row that learns nothing where a place is left. */
JRG_NN_INLINE void jrg_nn_end_rows(const jrg_nn_dense *layer, jrg_nn_active_row *rows, uint32_t count)
{
    if ((count & 1u) != 0u) {
        rows[count] = (jrg_nn_active_row){layer->weights, 0, 0};
    }
    rows[count + (count & 1u)].weights = NULL;
}

/* As jrg_nn_active_rows, without the end of the list. */
JRG_NN_INLINE uint32_t jrg_nn_active_rows_portable(const jrg_nn_dense *layer, jrg_nn_exponents exponents,
                                                   int32_t mantissa, int32_t error_shift, uint32_t factor_shift,
                                                   uint32_t layer_key, const jrg_nn_row_error *errors,
                                                   uint32_t error_count, jrg_nn_active_row *rows)
{
    const uint32_t stride = layer->inputs + (layer->inputs & 1u);
    uint32_t count = 0;
    for (uint32_t i = 0; i < error_count; i++) {
        const int32_t scaled = jrg_nn_scaled_error(errors[i].value, error_shift, layer->error_width);
        if (scaled != 0) {
            const uint32_t rho = jrg_nn_factor_dither(layer_key, errors[i].row);
            const int32_t factor = jrg_nn_dithered_factor(scaled, mantissa, factor_shift, rho);
            int32_t *bias = &layer->biases[errors[i].row];
            *bias = jrg_nn_dithered_bias(*bias, factor, exponents.bias_shift, jrg_nn_bias_dither(layer_key));
            rows[count] =
                (jrg_nn_active_row){layer->weights + errors[i].row * stride, (int16_t)scaled, (int16_t)factor};
            count++;
        }
    }
    return count;
}

/* errors: [error->count] of this layer's rows, error->magnitude not 0; error->exponent becomes that of the scaled
 * errors. Steps the biases and lists the rows with a scaled error that is not 0 (A5.6: the others are dead). rows:
 * [outputs made even, and one]; where a row is as long as an error they may begin with errors: an error is read before
 * its place is written. layer_key: jrg_nn_dither_layer of this layer. Returns their number. */
JRG_NN_INLINE uint32_t jrg_nn_active_rows(const jrg_nn_dense *layer, jrg_nn_exponents exponents, jrg_nn_step_rate rate,
                                          uint32_t layer_key, const jrg_nn_row_error *errors, jrg_nn_error *error,
                                          jrg_nn_active_row *rows)
{
    const int32_t error_shift = jrg_nn_error_shift(error->magnitude, layer->error_width);
    error->exponent -= error_shift;
    const uint32_t factor_shift = jrg_nn_factor_shift(error->exponent, rate, exponents, layer->input_width);
#if JRG_NN_DSP
    const jrg_nn_row_scale scale =
        jrg_nn_row_scale_of(error->magnitude, factor_shift, rate.mantissa, exponents.bias_shift);
    const uint32_t count = jrg_nn_active_rows_dsp(layer, scale, layer_key, errors, error->count, rows);
#else
    const uint32_t count = jrg_nn_active_rows_portable(layer, exponents, rate.mantissa, error_shift, factor_shift,
                                                       layer_key, errors, error->count, rows);
#endif
    jrg_nn_end_rows(layer, rows, count);
    return count;
}

#endif
