/* A3: forward of a dense layer. */
#ifndef JRG_NN_DENSE_FORWARD_H
#define JRG_NN_DENSE_FORWARD_H

#include "core/jrg_nn_arith.h" // jrg_nn_rshift
#if JRG_NN_DSP
#include "dense/jrg_nn_dense_forward_dsp.h" // jrg_nn_dense_forward_dsp
#endif

/* Sum of w[i] * x[i] over count products that is at most 2^30 in magnitude (A3.4, A7.4). w, x: 4-aligned, padded with 0. */
JRG_NN_INLINE int32_t jrg_nn_dot(const int16_t *w, const int16_t *x, uint32_t count)
{
#if JRG_NN_DSP
    return jrg_nn_dot_dsp(w, x, (count + 1u) / 2u, 0);
#else
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += (int32_t)w[i] * x[i];
    }
    return sum;
#endif
}

/* Clamp to the range of an activation: [0, 2^bits - 1] after ReLU, else [-2^bits, 2^bits - 1] (A3.2, A3.3). */
JRG_NN_INLINE int16_t jrg_nn_activation(int32_t v, uint32_t bits, bool relu)
{
    const int32_t limit = (int32_t)(1u << bits);
    return (int16_t)jrg_nn_clamp(v, relu ? 0 : -limit, limit - 1);
}

/* One output whose sum 32 bits hold beside any bias (A3.4). */
JRG_NN_INLINE int32_t jrg_nn_dense_narrow_row(const int16_t *w, const int16_t *x, int32_t bias, uint32_t inputs,
                                              uint32_t shift)
{
    return jrg_nn_rshift(bias + jrg_nn_dot(w, x, inputs), shift);
}

/* Sums of products are at most 2^30 in magnitude (A3.4): otherwise it is jrg_nn_wide_forward.
 * x: [inputs] within the width of A2.4. weights: [outputs][inputs padded to even]. biases: [outputs] within A2.3.
 * x, weights and y are 4-aligned; x is padded with 0 to an even count. y: [outputs]. shift: fw + fx - fy in 2..30 (A3.3). output_width: magnitude bits of y, 7..15. */
JRG_NN_INLINE void jrg_nn_dense_forward(const int16_t *x, const int16_t *weights, const int32_t *biases, int16_t *y,
                                        uint32_t inputs, uint32_t outputs, uint32_t shift, uint32_t output_width,
                                        bool relu)
{
#if JRG_NN_DSP
    jrg_nn_dense_forward_dsp(x, weights, biases, y, inputs, outputs, shift, output_width, relu);
#else
    const uint32_t stride = inputs + (inputs & 1u);
    for (uint32_t j = 0; j < outputs; j++) {
        const int32_t value = jrg_nn_dense_narrow_row(weights + j * stride, x, biases[j], inputs, shift);
        y[j] = jrg_nn_activation(value, output_width, relu);
    }
#endif
}

#endif
