/* A9.5 forward on the DSP extension: two channels at a time, 3 instructions for a pixel of a max pool and for one of an
 * average pool. */
#ifndef JRG_NN_POOL_DSP_H
#define JRG_NN_POOL_DSP_H

#include "core/jrg_nn_dsp.h" // jrg_nn_max16

/* The largest of two channels in rows x columns pixels. x: the first pixel, any alignment; line, step: numbers from a row and
 * from a pixel to the next. */
JRG_NN_INLINE uint32_t jrg_nn_largest_pair(const int16_t *x, uint32_t rows, uint32_t columns, uint32_t line,
                                           uint32_t step)
{
    uint32_t largest = jrg_nn_load_pair(x);
    for (uint32_t row = 0; row < rows; row++) {
        const int16_t *pixel = x + row * line;
        for (uint32_t column = 0; column < columns; column++) {
            largest = jrg_nn_max16(jrg_nn_load_pair(pixel), largest);
            pixel += step;
        }
    }
    return largest;
}

/* Their means: the sums times share / 2^15 (A9.5), clamped to width magnitude bits. As jrg_nn_largest_pair. */
JRG_NN_INLINE uint32_t jrg_nn_mean_pair(const int16_t *x, uint32_t rows, uint32_t columns, uint32_t line, uint32_t step,
                                        int32_t share, uint32_t width)
{
    int32_t low = 0;
    int32_t high = 0;
    for (uint32_t row = 0; row < rows; row++) {
        const int16_t *pixel = x + row * line;
        for (uint32_t column = 0; column < columns; column++) {
            const uint32_t two = jrg_nn_load_pair(pixel);
            low = jrg_nn_add_low(low, two);
            high = jrg_nn_add_high(high, two);
            pixel += step;
        }
    }
    const int32_t mean_low = (int32_t)jrg_nn_rshift_wide((int64_t)low * share, 15u);
    const int32_t mean_high = (int32_t)jrg_nn_rshift_wide((int64_t)high * share, 15u);
    return jrg_nn_pack_pair(jrg_nn_ssat(mean_low, width), jrg_nn_ssat(mean_high, width));
}

#endif
