/* A8.2: forward of a dense layer with int8 weights. The width rule of A8.1 keeps every sum in 32 bits. */
#ifndef JRG_NN_DENSE_FORWARD_W8_H
#define JRG_NN_DENSE_FORWARD_W8_H

#include "dense/jrg_nn_dense_forward.h" // jrg_nn_activation
#include "weighted/jrg_nn_layer_w8.h"   // jrg_nn_dense_w8
#if JRG_NN_DSP
#include "dense_w8/jrg_nn_dense_forward_w8_dsp.h" // jrg_nn_dense_forward_w8_dsp
#endif
#if JRG_NN_AVX2
#include "core/jrg_nn_w8_avx2.h" // jrg_nn_dot_w8_avx2
#endif

/* Sum of w[i] * x[i]. */
JRG_NN_INLINE int32_t jrg_nn_dot_w8(const int8_t *w, const int16_t *x, uint32_t count)
{
    int32_t sum = 0;
    uint32_t first = 0;
#if JRG_NN_AVX2
    first = count - count % JRG_NN_AVX2_WEIGHTS;
    sum = jrg_nn_dot_w8_avx2(w, x, first);
#endif
    for (uint32_t i = first; i < count; i++) {
        sum += (int32_t)w[jrg_nn_place_w8(i)] * x[i];
    }
    return sum;
}

/* x: [inputs] within bx, 4-aligned, padded with 0 to quads. y: [outputs], 4-aligned. shift: fx - fy; with a channel's fw_o
 * it lies in 2..30 (A3.3). output_width: magnitude bits of y, 7..15. */
JRG_NN_INLINE void jrg_nn_dense_forward_w8(const jrg_nn_dense_w8 *layer, const int16_t *x, int16_t *y, int32_t shift,
                                           uint32_t output_width, bool relu)
{
#if JRG_NN_DSP
    jrg_nn_dense_forward_w8_dsp(layer, x, y, shift, output_width, relu);
#else
    const uint32_t stride = jrg_nn_stride_w8(layer->inputs);
    for (uint32_t j = 0; j < layer->outputs; j++) {
        const int32_t sum = layer->biases[j] + jrg_nn_dot_w8(layer->weights + j * stride, x, layer->inputs);
        y[j] = jrg_nn_activation(jrg_nn_rshift(sum, (uint32_t)(shift + layer->channels[j])), output_width, relu);
    }
#endif
}

#endif
