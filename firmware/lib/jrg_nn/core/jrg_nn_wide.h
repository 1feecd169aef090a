/* A3.1, A7.1 where 32 bits do not hold a sum: sums of 64 bits. */
#ifndef JRG_NN_WIDE_H
#define JRG_NN_WIDE_H

#include "dense/jrg_nn_dense_forward.h" // jrg_nn_activation
#if JRG_NN_DSP
#include "core/jrg_nn_wide_dsp.h" // jrg_nn_dot_wide_dsp
#elif JRG_NN_AVX2
#include "core/jrg_nn_wide_avx2.h" // jrg_nn_dot_wide_avx2
#endif

/* Of products with inputs of input_width bits (bx), 2^(15 + bx) each, so many have a sum that 32 bits hold. */
JRG_NN_INLINE uint32_t jrg_nn_wide_part(uint32_t input_width)
{
    return 1u << (15u - input_width);
}

/* sum + w[i] * x[i] over count products. part: a constant, jrg_nn_wide_part. w, x: 4-aligned, padded with 0 to even. */
JRG_NN_INLINE int64_t jrg_nn_dot_wide(const int16_t *w, const int16_t *x, uint32_t count, uint32_t part, int64_t sum)
{
#if JRG_NN_DSP
    (void)part;
    return jrg_nn_dot_wide_dsp(w, x, (count + 1u) / 2u, sum);
#else
    uint32_t i = 0;
#if JRG_NN_AVX2
    if (part >= JRG_NN_AVX2_WIDE_PART) {
        i = count - count % JRG_NN_AVX2_WIDE_STEP;
        sum += jrg_nn_dot_wide_avx2(w, x, i);
    }
#endif
    while (i < count) {
        const uint32_t end = count - i < part ? count : i + part;
        int32_t products = 0;
        for (; i < end; i++) {
            products += (int32_t)w[i] * x[i];
        }
        sum += products;
    }
    return sum;
#endif
}

/* A1.1 of a sum, cut to 17 bits for the clamp. shift: 2..30. */
JRG_NN_INLINE int32_t jrg_nn_rshift_cut(int64_t sum, uint32_t shift)
{
    const int64_t raised = sum + (int32_t)(1u << (shift - 1u));
    const int32_t high = (int32_t)(raised >> 32);
    const int32_t value = (int32_t)((uint32_t)raised >> shift | (uint32_t)high << (32u - shift));
    const int32_t limited = jrg_nn_clamp(value, -65536, 65535);
    return high >> shift == value >> 31 ? limited : (high >> 31) ^ 65535;
}

/* One output before its clamp. part, w, x: as in jrg_nn_dot_wide. */
JRG_NN_INLINE int32_t jrg_nn_wide_row(const int16_t *w, const int16_t *x, int32_t bias, uint32_t inputs, uint32_t part,
                                      uint32_t shift)
{
    return jrg_nn_rshift_cut(jrg_nn_dot_wide(w, x, inputs, part, bias), shift);
}

/* As jrg_nn_dense_forward, for any number of inputs and any alignment of y. part: as in jrg_nn_dot_wide. */
JRG_NN_INLINE void jrg_nn_wide_forward(const int16_t *x, const int16_t *weights, const int32_t *biases, int16_t *y,
                                       uint32_t inputs, uint32_t outputs, uint32_t part, uint32_t shift,
                                       uint32_t output_width, bool relu)
{
    const uint32_t stride = inputs + (inputs & 1u);
    for (uint32_t j = 0; j < outputs; j++) {
        const int32_t value = jrg_nn_wide_row(weights + j * stride, x, biases[j], inputs, part, shift);
        y[j] = jrg_nn_activation(value, output_width, relu);
    }
}

#endif
