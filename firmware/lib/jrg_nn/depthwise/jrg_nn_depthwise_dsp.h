/* A9.8 on the DSP extension. Forward: two channels of a position share the loads of x, 4 products in 8 instructions. Backward
 * and gradient: positions without an error are skipped; the gradients of a channel stay in registers. */
#ifndef JRG_NN_DEPTHWISE_DSP_H
#define JRG_NN_DEPTHWISE_DSP_H

#include "conv/jrg_nn_conv_rate.h"          // jrg_nn_conv
#include "dense/jrg_nn_dense_forward_dsp.h" // jrg_nn_activation_dsp
#include "core/jrg_nn_dsp.h"                // jrg_nn_load_pair

#define JRG_NN_DEPTHWISE_MOST_TAPS 25u /* more have the portable kernel: code and registers would be too many */

/* True if a window is these kernels'. */
JRG_NN_INLINE bool jrg_nn_is_depthwise_dsp(const jrg_nn_conv_geometry *geometry)
{
    return geometry->kernel_height * geometry->kernel_width <= JRG_NN_DEPTHWISE_MOST_TAPS;
}

/* Numbers in a channel's stored row of weights. */
JRG_NN_INLINE uint32_t jrg_nn_depthwise_stride(const jrg_nn_conv_geometry *geometry)
{
    const uint32_t taps = geometry->kernel_height * geometry->kernel_width;
    return taps + (taps & 1u);
}

/* True if the whole window lies in the image at a position. */
JRG_NN_INLINE bool jrg_nn_is_inside(const jrg_nn_conv_geometry *geometry, uint32_t row, uint32_t column)
{
    const uint32_t y = row * geometry->stride_y;
    const uint32_t x = column * geometry->stride_x;
    return y >= geometry->pad_top && y + geometry->kernel_height <= geometry->height + geometry->pad_top &&
           x >= geometry->pad_left && x + geometry->kernel_width <= geometry->width + geometry->pad_left;
}

/* The first number under a position that is inside: its place in the image. */
JRG_NN_INLINE uint32_t jrg_nn_place_under(const jrg_nn_conv_geometry *geometry, uint32_t row, uint32_t column)
{
    const uint32_t y = row * geometry->stride_y - geometry->pad_top;
    const uint32_t x = column * geometry->stride_x - geometry->pad_left;
    return (y * geometry->width + x) * geometry->channels;
}

/* What lies under one position: its first number, and the numbers in a row of it. */
typedef struct {
    const int16_t *x;
    uint32_t line;
} jrg_nn_under;

/* In the image itself if the window lies inside, else copied to the patch: [taps][channels], padded to even. */
JRG_NN_INLINE jrg_nn_under jrg_nn_depthwise_under(const jrg_nn_conv_geometry *geometry, const int16_t *x, uint32_t row,
                                                  uint32_t column, int16_t *patch)
{
    if (jrg_nn_is_inside(geometry, row, column)) {
        return (jrg_nn_under){x + jrg_nn_place_under(geometry, row, column), geometry->width * geometry->channels};
    }
    jrg_nn_patch(geometry, x, jrg_nn_row_span(geometry, row), jrg_nn_column_span(geometry, column), patch);
    return (jrg_nn_under){patch, geometry->kernel_width * geometry->channels};
}

/* Two channels of one position. x: the first one's number under tap 0; line: numbers in a row of x; w: the first one's row
 * of weights. y: two numbers, any alignment. */
JRG_NN_INLINE void jrg_nn_depthwise_pair_dsp(const jrg_nn_conv_geometry *geometry, const int16_t *x, uint32_t line,
                                             const int16_t *w, const int32_t *biases, int16_t *y, int32_t factor,
                                             uint32_t output_width, bool relu)
{
    const jrg_nn_pair *first = (const jrg_nn_pair *)(const void *)w;
    const jrg_nn_pair *second = (const jrg_nn_pair *)(const void *)(w + jrg_nn_depthwise_stride(geometry));
    int32_t sum0 = biases[0];
    int32_t sum1 = biases[1];
    uint32_t w0 = 0;
    uint32_t w1 = 0;
#pragma GCC unroll 25
    for (uint32_t tap = 0; tap < geometry->kernel_height * geometry->kernel_width; tap++) {
        const uint32_t place = tap / geometry->kernel_width * line + tap % geometry->kernel_width * geometry->channels;
        const uint32_t two = jrg_nn_load_pair(x + place);
        if (tap % 2u == 0u) {
            w0 = *first++;
            w1 = *second++;
            sum0 = jrg_nn_smlabb(two, w0, sum0);
            sum1 = jrg_nn_smlatb(two, w1, sum1);
        } else {
            sum0 = jrg_nn_smlabt(two, w0, sum0);
            sum1 = jrg_nn_smlatt(two, w1, sum1);
        }
    }
    jrg_nn_store_pair(y, jrg_nn_pack_pair(jrg_nn_activation_dsp(sum0, factor, output_width, relu),
                                          jrg_nn_activation_dsp(sum1, factor, output_width, relu)));
}

