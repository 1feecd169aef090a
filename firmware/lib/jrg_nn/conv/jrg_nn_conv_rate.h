/* A7.5: what a gradient does to a weight, and the sum of a channel's errors to its bias. */
#ifndef JRG_NN_CONV_RATE_H
#define JRG_NN_CONV_RATE_H

#include "conv/jrg_nn_conv.h"   // jrg_nn_conv_scale
#include "core/jrg_nn_dither.h" // jrg_nn_dither_row
#if JRG_NN_DSP
#include "core/jrg_nn_dsp.h" // jrg_nn_ssat
#endif

/* One step's numbers of A7.5 for biases. */
typedef struct {
    int32_t mantissa; /* m' */
    int32_t shift;    /* -31..31 */
} jrg_nn_conv_bias_rate;

/* One step's numbers of A7.5 for weights. */
typedef struct {
    int32_t factor;  /* -F: what a gradient of 1 adds to a weight, 2^-32 */
    uint32_t dither; /* h of the layer (A7.7) */
} jrg_nn_conv_rate;

/* How T becomes a step with bits behind the point (A8.4, A11.3). */
typedef struct {
    int32_t mantissa; /* m' */
    uint32_t left;    /* T goes so far to the left, 0..`unit`, where it is clamped to `bits` bits first ... */
    uint32_t bits;    /* `width` - left */
    uint32_t right;   /* ... or so far to the right, 0..31: 31 leaves nothing */
} jrg_nn_fine_rate;

/* shift: s; unit: bits behind the point; width: those of a step in all. */
JRG_NN_INLINE jrg_nn_fine_rate jrg_nn_fine_rate_of(int32_t mantissa, int32_t shift, int32_t unit, uint32_t width)
{
    const int32_t bounded = jrg_nn_clamp(shift, 0, unit + 31);
    const uint32_t left = bounded < unit ? (uint32_t)(unit - bounded) : 0u;
    return (jrg_nn_fine_rate){mantissa, left, width - left, bounded > unit ? (uint32_t)(bounded - unit) : 0u};
}

/* A7.5. error_exponent: of the scaled errors; layer_key: jrg_nn_dither_layer of this layer. */
JRG_NN_INLINE jrg_nn_conv_rate jrg_nn_conv_rate_of(jrg_nn_step_rate rate, int32_t error_exponent,
                                                   jrg_nn_exponents exponents, uint32_t layer_key)
{
    const int32_t shift = rate.exponent + error_exponent + exponents.input_exponent - exponents.weight_exponent - 16;
    const int64_t mantissa = (int64_t)rate.mantissa << 16;
    return (jrg_nn_conv_rate){
        .factor = -(int32_t)jrg_nn_rshift_wide(mantissa, (uint32_t)jrg_nn_clamp(shift, 1, 32)),
        .dither = jrg_nn_dither_row(layer_key, 0),
    };
}

/* A7.5. error_exponent: of the scaled errors. */
JRG_NN_INLINE jrg_nn_conv_bias_rate jrg_nn_conv_bias_rate_of(jrg_nn_step_rate rate, int32_t error_exponent,
                                                             jrg_nn_exponents exponents)
{
    const int32_t shift = rate.exponent + error_exponent - exponents.weight_exponent - exponents.input_exponent - 16;
    return (jrg_nn_conv_bias_rate){rate.mantissa, jrg_nn_clamp(shift, -31, 31)};
}

/* A7.5, A8.4: T of a gradient or of a sum of errors. */
JRG_NN_INLINE int32_t jrg_nn_conv_product(int32_t gradient, int32_t mantissa)
{
    return (int32_t)jrg_nn_rshift_wide((int64_t)gradient * mantissa, 16u);
}

/* A7.5: a weight after its step: one SMLAL and one SSAT on a Cortex-M4. factor: of jrg_nn_conv_rate; rho: its dither. */
JRG_NN_INLINE int16_t jrg_nn_conv_stepped_weight(int32_t weight, int32_t gradient, int32_t factor, uint32_t rho)
{
    const int64_t fine = (int64_t)((uint64_t)(uint32_t)weight << 32 | rho) + (int64_t)gradient * factor;
#if JRG_NN_DSP
    return (int16_t)jrg_nn_ssat((int32_t)(fine >> 32), 15u);
#else
    return (int16_t)jrg_nn_sats((int32_t)(fine >> 32), 15u);
#endif
}

/* The sum of one channel's errors: [positions, padded with 0 to even], 4-aligned. */
JRG_NN_INLINE int32_t jrg_nn_conv_error_sum(const int16_t *errors, uint32_t positions)
{
#if JRG_NN_DSP
    return jrg_nn_error_sum_dsp(errors, (positions + 1u) / 2u);
#else
    int32_t sum = 0;
    for (uint32_t i = 0; i < positions; i++) {
        sum += errors[i];
    }
    return sum;
#endif
}

/* A7.5: the bias of one channel. sum: of its errors. */
JRG_NN_INLINE void jrg_nn_conv_step_bias(int32_t *bias, int32_t sum, jrg_nn_conv_bias_rate rate)
{
    const int64_t product = jrg_nn_conv_product(sum, rate.mantissa);
    int64_t step = product * (int64_t)(1ull << (uint32_t)(rate.shift < 0 ? -rate.shift : 0));
    if (rate.shift > 0) {
        step = jrg_nn_rshift_wide(product, (uint32_t)rate.shift);
    }
    const int64_t limit = 1 << 30;
    const int32_t bounded = (int32_t)(step < -limit ? -limit : step > limit - 1 ? limit - 1 : step);
    const int64_t stepped = (int64_t)*bias - bounded;
    *bias = (int32_t)(stepped < -limit ? -limit : stepped > limit - 1 ? limit - 1 : stepped);
}

#endif
