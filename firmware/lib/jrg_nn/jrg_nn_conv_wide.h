/* A7.1 of more than 128 products: inputs of up to 12 bits, sums in 64. */
#ifndef JRG_NN_CONV_WIDE_H
#define JRG_NN_CONV_WIDE_H

#include "jrg_nn_dense_forward.h" // jrg_nn_activation
#if JRG_NN_DSP
#include "jrg_nn_conv_wide_dsp.h" // jrg_nn_dot_wide_dsp
#elif JRG_NN_AVX2
#include "jrg_nn_conv_wide_avx2.h" // jrg_nn_dot_wide_avx2
#endif

#define JRG_NN_CONV_NARROW_INPUTS 128u /* A7.1: up to here 32 bits hold a sum beside any bias */
#define JRG_NN_CONV_WIDE_PART 8u       /* products of 2^27 that 32 bits hold */

/* sum + w[i] * x[i] over count products. w, x: 4-aligned, padded with 0 to even. */
JRG_NN_INLINE int64_t jrg_nn_dot_wide(const int16_t *w, const int16_t *x, uint32_t count, int64_t sum)
{
#if JRG_NN_DSP
    return jrg_nn_dot_wide_dsp(w, x, (count + 1u) / 2u, sum);
#else
    uint32_t i = 0;
#if JRG_NN_AVX2
    i = count - count % JRG_NN_AVX2_WIDE_PART;
    sum += jrg_nn_dot_wide_avx2(w, x, i);
#endif
    while (i < count) {
        const uint32_t end = count - i < JRG_NN_CONV_WIDE_PART ? count : i + JRG_NN_CONV_WIDE_PART;
        int32_t part = 0;
        for (; i < end; i++) {
            part += (int32_t)w[i] * x[i];
        }
        sum += part;
    }
    return sum;
#endif
}

/* One position of a convolution with more than 128 inputs. As jrg_nn_conv_position. */
JRG_NN_INLINE void jrg_nn_conv_wide_position(const int16_t *patch, const int16_t *weights, const int32_t *biases,
                                             int16_t *y, uint32_t inputs, uint32_t outputs, uint32_t shift,
                                             uint32_t output_width, bool relu)
{
    const uint32_t stride = inputs + (inputs & 1u);
    for (uint32_t j = 0; j < outputs; j++) {
        const int64_t sum = jrg_nn_dot_wide(weights + j * stride, patch, inputs, biases[j]);
        y[j] = jrg_nn_activation(jrg_nn_cut(jrg_nn_rshift_wide(sum, shift)), output_width, relu);
    }
}

#endif