/* One channel of one position, the last of an odd number. As jrg_nn_depthwise_pair_dsp. */
JRG_NN_INLINE int16_t jrg_nn_depthwise_one_dsp(const jrg_nn_conv_geometry *geometry, const int16_t *x, uint32_t line,
                                               const int16_t *w, int32_t sum, int32_t factor, uint32_t output_width,
                                               bool relu)
{
    for (uint32_t tap = 0; tap < geometry->kernel_height * geometry->kernel_width; tap++) {
        const uint32_t place = tap / geometry->kernel_width * line + tap % geometry->kernel_width * geometry->channels;
        sum += (int32_t)w[tap] * x[place];
    }
    return (int16_t)jrg_nn_activation_dsp(sum, factor, output_width, relu);
}

/* All channels of one position. x: the first number under it; line: numbers in a row of x. */
JRG_NN_INLINE void jrg_nn_depthwise_position_dsp(const jrg_nn_conv *conv, const int16_t *x, uint32_t line, int16_t *y,
                                                 int32_t factor, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t stride = jrg_nn_depthwise_stride(geometry);
    const int16_t *w = conv->weights;
    const int32_t *bias = conv->biases;
#pragma GCC unroll 1
    for (uint32_t pairs = geometry->channels / 2u; pairs > 0u; pairs--) {
        jrg_nn_depthwise_pair_dsp(geometry, x, line, w, bias, y, factor, output_width, relu);
        w += 2u * stride;
        bias += 2;
        x += 2;
        y += 2;
    }
    if (geometry->channels % 2u != 0u) {
        *y = jrg_nn_depthwise_one_dsp(geometry, x, line, w, *bias, factor, output_width, relu);
    }
}

/* As jrg_nn_depthwise_forward. */
JRG_NN_INLINE void jrg_nn_depthwise_forward_dsp(const jrg_nn_conv *conv, const int16_t *x, int16_t *y, int16_t *patch,
                                                uint32_t shift, uint32_t output_width, bool relu)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const int32_t factor = jrg_nn_shift_factor(shift);
#pragma GCC unroll 1
    for (uint32_t row = 0; row < geometry->rows; row++) {
#pragma GCC unroll 1
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const jrg_nn_under under = jrg_nn_depthwise_under(geometry, x, row, column, patch);
            jrg_nn_depthwise_position_dsp(conv, under.x, under.line, y, factor, output_width, relu);
            y += geometry->channels;
        }
    }
}

/* Adds the share of one position that is inside to the errors of one channel. w: its weights; below: its error under tap 0. */
JRG_NN_INLINE void jrg_nn_depthwise_spread_dsp(const jrg_nn_conv_geometry *geometry, const int16_t *w, int32_t error,
                                               int32_t *below)
{
    const jrg_nn_pair *pair = (const jrg_nn_pair *)(const void *)w;
    uint32_t two = 0;
#pragma GCC unroll 25
    for (uint32_t tap = 0; tap < geometry->kernel_height * geometry->kernel_width; tap++) {
        const uint32_t pixel = tap / geometry->kernel_width * geometry->width + tap % geometry->kernel_width;
        int32_t *to = below + pixel * geometry->channels;
        if (tap % 2u == 0u) {
            two = *pair++;
            *to = jrg_nn_smlabb(two, (uint32_t)error, *to);
        } else {
            *to = jrg_nn_smlatb(two, (uint32_t)error, *to);
        }
    }
}

/* Adds e * x of one position that is inside to the gradients of one channel. x: its number under tap 0. */
JRG_NN_INLINE void jrg_nn_depthwise_gradients_dsp(const jrg_nn_conv_geometry *geometry, const int16_t *x, int32_t error,
                                                  int32_t sums[JRG_NN_DEPTHWISE_MOST_TAPS])
{
#pragma GCC unroll 25
    for (uint32_t tap = 0; tap < geometry->kernel_height * geometry->kernel_width; tap++) {
        const uint32_t pixel = tap / geometry->kernel_width * geometry->width + tap % geometry->kernel_width;
        sums[tap] = jrg_nn_smlabb((uint32_t)x[pixel * geometry->channels], (uint32_t)error, sums[tap]);
    }
}

#endif
