/* A7.4, A7.5 on the DSP extension, for input channels in eights: 8 gradients of an output channel stay in registers while
 * its positions with an error pass: 8 products in 14 instructions, and nothing for a position or a channel without one. */
#ifndef JRG_NN_CONV_ACTIVE_DSP_H
#define JRG_NN_CONV_ACTIVE_DSP_H

#include "conv/jrg_nn_conv_rate.h"     // jrg_nn_conv_rate
#include "core/jrg_nn_dsp.h"           // jrg_nn_smmulr
#include "conv/jrg_nn_conv_geometry.h" // jrg_nn_positions_of

/* The positions along one axis fall into zones: number 0 are those at which every tap meets the image (there may be none),
 * and each other position is a zone of its own. So a tap meets the image in all of a zone or nowhere in it. */
typedef struct {
    uint32_t count;
    jrg_nn_positions inner;
} jrg_nn_zones;

#define JRG_NN_MOST_ZONES 3u /* of an axis; a window with more has other kernels */

JRG_NN_INLINE jrg_nn_zones jrg_nn_zones_of(uint32_t kernel, uint32_t stride, uint32_t pad, uint32_t positions,
                                           uint32_t size)
{
    const uint32_t first = jrg_nn_positions_of(0, stride, pad, positions, size).first;
    const uint32_t end = jrg_nn_positions_of(kernel - 1u, stride, pad, positions, size).end;
    const uint32_t inside = end > first ? end - first : 0u;
    return (jrg_nn_zones){1u + positions - inside, {inside == 0u ? 0u : first, inside == 0u ? 0u : end}};
}

/* The zones of the columns, and those of the rows. */
JRG_NN_INLINE jrg_nn_zones jrg_nn_column_zones(const jrg_nn_conv_geometry *geometry)
{
    return jrg_nn_zones_of(geometry->kernel_width, geometry->stride_x, geometry->pad_left, geometry->columns,
                           geometry->width);
}

JRG_NN_INLINE jrg_nn_zones jrg_nn_row_zones(const jrg_nn_conv_geometry *geometry)
{
    return jrg_nn_zones_of(geometry->kernel_height, geometry->stride_y, geometry->pad_top, geometry->rows,
                           geometry->height);
}

/* The positions of zone number n. */
JRG_NN_INLINE jrg_nn_positions jrg_nn_zone(const jrg_nn_zones *zones, uint32_t n)
{
    if (n == 0u) {
        return zones->inner;
    }
    const uint32_t position = n - 1u < zones->inner.first ? n - 1u : n - 1u - zones->inner.first + zones->inner.end;
    return (jrg_nn_positions){position, position + 1u};
}

/* True if a tap that meets the image at the positions `meets` does so in zone number n. */
JRG_NN_INLINE bool jrg_nn_meets_zone(const jrg_nn_zones *zones, uint32_t n, jrg_nn_positions meets)
{
    const jrg_nn_positions zone = jrg_nn_zone(zones, n);
    return zone.first < zone.end && zone.first >= meets.first && zone.first < meets.end;
}

/* Bytes of x from the patch under position (0, 0) to that under (row, column). */
JRG_NN_INLINE uint32_t jrg_nn_patch_offset(const jrg_nn_conv_geometry *geometry, uint32_t row, uint32_t column)
{
    const uint32_t pixel = row * geometry->stride_y * geometry->width + column * geometry->stride_x;
    return 2u * pixel * geometry->channels;
}

/* True if a window is this kernel's: an entry of its list has 16 bits for the offset of a patch. */
JRG_NN_INLINE bool jrg_nn_is_conv_active(const jrg_nn_conv_geometry *geometry)
{
    return geometry->channels % 8u == 0u && jrg_nn_row_zones(geometry).count <= JRG_NN_MOST_ZONES &&
           jrg_nn_column_zones(geometry).count <= JRG_NN_MOST_ZONES &&
           jrg_nn_patch_offset(geometry, geometry->rows - 1u, geometry->columns - 1u) <= 65535u &&
           geometry->rows * geometry->columns <= 65535u;
}

/* True if so many of count errors are 0 that this kernel is the faster one. count is even; errors: 4-aligned. */
JRG_NN_INLINE bool jrg_nn_few_are_active(const int16_t *errors, uint32_t count)
{
    const jrg_nn_pair *pair = (const jrg_nn_pair *)(const void *)errors;
    const jrg_nn_pair *end = pair + count / 2u;
    uint32_t active = 0;
#pragma GCC unroll 8
    while (pair != end) {
        active += *pair++ != 0u ? 1u : 0u;
    }
    return active <= count / 8u * 3u;
}

