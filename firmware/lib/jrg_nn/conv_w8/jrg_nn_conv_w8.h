/* A8 for weights that move over an image: constants of a layer, its active channels, its forward pass. */
#ifndef JRG_NN_CONV_W8_H
#define JRG_NN_CONV_W8_H

#include "conv/jrg_nn_conv.h"                 // jrg_nn_conv_scale
#include "dense_w8/jrg_nn_dense_forward_w8.h" // jrg_nn_dense_forward_w8
#include "weighted/jrg_nn_layer_w8.h"         // jrg_nn_active_row_w8
#include "conv/jrg_nn_conv_geometry.h"        // jrg_nn_patch

/* Constants and memory of one layer. */
typedef struct {
    jrg_nn_conv_geometry geometry;
    int8_t *weights;        /* [outputs][K padded to quads], 4-aligned, each quad stored as A8.6 says */
    int32_t *biases;        /* [outputs] */
    const int8_t *channels; /* fw_o: [outputs] */
    uint32_t outputs;
    uint32_t error_width; /* be */
} jrg_nn_conv_w8;

/* K: weights of one output channel. */
JRG_NN_INLINE uint32_t jrg_nn_conv_inputs_w8(const jrg_nn_conv_w8 *conv)
{
    return conv->geometry.kernel_height * conv->geometry.kernel_width * conv->geometry.channels;
}

/* What jrg_nn_conv_scale and jrg_nn_conv_scale_list look at. */
JRG_NN_INLINE jrg_nn_conv jrg_nn_conv_shape_w8(const jrg_nn_conv_w8 *conv)
{
    return (jrg_nn_conv){conv->geometry, NULL, conv->biases, conv->outputs, conv->error_width};
}

/* One position of any number of outputs: y need not be aligned. */
JRG_NN_INLINE void jrg_nn_conv_position_w8(const jrg_nn_dense_w8 *dense, const int16_t *patch, int16_t *y,
                                           int32_t shift, uint32_t output_width, bool relu)
{
    const uint32_t stride = jrg_nn_stride_w8(dense->inputs);
    for (uint32_t j = 0; j < dense->outputs; j++) {
        const int32_t sum = dense->biases[j] + jrg_nn_dot_w8(dense->weights + j * stride, patch, dense->inputs);
        y[j] = jrg_nn_activation(jrg_nn_rshift(sum, (uint32_t)(shift + dense->channels[j])), output_width, relu);
    }
}

/* Outputs of a dense layer, which may start anywhere in y. */
JRG_NN_INLINE void jrg_nn_dense_block_w8(const jrg_nn_dense_w8 *block, const int16_t *x, int16_t *y, bool aligned,
                                         int32_t shift, uint32_t output_width, bool relu)
{
    if (aligned) {
        jrg_nn_dense_forward_w8(block, x, y, shift, output_width, relu);
    } else {
        jrg_nn_conv_position_w8(block, x, y, shift, output_width, relu);
    }
}

/* A convolution as the dense layer it is at every position. */
JRG_NN_INLINE jrg_nn_dense_w8 jrg_nn_conv_dense_w8(const jrg_nn_conv_w8 *conv)
{
    return (jrg_nn_dense_w8){
        conv->weights, conv->biases, conv->channels, jrg_nn_conv_inputs_w8(conv), conv->outputs, 0, 0};
}

/* A8.2 of two blocks of outputs, one behind the other at each position; the second may have none. */
JRG_NN_INLINE void jrg_nn_conv_forward_blocks_w8(const jrg_nn_conv_geometry *geometry, const jrg_nn_dense_w8 *first,
                                                 const jrg_nn_dense_w8 *second, const int16_t *x, int16_t *y,
                                                 int16_t *patch, int32_t shift, uint32_t output_width, bool relu)
{
    const bool aligned = first->outputs % 2u == 0u && second->outputs % 2u == 0u;
    for (uint32_t i = first->inputs; i < jrg_nn_stride_w8(first->inputs); i++) {
        patch[i] = 0;
    }
#pragma GCC unroll 1
    for (uint32_t row = 0; row < geometry->rows; row++) {
        const jrg_nn_span rows = jrg_nn_row_span(geometry, row);
#pragma GCC unroll 1
        for (uint32_t column = 0; column < geometry->columns; column++) {
            jrg_nn_patch(geometry, x, rows, jrg_nn_column_span(geometry, column), patch);
            jrg_nn_dense_block_w8(first, patch, y, aligned, shift, output_width, relu);
            if (second->outputs != 0u) {
                jrg_nn_dense_block_w8(second, patch, y + first->outputs, aligned, shift, output_width, relu);
            }
            y += first->outputs + second->outputs;
        }
    }
}

/* x: [height][width][channels] within bx. y: [positions][outputs]. patch: scratch, [K padded to quads]. All are 4-aligned.
 * shift: fx - fy; with a channel's fw_o it lies in 2..30 (A3.3). */
JRG_NN_INLINE void jrg_nn_conv_forward_w8(const jrg_nn_conv_w8 *conv, const int16_t *x, int16_t *y, int16_t *patch,
                                          int32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_dense_w8 dense = jrg_nn_conv_dense_w8(conv);
    const jrg_nn_dense_w8 none = {0};
    jrg_nn_conv_forward_blocks_w8(&conv->geometry, &dense, &none, x, y, patch, shift, output_width, relu);
}

#endif
