/* A7: a window that moves over an image: its geometry, the patch under one position, one weight's inputs as a column. */
#ifndef JRG_NN_CONV_GEOMETRY_H
#define JRG_NN_CONV_GEOMETRY_H

#include "core/jrg_nn_arith.h" // JRG_NN_INLINE
#if JRG_NN_DSP
#include "conv/jrg_nn_conv_geometry_dsp.h" // jrg_nn_copy4_dsp
#endif

/* Images lie in memory as [height][width][channels], without gaps and without borders. */
typedef struct {
    uint32_t height; /* of the input */
    uint32_t width;
    uint32_t channels;
    uint32_t rows; /* positions */
    uint32_t columns;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride_y;
    uint32_t stride_x;
    uint32_t pad_top;
    uint32_t pad_left;
} jrg_nn_conv_geometry;

/* The taps first..end-1 of one axis that meet the image. start: where tap 0 lies, it may be outside. */
typedef struct {
    int32_t start;
    uint32_t first;
    uint32_t end;
} jrg_nn_span;

/* position: along the axis; size: of the image. */
JRG_NN_INLINE jrg_nn_span jrg_nn_span_at(uint32_t position, uint32_t stride, uint32_t pad, uint32_t kernel,
                                         uint32_t size)
{
    const int32_t start = (int32_t)(position * stride) - (int32_t)pad;
    const int32_t left = (int32_t)size - start;
    const uint32_t first = start < 0 ? (uint32_t)-start : 0u;
    const uint32_t end = left < (int32_t)kernel ? (uint32_t)(left < 0 ? 0 : left) : kernel;
    return (jrg_nn_span){start, first, end < first ? first : end};
}

/* The rows of the kernel that meet the image at a row of positions. */
JRG_NN_INLINE jrg_nn_span jrg_nn_row_span(const jrg_nn_conv_geometry *geometry, uint32_t row)
{
    return jrg_nn_span_at(row, geometry->stride_y, geometry->pad_top, geometry->kernel_height, geometry->height);
}

/* The columns of the kernel that meet the image at a column of positions. */
JRG_NN_INLINE jrg_nn_span jrg_nn_column_span(const jrg_nn_conv_geometry *geometry, uint32_t column)
{
    return jrg_nn_span_at(column, geometry->stride_x, geometry->pad_left, geometry->kernel_width, geometry->width);
}

/* Where the window of one position meets the image. */
typedef struct {
    jrg_nn_span rows;
    jrg_nn_span columns;
} jrg_nn_meeting;

/* The pixel under a tap, counted from the first of the image. */
JRG_NN_INLINE uint32_t jrg_nn_pixel_under(const jrg_nn_conv_geometry *geometry, jrg_nn_meeting at, uint32_t ky,
                                          uint32_t kx)
{
    const uint32_t line = (uint32_t)(at.rows.start + (int32_t)ky) * geometry->width;
    return line + (uint32_t)(at.columns.start + (int32_t)kx);
}

/* The taps of one row of the kernel under a position: their place in a row of weights, and the errors of their inputs. */
typedef struct {
    int32_t *below;
    uint32_t weights;
} jrg_nn_line;

/* From the first column of the kernel that meets the image on. ky: the row of the kernel, one of `rows`. below:
 * [height][width][channels]. */
JRG_NN_INLINE jrg_nn_line jrg_nn_line_under(const jrg_nn_conv_geometry *geometry, jrg_nn_span rows, jrg_nn_span columns,
                                            uint32_t ky, int32_t *below)
{
    const uint32_t y = (uint32_t)(rows.start + (int32_t)ky);
    const uint32_t x = (uint32_t)(columns.start + (int32_t)columns.first);
    return (jrg_nn_line){below + (y * geometry->width + x) * geometry->channels,
                         (ky * geometry->kernel_width + columns.first) * geometry->channels};
}

/* Copies count numbers. even: both pointers are 4-aligned and count is even. */
JRG_NN_INLINE void jrg_nn_copy(const int16_t *from, int16_t *to, uint32_t count, bool even)
{
#if JRG_NN_DSP
    if (even) {
        jrg_nn_copy_dsp(from, to, count / 2u);
    } else {
        jrg_nn_copy_any_dsp(from, to, count);
    }
#else
    (void)even;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
#endif
}

