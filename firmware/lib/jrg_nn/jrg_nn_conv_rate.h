/* A7.5: what a gradient does to a weight, and the sum of a channel's errors to its bias. */
#ifndef JRG_NN_CONV_RATE_H
#define JRG_NN_CONV_RATE_H

#include "jrg_nn_conv.h" // jrg_nn_conv_scale

/* One step's numbers of A7.5. */
typedef struct {
    int32_t mantissa; /* m' */
    uint32_t shift;   /* 2..31 */
    int32_t bias_shift;
} jrg_nn_conv_rate;

/* A7.5. error_exponent: of the scaled errors. */
JRG_NN_INLINE jrg_nn_conv_rate jrg_nn_conv_rate_of(jrg_nn_step_rate rate, int32_t error_exponent,
                                                   jrg_nn_exponents exponents)
{
    const int32_t common = rate.exponent + error_exponent - exponents.weight_exponent - 16;
    return (jrg_nn_conv_rate){
        .mantissa = rate.mantissa,
        .shift = (uint32_t)jrg_nn_clamp(common + exponents.input_exponent, 2, 31),
        .bias_shift = jrg_nn_clamp(common - exponents.input_exponent, -31, 31),
    };
}

/* A7.5: T of a gradient. */
JRG_NN_INLINE int32_t jrg_nn_conv_product(int32_t gradient, int32_t mantissa)
{
    return (int32_t)jrg_nn_rshift_wide((int64_t)gradient * mantissa, 16u);
}

/* A7.5: a weight after its step. */
JRG_NN_INLINE int16_t jrg_nn_conv_stepped_weight(int32_t weight, int32_t gradient, jrg_nn_conv_rate rate)
{
    const int32_t product = jrg_nn_conv_product(gradient, rate.mantissa);
    const int32_t step = rate.shift == 31u ? 0 : jrg_nn_rshift(product, rate.shift);
    return (int16_t)jrg_nn_sats(weight - jrg_nn_sats(step, 15u), 15u);
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
JRG_NN_INLINE void jrg_nn_conv_step_bias(int32_t *bias, int32_t sum, jrg_nn_conv_rate rate)
{
    const int64_t product = jrg_nn_conv_product(sum, rate.mantissa);
    int64_t step = product * (int64_t)(1ull << (uint32_t)(rate.bias_shift < 0 ? -rate.bias_shift : 0));
    if (rate.bias_shift > 0) {
        step = jrg_nn_rshift_wide(product, (uint32_t)rate.bias_shift);
    }
    const int64_t limit = 1 << 30;
    const int32_t bounded = (int32_t)(step < -limit ? -limit : step > limit - 1 ? limit - 1 : step);
    const int64_t stepped = (int64_t)*bias - bounded;
    *bias = (int32_t)(stepped < -limit ? -limit : stepped > limit - 1 ? limit - 1 : stepped);
}

#endif