/* The positions of one output channel with an error, as words e | offset of the patch, zone by zone. */
typedef struct {
    uint32_t *entries;
    uint16_t start[JRG_NN_MOST_ZONES * JRG_NN_MOST_ZONES + 1u]; /* of each zone's entries, and the end of all */
    int32_t sum;                                                /* of the errors */
} jrg_nn_live_list;

/* Lists the positions of one zone; returns the end of the list. errors: of the output channel. */
JRG_NN_INLINE uint32_t *jrg_nn_live_zone(const jrg_nn_conv_geometry *geometry, const int16_t *errors,
                                         jrg_nn_positions rows, jrg_nn_positions columns, uint32_t *entry, int32_t *sum)
{
#pragma GCC unroll 1
    for (uint32_t row = rows.first; row < rows.end; row++) {
        const int16_t *at = errors + row * geometry->columns + columns.first;
        uint32_t offset = jrg_nn_patch_offset(geometry, row, columns.first);
        const uint32_t end = jrg_nn_patch_offset(geometry, row, columns.end);
#pragma GCC unroll 1
        while (offset != end) {
            const int32_t error = *at++;
            if (error != 0) {
                *entry++ = jrg_nn_pack_pair((int32_t)offset, error);
                *sum += error;
            }
            offset += jrg_nn_patch_offset(geometry, 0, 1u);
        }
    }
    return entry;
}

/* entries: [positions + 1]. */
JRG_NN_INLINE void jrg_nn_live_list_of(const jrg_nn_conv_geometry *geometry, const int16_t *errors, uint32_t *entries,
                                       jrg_nn_live_list *list)
{
    const jrg_nn_zones rows = jrg_nn_row_zones(geometry);
    const jrg_nn_zones columns = jrg_nn_column_zones(geometry);
    uint32_t *entry = entries;
    list->entries = entries;
    list->sum = 0;
#pragma GCC unroll 1
    for (uint32_t i = 0; i < rows.count; i++) {
#pragma GCC unroll 1
        for (uint32_t j = 0; j < columns.count; j++) {
            list->start[i * columns.count + j] = (uint16_t)(entry - entries);
            entry =
                jrg_nn_live_zone(geometry, errors, jrg_nn_zone(&rows, i), jrg_nn_zone(&columns, j), entry, &list->sum);
        }
    }
    list->start[rows.count * columns.count] = (uint16_t)(entry - entries);
}

/* One entry: 8 inputs at r1 times e. */
#define JRG_NN_CONV_ACTIVE8                                                                                            \
    "uxtah r1, %[x], r2\n\t"                                                                                           \
    "ldrd r3, r12, [r1]\n\t"                                                                                           \
    "smlabt r4, r3, r2, r4\n\t"                                                                                        \
    "smlatt r5, r3, r2, r5\n\t"                                                                                        \
    "smlabt r6, r12, r2, r6\n\t"                                                                                       \
    "smlatt r8, r12, r2, r8\n\t"                                                                                       \
    "ldrd r3, r12, [r1, #8]\n\t"                                                                                       \
    "smlabt r9, r3, r2, r9\n\t"                                                                                        \
    "smlatt r10, r3, r2, r10\n\t"                                                                                      \
    "smlabt r11, r12, r2, r11\n\t"                                                                                     \
    "smlatt lr, r12, r2, lr\n\t"

/* Adds e * x of the entries up to one that is 0. x: the first of 8 inputs in the patch under position (0, 0), 4-aligned. */
JRG_NN_INLINE void jrg_nn_live_add8(const uint32_t *entries, uintptr_t x, int32_t sums[8])
{
    register int32_t *to __asm__("r2") = sums; /* on the stack while r2 holds an entry: no register is left */
    __asm__ volatile("ldmia r2, {r4, r5, r6, r8, r9, r10, r11, lr}\n\t"
                     "push {r2}\n"
                     "1:\n\t"
                     "ldr r2, [%[entries]], #4\n\t"
                     "cbz r2, 2f\n\t" JRG_NN_CONV_ACTIVE8 "ldr r2, [%[entries]], #4\n\t"
                     "cbz r2, 2f\n\t" JRG_NN_CONV_ACTIVE8 "b 1b\n"
                     "2:\n\t"
                     "pop {r2}\n\t"
                     "stmia r2, {r4, r5, r6, r8, r9, r10, r11, lr}"
                     : [entries] "+r"(entries), [to] "+r"(to)
                     : [x] "r"(x)
                     : "r1", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "memory");
}

/* As jrg_nn_live_add8 for the entries number first to end, which are not ended by 0. */
JRG_NN_INLINE void jrg_nn_live_add_run(const jrg_nn_live_list *list, uint32_t first, uint32_t end, uintptr_t x,
                                       int32_t sums[8])
{
    if (first != end) {
        const uint32_t kept = list->entries[end];
        list->entries[end] = 0;
        jrg_nn_live_add8(list->entries + first, x, sums);
        list->entries[end] = kept;
    }
}

