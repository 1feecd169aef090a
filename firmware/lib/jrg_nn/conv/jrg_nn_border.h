/* An image of one channel with the padding of a window around it: every patch of it can be read in place. */
#ifndef JRG_NN_BORDER_H
#define JRG_NN_BORDER_H

#include "conv/jrg_nn_conv_geometry.h" // jrg_nn_conv_geometry

/* Rows of a bordered image: what all positions of the window cover. */
JRG_NN_INLINE uint32_t jrg_nn_border_rows(const jrg_nn_conv_geometry *geometry)
{
    return (geometry->rows - 1u) * geometry->stride_y + geometry->kernel_height;
}

/* Numbers in one of its rows: what all positions cover, padded to even. */
JRG_NN_INLINE uint32_t jrg_nn_border_stride(const jrg_nn_conv_geometry *geometry)
{
    const uint32_t covered = (geometry->columns - 1u) * geometry->stride_x + geometry->kernel_width;
    return covered + (covered & 1u);
}

/* x: [height][width] of one channel. bordered: [jrg_nn_border_rows][jrg_nn_border_stride], 4-aligned, written: 0 where the
 * window leaves the image. The patch under position (row, column) begins at row * stride_y, column * stride_x. */
JRG_NN_INLINE void jrg_nn_border(const jrg_nn_conv_geometry *geometry, const int16_t *x, int16_t *bordered)
{
    const uint32_t rows = jrg_nn_border_rows(geometry);
    const uint32_t stride = jrg_nn_border_stride(geometry);
    const uint32_t right = geometry->pad_left + geometry->width;
    const uint32_t end = right < stride ? right : stride;
    for (uint32_t row = 0; row < rows; row++) {
        const bool inside = row >= geometry->pad_top && row - geometry->pad_top < geometry->height;
        const uint32_t first = inside ? geometry->pad_left : stride;
        for (uint32_t i = 0; i < first; i++) {
            bordered[i] = 0;
        }
        if (inside) {
            jrg_nn_copy(x, bordered + first, end - first, false);
            x += geometry->width;
            for (uint32_t i = end; i < stride; i++) {
                bordered[i] = 0;
            }
        }
        bordered += stride;
    }
}

#endif
