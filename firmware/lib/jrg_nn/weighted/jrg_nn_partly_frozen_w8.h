/* A10.7: layers of which only the first output channels learn; the others are a layer of their own, in flash. */
#ifndef JRG_NN_PARTLY_FROZEN_W8_H
#define JRG_NN_PARTLY_FROZEN_W8_H

#include "conv_w8/jrg_nn_conv_backward_w8.h" // jrg_nn_conv_add_errors_w8
#include "dense_w8/jrg_nn_dense_update_w8.h" // jrg_nn_dense_update_w8
#include "weighted/jrg_nn_frozen_w8.h"       // jrg_nn_add_passing_rows_w8

/* A8.2 of both blocks, trained rows first. As jrg_nn_dense_forward_w8. */
JRG_NN_INLINE void jrg_nn_dense_forward_partly_frozen_w8(const jrg_nn_dense_w8 *trained, const jrg_nn_dense_w8 *frozen,
                                                         const int16_t *x, int16_t *y, int32_t shift,
                                                         uint32_t output_width, bool relu)
{
    const bool aligned = trained->outputs % 2u == 0u;
    jrg_nn_dense_forward_w8(trained, x, y, shift, output_width, relu);
    jrg_nn_dense_block_w8(frozen, x, y + trained->outputs, aligned, shift, output_width, relu);
}

/* A8.2 of both blocks. As jrg_nn_conv_forward_w8; y: [positions][outputs of both]. */
JRG_NN_INLINE void jrg_nn_conv_forward_partly_frozen_w8(const jrg_nn_conv_w8 *trained, const jrg_nn_conv_w8 *frozen,
                                                        const int16_t *x, int16_t *y, int16_t *patch, int32_t shift,
                                                        uint32_t output_width, bool relu)
{
    const jrg_nn_dense_w8 first = jrg_nn_conv_dense_w8(trained);
    const jrg_nn_dense_w8 second = jrg_nn_conv_dense_w8(frozen);
    jrg_nn_conv_forward_blocks_w8(&trained->geometry, &first, &second, x, y, patch, shift, output_width, relu);
}

/* How many of a list's errors belong to the first `rows` rows: lists are in the order of the rows. */
JRG_NN_INLINE uint32_t jrg_nn_first_errors(const jrg_nn_row_error *errors, uint32_t count, uint32_t rows)
{
    uint32_t found = 0;
    while (found < count && errors[found].row < rows) {
        found++;
    }
    return found;
}

/* As jrg_nn_frozen_rows_w8, for the rows of both blocks. rows: [outputs of both + 2]. */
JRG_NN_INLINE uint32_t jrg_nn_partly_frozen_rows_w8(const jrg_nn_dense_w8 *trained, const jrg_nn_dense_w8 *frozen,
                                                    int32_t weight_exponent, const jrg_nn_row_error *errors,
                                                    jrg_nn_error *error, jrg_nn_active_row_w8 *rows)
{
    const int32_t shift = jrg_nn_error_shift(error->magnitude, trained->error_width);
    const uint32_t first = jrg_nn_first_errors(errors, error->count, trained->outputs);
    uint32_t count = jrg_nn_add_passing_rows_w8(trained, weight_exponent, shift, errors, first, 0u, rows, 0u);
    count = jrg_nn_add_passing_rows_w8(frozen, weight_exponent, shift, errors + first, error->count - first,
                                       trained->outputs, rows, count);
    error->exponent -= shift;
    jrg_nn_end_rows_w8(trained, rows, count);
    return count;
}

/* As jrg_nn_dense_update_w8, but x is left as it was. */
JRG_NN_INLINE void jrg_nn_dense_update_partly_frozen_w8(const jrg_nn_dense_w8 *trained,
                                                        const jrg_nn_active_row_w8 *rows, uint32_t count, int16_t *x)
{
    jrg_nn_dense_update_w8(trained, rows, count, x);
#if JRG_NN_DSP
    for (uint32_t i = 0; trained->input_width < 15u && i < trained->inputs; i++) {
        x[i] = (int16_t)(x[i] >> (15u - trained->input_width));
    }
#endif
}

/* A8.3 of both blocks. scaled: of all channels. As jrg_nn_conv_backward_w8. */
JRG_NN_INLINE jrg_nn_error jrg_nn_conv_backward_partly_frozen_w8(const jrg_nn_conv_w8 *trained,
                                                                 const jrg_nn_conv_w8 *frozen, const int16_t *scaled,
                                                                 const int16_t *x, bool rectified,
                                                                 int32_t weight_exponent, jrg_nn_active_row_w8 *rows,
                                                                 int32_t *below)
{
    const jrg_nn_conv_geometry *geometry = &trained->geometry;
    const uint32_t inputs = geometry->height * geometry->width * geometry->channels;
    const jrg_nn_conv shape = jrg_nn_conv_shape_w8(trained);
    jrg_nn_clear_errors(below, inputs);
    jrg_nn_conv_add_errors_w8(trained, scaled, weight_exponent, rows, below);
    jrg_nn_conv_add_errors_w8(frozen, scaled + trained->outputs * jrg_nn_conv_error_stride(&shape), weight_exponent,
                              rows, below);
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, inputs, rectified)};
}

#endif