/* A7.4 of 8 weights at one tap: all entries in whose zones the tap meets the image, neighbours in one run. */
JRG_NN_INLINE void jrg_nn_live_gradients(const jrg_nn_conv_geometry *geometry, const jrg_nn_live_list *list,
                                         jrg_nn_positions down, jrg_nn_positions across, uintptr_t x, int32_t sums[8])
{
    const jrg_nn_zones rows = jrg_nn_row_zones(geometry);
    const jrg_nn_zones columns = jrg_nn_column_zones(geometry);
    uint32_t begun = 0;
    for (uint32_t i = 0; i < 8u; i++) {
        sums[i] = 0;
    }
#pragma GCC unroll 1
    for (uint32_t i = 0; i < rows.count; i++) {
#pragma GCC unroll 1
        for (uint32_t j = 0; j < columns.count; j++) {
            const uint32_t zone = i * columns.count + j;
            if (!jrg_nn_meets_zone(&rows, i, down) || !jrg_nn_meets_zone(&columns, j, across)) {
                jrg_nn_live_add_run(list, list->start[begun], list->start[zone], x, sums);
                begun = zone + 1u;
            }
        }
    }
    jrg_nn_live_add_run(list, list->start[begun], list->start[rows.count * columns.count], x, sums);
}

/* A7.5 of two weights. */
JRG_NN_INLINE uint32_t jrg_nn_stepped_pair(uint32_t weights, int32_t gradient0, int32_t gradient1,
                                           jrg_nn_conv_rate rate)
{
    const int32_t low = jrg_nn_conv_stepped_weight((int16_t)weights, gradient0, rate.factor, rate.dither);
    const uint32_t rho1 = jrg_nn_weight_dither(rate.dither, 1u);
    const int32_t high = jrg_nn_conv_stepped_weight((int32_t)weights >> 16, gradient1, rate.factor, rho1);
    return jrg_nn_pack_pair(low, high);
}

/* All weights of one output channel. weights: 4-aligned. rate.dither: rho of its first pair. */
JRG_NN_INLINE void jrg_nn_live_update_channel(const jrg_nn_conv_geometry *geometry, const jrg_nn_live_list *list,
                                              const int16_t *x, int16_t *weights, jrg_nn_conv_rate rate)
{
    jrg_nn_pair *pair = (jrg_nn_pair *)(void *)weights;
    const uintptr_t origin =
        (uintptr_t)x - 2u * (geometry->pad_top * geometry->width + geometry->pad_left) * geometry->channels;
#pragma GCC unroll 1
    for (uint32_t ky = 0; ky < geometry->kernel_height; ky++) {
        const jrg_nn_positions down =
            jrg_nn_positions_of(ky, geometry->stride_y, geometry->pad_top, geometry->rows, geometry->height);
#pragma GCC unroll 1
        for (uint32_t kx = 0; kx < geometry->kernel_width; kx++) {
            const jrg_nn_positions across =
                jrg_nn_positions_of(kx, geometry->stride_x, geometry->pad_left, geometry->columns, geometry->width);
            const uintptr_t tap = origin + 2u * (ky * geometry->width + kx) * geometry->channels;
#pragma GCC unroll 1
            for (uint32_t first = 0; first < geometry->channels; first += 8u) {
                int32_t sums[8];
                jrg_nn_live_gradients(geometry, list, down, across, tap + 2u * first, sums);
#pragma GCC unroll 4
                for (uint32_t i = 0; i < 8u; i += 2u) {
                    *pair = jrg_nn_stepped_pair(*pair, sums[i], sums[i + 1u], rate);
                    rate.dither = jrg_nn_plane_dither(rate.dither, 1u, 0);
                    pair++;
                }
            }
        }
    }
}

/* As jrg_nn_conv_update. entries: scratch, [positions + 1]. */
JRG_NN_INLINE void jrg_nn_conv_active_update_dsp(const jrg_nn_conv *conv, const int16_t *scaled, const int16_t *x,
                                                 jrg_nn_conv_rate rate, jrg_nn_conv_bias_rate bias_rate,
                                                 uint32_t *entries)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t stride = geometry->kernel_height * geometry->kernel_width * geometry->channels;
#pragma GCC unroll 1
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        jrg_nn_live_list list;
        jrg_nn_live_list_of(geometry, scaled, entries, &list);
        if (list.start[jrg_nn_row_zones(geometry).count * jrg_nn_column_zones(geometry).count] != 0u) {
            jrg_nn_live_update_channel(geometry, &list, x, conv->weights + channel * stride, rate);
            jrg_nn_conv_step_bias(&conv->biases[channel], list.sum, bias_rate);
        }
        rate.dither = jrg_nn_plane_dither(rate.dither, 0, 1u);
        scaled += jrg_nn_conv_error_stride(conv);
    }
}

#endif
