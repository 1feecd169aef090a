/* What the backward kernels of a convolution share: its constants, and its scaled error (A5.1). */
#ifndef JRG_NN_CONV_H
#define JRG_NN_CONV_H

#include "weighted/jrg_nn_layer.h"       // jrg_nn_error
#include "weighted/jrg_nn_active_rows.h" // jrg_nn_error_shift
#include "conv/jrg_nn_conv_geometry.h"   // jrg_nn_conv_geometry
#if JRG_NN_DSP
#include "conv/jrg_nn_conv_dsp.h" // jrg_nn_conv_scale_dsp
#endif

/* Constants and memory of one layer of weights that move over an image. */
typedef struct {
    jrg_nn_conv_geometry geometry;
    int16_t *weights; /* [outputs][K padded to even], 4-aligned */
    int32_t *biases;  /* [outputs] */
    uint32_t outputs;
    uint32_t error_width; /* be */
} jrg_nn_conv;

/* Numbers in one channel of the scaled errors: the positions, padded to even. */
JRG_NN_INLINE uint32_t jrg_nn_conv_error_stride(const jrg_nn_conv *conv)
{
    const uint32_t positions = conv->geometry.rows * conv->geometry.columns;
    return positions + (positions & 1u);
}

/* A5.1 of a list: errors [error->count] of the outputs, error->magnitude not 0. Writes scaled [outputs][positions padded
 * to even], channel by channel; error->exponent becomes its exponent. */
JRG_NN_INLINE void jrg_nn_conv_scale_list(const jrg_nn_conv *conv, const jrg_nn_row_error *errors, jrg_nn_error *error,
                                          int16_t *scaled)
{
    const uint32_t stride = jrg_nn_conv_error_stride(conv);
    const int32_t shift = jrg_nn_error_shift(error->magnitude, conv->error_width);
    error->exponent -= shift;
    for (uint32_t i = 0; i < conv->outputs * stride; i++) {
        scaled[i] = 0;
    }
    for (uint32_t i = 0; i < error->count; i++) {
        const uint32_t position = errors[i].row / conv->outputs;
        const uint32_t channel = errors[i].row % conv->outputs;
        scaled[channel * stride + position] = (int16_t)jrg_nn_scaled_error(errors[i].value, shift, conv->error_width);
    }
}

/* A5.1 of a tensor: errors [positions][outputs]. As jrg_nn_conv_scale_list. */
JRG_NN_INLINE void jrg_nn_conv_scale(const jrg_nn_conv *conv, const int32_t *errors, jrg_nn_error *error,
                                     int16_t *scaled)
{
    const uint32_t positions = conv->geometry.rows * conv->geometry.columns;
    const uint32_t stride = jrg_nn_conv_error_stride(conv);
    const int32_t shift = jrg_nn_error_shift(error->magnitude, conv->error_width);
    error->exponent -= shift;
#if JRG_NN_DSP
    jrg_nn_conv_scale_dsp(errors, scaled, positions, conv->outputs, stride,
                          jrg_nn_error_scale_of(error->magnitude, conv->error_width));
    for (uint32_t channel = 0; stride != positions && channel < conv->outputs; channel++) {
        scaled[channel * stride + positions] = 0;
    }
#else
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        const int32_t *from = errors + channel;
        for (uint32_t position = 0; position < positions; position++) {
            scaled[position] = (int16_t)jrg_nn_scaled_error(*from, shift, conv->error_width);
            from += conv->outputs;
        }
        if (stride != positions) {
            scaled[positions] = 0;
        }
        scaled += stride;
    }
#endif
}

#endif
