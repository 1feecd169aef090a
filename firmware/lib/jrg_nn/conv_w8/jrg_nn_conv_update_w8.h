/* A8.4: gradient and update of a convolution with int8 weights: the gradients of a quad are summed and applied at once. */
#ifndef JRG_NN_CONV_UPDATE_W8_H
#define JRG_NN_CONV_UPDATE_W8_H

#include "conv/jrg_nn_conv_update.h" // jrg_nn_conv_step_bias
#include "conv_w8/jrg_nn_conv_w8.h"  // jrg_nn_conv_w8
#include "core/jrg_nn_dither.h"      // jrg_nn_dither
#if JRG_NN_DSP
#include "conv_w8/jrg_nn_conv_update_w8_dsp.h" // jrg_nn_quad_sums_dsp
#endif
#if JRG_NN_AVX2
#include "core/jrg_nn_w8_avx2.h" // jrg_nn_quad_sums_avx2
#endif

/* A8.4. shift: s of the channel. */
JRG_NN_INLINE jrg_nn_fine_rate jrg_nn_conv_rate_of_w8(int32_t mantissa, int32_t shift)
{
    return jrg_nn_fine_rate_of(mantissa, shift, 24, 30u);
}

/* A8.4: t, the step of a weight with 24 bits behind the point, at most 2^30 in magnitude. */
JRG_NN_INLINE int32_t jrg_nn_conv_fine_step_w8(int32_t gradient, jrg_nn_fine_rate rate)
{
    int32_t product = jrg_nn_conv_product(gradient, rate.mantissa);
    if (rate.right != 0u) {
        product = rate.right == 31u ? 0 : jrg_nn_rshift(product, rate.right);
    }
    return (int32_t)((uint32_t)jrg_nn_sats(product, rate.bits) << rate.left);
}

/* The inputs that the weights first..first+3 of a row meet at all positions, 0 where the window leaves the image, behind the
 * last position and behind the last weight. columns: [position pairs][4][2]. */
JRG_NN_INLINE void jrg_nn_quad_columns(const jrg_nn_conv_geometry *geometry, const int16_t *x, uint32_t first,
                                       int16_t *columns)
{
    const uint32_t line = geometry->kernel_width * geometry->channels;
#pragma GCC unroll 1
    for (uint32_t i = 0; i < 4u; i++) {
        const uint32_t k = first + i;
        const uint32_t ky = k / line;
        const uint32_t kx = k % line / geometry->channels;
        const uint32_t channel = k % geometry->channels;
        const bool exists = ky < geometry->kernel_height;
        uint32_t position = 0;
        for (uint32_t row = 0; row < geometry->rows; row++) {
            const int32_t y = (int32_t)(row * geometry->stride_y + ky) - (int32_t)geometry->pad_top;
            const bool inside = exists && y >= 0 && y < (int32_t)geometry->height;
            const int16_t *from = x + y * (int32_t)(geometry->width * geometry->channels) + (int32_t)channel;
            int32_t left = (int32_t)kx - (int32_t)geometry->pad_left;
            for (uint32_t column = 0; column < geometry->columns; column++) {
                const bool meets = inside && left >= 0 && left < (int32_t)geometry->width;
                columns[(position >> 1) * 8u + 2u * i + (position & 1u)] =
                    meets ? from[left * (int32_t)geometry->channels] : (int16_t)0;
                left += (int32_t)geometry->stride_x;
                position++;
            }
        }
        if ((position & 1u) != 0u) {
            columns[(position >> 1) * 8u + 2u * i + 1u] = 0;
        }
    }
}

