/* A5.1, A5.4 and the biases of A5.6 on the DSP extension: A5.1 is an SMMULR, a dithered shift the top half of an SMLAL. */
#ifndef JRG_NN_ACTIVE_ROWS_DSP_H
#define JRG_NN_ACTIVE_ROWS_DSP_H

#include "core/jrg_nn_dither.h"    // jrg_nn_factor_dither
#include "core/jrg_nn_dsp.h"       // jrg_nn_smlal_top
#include "weighted/jrg_nn_layer.h" // jrg_nn_active_row

/* One step's multipliers for the three shifts of a row. */
typedef struct {
    uint32_t error_left; /* A5.1: brings the largest error to 31 bits; from there the shift is 31 - be for all */
    uint32_t factor_left;
    int32_t factor; /* A5.4: (e << factor_left) * factor / 2^32 */
    int32_t bias;   /* A5.6: (d << 16) * bias / 2^32 = -d * 2^q */
} jrg_nn_row_scale;

/* A5.4: e * m' / 2^s = (e << a) * (m' << b) / 2^32 with a + b = 32 - s, a and b at most 16; s above 30 takes bits of m'. */
JRG_NN_INLINE jrg_nn_row_scale jrg_nn_row_scale_of(uint32_t magnitude, uint32_t factor_shift, int32_t mantissa,
                                                   int32_t bias_shift)
{
    const uint32_t left = factor_shift < 16u ? 16u - factor_shift : 0u;
    const uint32_t right = factor_shift < 16u ? 16u : 32u - factor_shift;
    const int32_t cut = factor_shift > 30u ? (mantissa >> (factor_shift - 30u)) << 2 : mantissa << (right & 31u);
    return (jrg_nn_row_scale){
        .error_left = jrg_nn_leading_zeros(magnitude) - 1u,
        .factor_left = left,
        .factor = cut,
        .bias = bias_shift < -16 ? 0 : -(int32_t)(1u << (uint32_t)(bias_shift + 16)),
    };
}

/* As jrg_nn_active_rows, without the end of the list. */
JRG_NN_INLINE uint32_t jrg_nn_active_rows_dsp(const jrg_nn_dense *layer, jrg_nn_row_scale scale, uint32_t layer_key,
                                              const jrg_nn_row_error *errors, uint32_t count, jrg_nn_active_row *rows)
{
    const uint32_t stride_bytes = 4u * ((layer->inputs + 1u) / 2u);
    const uint32_t bias_rho = jrg_nn_bias_dither(layer_key);
    jrg_nn_active_row *next = rows;
    for (const jrg_nn_row_error *error = errors; error != errors + count; error++) {
        const int32_t normal = (int32_t)((uint32_t)error->value << scale.error_left);
        const int32_t scaled =
            jrg_nn_ssat(jrg_nn_smmulr(normal, (int32_t)(2u << layer->error_width)), layer->error_width);
        if (scaled != 0) {
            const int32_t shifted = (int32_t)((uint32_t)scaled << scale.factor_left);
            const uint32_t row = error->row; /* read once: a bias might be it, for all the compiler knows */
            const uint32_t rho = jrg_nn_factor_dither(layer_key, row);
            const int32_t factor = jrg_nn_ssat(jrg_nn_smlal_top(0, rho, shifted, scale.factor), 15u);
            const int32_t factor_top = (int32_t)((uint32_t)factor << 16);
            int32_t *bias = &layer->biases[row];
            *bias = jrg_nn_ssat(jrg_nn_smlal_top(*bias, bias_rho, factor_top, scale.bias), 30u);
            next->weights = (int16_t *)(void *)((uint8_t *)layer->weights + row * stride_bytes);
            *(jrg_nn_pair *)(void *)&next->error = jrg_nn_pack(scaled, factor_top);
            next++;
        }
    }
    return (uint32_t)(next - rows);
}

#endif
