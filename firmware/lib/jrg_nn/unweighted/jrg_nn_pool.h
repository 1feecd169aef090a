/* A9.5: max and average pools. */
#ifndef JRG_NN_POOL_H
#define JRG_NN_POOL_H

#include "weighted/jrg_nn_errors.h"    // jrg_nn_mask_errors
#include "conv/jrg_nn_conv_geometry.h" // jrg_nn_conv_geometry
#if JRG_NN_DSP
#include "unweighted/jrg_nn_pool_dsp.h" // jrg_nn_largest_pair
#endif

/* The pixels of the image under one position: first one, rows and columns. */
typedef struct {
    uint32_t first;
    uint32_t rows;
    uint32_t columns;
} jrg_nn_pixels;

JRG_NN_INLINE jrg_nn_pixels jrg_nn_pixels_under(const jrg_nn_conv_geometry *geometry, uint32_t row, uint32_t column)
{
    const jrg_nn_span rows = jrg_nn_row_span(geometry, row);
    const jrg_nn_span columns = jrg_nn_column_span(geometry, column);
    const uint32_t y = (uint32_t)(rows.start + (int32_t)rows.first);
    const uint32_t x = (uint32_t)(columns.start + (int32_t)columns.first);
    return (jrg_nn_pixels){y * geometry->width + x, rows.end - rows.first, columns.end - columns.first};
}

/* The place of the first largest value of a channel under a position. */
JRG_NN_INLINE uint32_t jrg_nn_largest(const jrg_nn_conv_geometry *geometry, const int16_t *x, jrg_nn_pixels under,
                                      uint32_t channel)
{
    uint32_t best = under.first * geometry->channels + channel;
    for (uint32_t row = 0; row < under.rows; row++) {
        uint32_t place = (under.first + row * geometry->width) * geometry->channels + channel;
        for (uint32_t column = 0; column < under.columns; column++) {
            best = x[place] > x[best] ? place : best;
            place += geometry->channels;
        }
    }
    return best;
}

/* round(2^15 / n) of n pixels. */
JRG_NN_INLINE int32_t jrg_nn_share(jrg_nn_pixels under)
{
    const uint32_t count = under.rows * under.columns;
    return (int32_t)((32768u + count / 2u) / count);
}

/* The mean of a channel under a position, clamped to width magnitude bits. */
JRG_NN_INLINE int16_t jrg_nn_mean(const jrg_nn_conv_geometry *geometry, const int16_t *x, jrg_nn_pixels under,
                                  uint32_t channel, uint32_t width)
{
    int32_t sum = 0;
    for (uint32_t row = 0; row < under.rows; row++) {
        const int16_t *pixel = x + (under.first + row * geometry->width) * geometry->channels + channel;
        for (uint32_t column = 0; column < under.columns; column++) {
            sum += *pixel;
            pixel += geometry->channels;
        }
    }
    const int64_t mean = jrg_nn_rshift_wide((int64_t)sum * jrg_nn_share(under), 15u);
    return (int16_t)jrg_nn_sats((int32_t)mean, width);
}

/* x: [height][width][channels] of at most 65535 pixels. y: [rows][columns][channels]. width: magnitude bits of both. */
JRG_NN_INLINE void jrg_nn_pool_forward(const jrg_nn_conv_geometry *geometry, bool average, const int16_t *x, int16_t *y,
                                       uint32_t width)
{
    for (uint32_t row = 0; row < geometry->rows; row++) {
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const jrg_nn_pixels under = jrg_nn_pixels_under(geometry, row, column);
            uint32_t channel = 0;
#if JRG_NN_DSP
            const uint32_t line = geometry->width * geometry->channels;
            for (; channel + 1u < geometry->channels; channel += 2u) {
                const int16_t *first = x + under.first * geometry->channels + channel;
                jrg_nn_store_pair(
                    y, average ? jrg_nn_mean_pair(first, under.rows, under.columns, line, geometry->channels,
                                                  jrg_nn_share(under), width)
                               : jrg_nn_largest_pair(first, under.rows, under.columns, line, geometry->channels));
                y += 2;
            }
#endif
            for (; channel < geometry->channels; channel++) {
                *y++ = average ? jrg_nn_mean(geometry, x, under, channel, width)
                               : x[jrg_nn_largest(geometry, x, under, channel)];
            }
        }
    }
}

/* Adds an equal share to every pixel under a position. */
JRG_NN_INLINE void jrg_nn_add_share(const jrg_nn_conv_geometry *geometry, jrg_nn_pixels under, uint32_t channel,
                                    int32_t share, int32_t *below)
{
    for (uint32_t row = 0; row < under.rows; row++) {
        int32_t *pixel = below + (under.first + row * geometry->width) * geometry->channels + channel;
        for (uint32_t column = 0; column < under.columns; column++) {
            *pixel += share;
            pixel += geometry->channels;
        }
    }
}

/* errors: [rows][columns][channels]. head_room: h of A9.5. x: of the forward pass; rectified: a ReLU made it. below:
 * [height][width][channels], written. Returns the error below; its exponent is -h. */
JRG_NN_INLINE jrg_nn_error jrg_nn_pool_backward(const jrg_nn_conv_geometry *geometry, bool average, uint32_t head_room,
                                                const int32_t *errors, const int16_t *x, bool rectified, int32_t *below)
{
    const uint32_t inputs = geometry->height * geometry->width * geometry->channels;
    jrg_nn_clear_errors(below, inputs);
    for (uint32_t row = 0; row < geometry->rows; row++) {
        for (uint32_t column = 0; column < geometry->columns; column++) {
            const jrg_nn_pixels under = jrg_nn_pixels_under(geometry, row, column);
            for (uint32_t channel = 0; channel < geometry->channels; channel++) {
                const int64_t error = *errors++;
                if (error == 0) {
                    continue;
                }
                if (average) {
                    const int64_t share = jrg_nn_rshift_wide(error * jrg_nn_share(under), 15u + head_room);
                    jrg_nn_add_share(geometry, under, channel, (int32_t)share, below);
                } else {
                    below[jrg_nn_largest(geometry, x, under, channel)] += (int32_t)jrg_nn_rshift_any(error, head_room);
                }
            }
        }
    }
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, inputs, rectified),
                          .exponent = -(int32_t)head_room};
}

#endif