/* A7.4 of four weights: columns: of jrg_nn_quad_columns; errors: [2 pairs], one channel's. */
JRG_NN_INLINE void jrg_nn_quad_sums(const int16_t *columns, const int16_t *errors, uint32_t pairs, int32_t sums[4])
{
#if JRG_NN_DSP
    jrg_nn_quad_sums_dsp(columns, errors, pairs, sums);
#elif JRG_NN_AVX2
    jrg_nn_quad_sums_avx2(columns, errors, pairs, sums);
#else
    for (uint32_t i = 0; i < 4u; i++) {
        int32_t sum = 0;
        for (uint32_t pair = 0; pair < pairs; pair++) {
            sum += (int32_t)columns[8u * pair + 2u * i] * errors[2u * pair];
            sum += (int32_t)columns[8u * pair + 2u * i + 1u] * errors[2u * pair + 1u];
        }
        sums[i] = sum;
    }
#endif
}

/* Steps the quad of weights number first..first+3 of one channel. */
JRG_NN_INLINE void jrg_nn_conv_step_quad_w8(int8_t *quad, const int32_t sums[4], uint32_t first, uint32_t dither,
                                            jrg_nn_fine_rate rate)
{
    for (uint32_t i = 0; i < 4u; i++) {
        const int32_t step = jrg_nn_conv_fine_step_w8(sums[i], rate);
        int8_t *weight = &quad[jrg_nn_place_w8(i)];
        const int32_t whole = (step + jrg_nn_dither(dither, first + i)) >> JRG_NN_DITHER_BITS;
        *weight = (int8_t)jrg_nn_sats(*weight - whole, 7u);
    }
}

/* A8.4 of all biases, or A11.4 if the layer's biases are sums. common: le' + Ee - 16. */
JRG_NN_INLINE void jrg_nn_conv_step_biases_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, int32_t mantissa,
                                              int32_t common, int32_t input_exponent)
{
    const uint32_t positions = conv->geometry.rows * conv->geometry.columns;
    for (uint32_t channel = 0; channel < conv->outputs; channel++) {
        const int32_t shift = jrg_nn_clamp(common - conv->channels[channel] - input_exponent, -31, 31);
        const jrg_nn_conv_bias_rate rate = {mantissa, shift};
        const int32_t sum = jrg_nn_conv_error_sum(scaled + channel * (positions + (positions & 1u)), positions);
        jrg_nn_conv_step_bias(&conv->biases[channel], sum, rate);
    }
}

/* As jrg_nn_conv_update, for int8 weights. layer_key: jrg_nn_dither_layer of this layer. columns: scratch, 4-aligned,
 * [4 * positions padded to even]. */
JRG_NN_INLINE void jrg_nn_conv_update_w8(const jrg_nn_conv_w8 *conv, const int16_t *scaled, int32_t error_exponent,
                                         const int16_t *x, int32_t input_exponent, jrg_nn_step_rate rate,
                                         uint32_t layer_key, int16_t *columns)
{
    const jrg_nn_conv_geometry *geometry = &conv->geometry;
    const uint32_t positions = geometry->rows * geometry->columns;
    const uint32_t pairs = (positions + 1u) / 2u;
    const uint32_t stride = jrg_nn_stride_w8(jrg_nn_conv_inputs_w8(conv));
    const int32_t common = rate.exponent + error_exponent - 16;
#pragma GCC unroll 1
    for (uint32_t first = 0; first < stride; first += 4u) {
        jrg_nn_quad_columns(geometry, x, first, columns);
#pragma GCC unroll 1
        for (uint32_t channel = 0; channel < conv->outputs; channel++) {
            int32_t sums[4];
            jrg_nn_quad_sums(columns, scaled + channel * 2u * pairs, pairs, sums);
            if ((sums[0] | sums[1] | sums[2] | sums[3]) != 0) {
                const jrg_nn_fine_rate channel_rate =
                    jrg_nn_conv_rate_of_w8(rate.mantissa, common + input_exponent - conv->channels[channel]);
                jrg_nn_conv_step_quad_w8(conv->weights + channel * stride + first, sums, first,
                                         jrg_nn_dither_row(layer_key, channel), channel_rate);
            }
        }
    }
    jrg_nn_conv_step_biases_w8(conv, scaled, rate.mantissa, common, input_exponent);
}

#endif
