/* What the kernels of a layer with int8 weights share (A8.1, A8.6). */
#ifndef JRG_NN_LAYER_W8_H
#define JRG_NN_LAYER_W8_H

#include <stddef.h>

#include "core/jrg_nn_arith.h"     // JRG_NN_INLINE
#include "weighted/jrg_nn_layer.h" // jrg_nn_row_error

/* Constants and memory of one dense layer. */
typedef struct {
    int8_t *weights;        /* [outputs][inputs padded to quads], 4-aligned, each quad stored as A8.6 says */
    int32_t *biases;        /* [outputs] */
    const int8_t *channels; /* fw_o: [outputs] */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t input_width; /* bx */
    uint32_t error_width; /* be */
} jrg_nn_dense_w8;

/* One row of weights that learns in this step: its weights, the error e' it hands down (A8.3), its factor d (A8.4) and
 * the key of its dither (A8.5). A list of rows is followed by a row without weights, at an even place. */
typedef struct {
    int8_t *weights;
    int16_t error;
    int16_t factor;
    uint32_t dither;
} jrg_nn_active_row_w8;

/* Bytes of a stored row. */
JRG_NN_INLINE uint32_t jrg_nn_stride_w8(uint32_t inputs)
{
    return (inputs + 3u) & ~3u;
}

/* A8.6: where the weight of column i stands in its row: quads are stored 0, 2, 1, 3. */
JRG_NN_INLINE uint32_t jrg_nn_place_w8(uint32_t i)
{
    return (i & ~3u) | ((i & 1u) << 1) | ((i >> 1) & 1u);
}

#endif