/* What lies under a position: patch [kernel_height][kernel_width][channels], 0 where the window leaves the image.
 * patch: 4-aligned, padded to even; the padding is left alone. */
JRG_NN_INLINE void jrg_nn_patch(const jrg_nn_conv_geometry *geometry, const int16_t *x, jrg_nn_span rows,
                                jrg_nn_span columns, int16_t *patch)
{
    const uint32_t line = geometry->kernel_width * geometry->channels;
    const bool even = geometry->channels % 2u == 0u;
    const bool inside = rows.first == 0u && rows.end == geometry->kernel_height && columns.first == 0u &&
                        columns.end == geometry->kernel_width;
    if (inside) {
        const uint32_t pixel = (uint32_t)rows.start * geometry->width + (uint32_t)columns.start;
        const int16_t *from = x + pixel * geometry->channels;
        for (uint32_t ky = 0; ky < geometry->kernel_height; ky++) {
            jrg_nn_copy(from, patch, line, even);
            from += geometry->width * geometry->channels;
            patch += line;
        }
        return;
    }
    for (uint32_t i = 0; i < geometry->kernel_height * line; i++) {
        patch[i] = 0;
    }
    const uint32_t count = (columns.end - columns.first) * geometry->channels;
    for (uint32_t ky = rows.first; ky < rows.end; ky++) {
        const int32_t pixel = (rows.start + (int32_t)ky) * (int32_t)geometry->width + columns.start;
        const int16_t *from = x + (pixel + (int32_t)columns.first) * (int32_t)geometry->channels;
        jrg_nn_copy(from, patch + ky * line + columns.first * geometry->channels, count, even);
    }
}

/* The positions first..end-1 along one axis at which a tap meets the image. */
typedef struct {
    uint32_t first;
    uint32_t end;
} jrg_nn_positions;

JRG_NN_INLINE jrg_nn_positions jrg_nn_positions_of(uint32_t tap, uint32_t stride, uint32_t pad, uint32_t positions,
                                                   uint32_t size)
{
    const uint32_t first = tap >= pad ? 0u : (pad - tap + stride - 1u) / stride;
    const uint32_t end = size + pad > tap ? (size + pad - tap - 1u) / stride + 1u : 0u;
    const uint32_t bounded = end < positions ? end : positions;
    return (jrg_nn_positions){first < bounded ? first : bounded, bounded};
}

/* One row of a column: from: the number at the first position that meets the image; step: to the next one. */
JRG_NN_INLINE void jrg_nn_column_row(const int16_t *from, uint32_t step, jrg_nn_positions meets, uint32_t columns,
                                     int16_t *column)
{
    for (uint32_t i = 0; i < meets.first; i++) {
        *column++ = 0;
    }
    for (uint32_t i = meets.first; i < meets.end; i++) {
        *column++ = *from;
        from += step;
    }
    for (uint32_t i = meets.end; i < columns; i++) {
        *column++ = 0;
    }
}

/* The inputs that one weight (tap ky, kx; channel) meets at all positions: column [rows * columns, padded to even], 0
 * where the window leaves the image, and in the padding. */
JRG_NN_INLINE void jrg_nn_column(const jrg_nn_conv_geometry *geometry, const int16_t *x, uint32_t ky, uint32_t kx,
                                 uint32_t channel, int16_t *column)
{
    const jrg_nn_positions down =
        jrg_nn_positions_of(ky, geometry->stride_y, geometry->pad_top, geometry->rows, geometry->height);
    const jrg_nn_positions across =
        jrg_nn_positions_of(kx, geometry->stride_x, geometry->pad_left, geometry->columns, geometry->width);
    const jrg_nn_positions none = {geometry->columns, geometry->columns};
    const uint32_t left = across.first * geometry->stride_x + kx - geometry->pad_left;
    for (uint32_t row = 0; row < geometry->rows; row++) {
        const bool inside = row >= down.first && row < down.end && across.first < across.end;
        const uint32_t y = row * geometry->stride_y + ky - geometry->pad_top;
        const int16_t *from = inside ? x + (y * geometry->width + left) * geometry->channels + channel : x;
        jrg_nn_column_row(from, geometry->stride_x * geometry->channels, inside ? across : none, geometry->columns,
                          column);
        column += geometry->columns;
    }
    if ((geometry->rows * geometry->columns & 1u) != 0u) {
        *column = 0;
    }
}

#endif
