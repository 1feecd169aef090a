/* A8 on a processor with AVX2: what a host computes with int8 weights, to the same bits. No board has this. */
#ifndef JRG_NN_W8_AVX2_H
#define JRG_NN_W8_AVX2_H

#include <immintrin.h>

#include "weighted/jrg_nn_layer_w8.h" // jrg_nn_active_row_w8

#define JRG_NN_AVX2_WEIGHTS 16u /* that one load brings */

/* Four quads of weights, widened, in the order of their columns (A8.6). */
JRG_NN_INLINE __m256i jrg_nn_weights_avx2(const int8_t *stored)
{
    const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)stored), order));
}

JRG_NN_INLINE int32_t jrg_nn_total_avx2(__m256i sums)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

/* Two numbers side by side, as the products of pairs take them. */
JRG_NN_INLINE int32_t jrg_nn_both_avx2(int16_t first, int16_t second)
{
    return (int32_t)((uint16_t)first | (uint32_t)(uint16_t)second << 16);
}

/* Of jrg_nn_dot_w8 the first `count` products, a multiple of 16. */
JRG_NN_INLINE int32_t jrg_nn_dot_w8_avx2(const int8_t *w, const int16_t *x, uint32_t count)
{
    __m256i sums = _mm256_setzero_si256();
    for (uint32_t i = 0; i < count; i += JRG_NN_AVX2_WEIGHTS) {
        const __m256i inputs = _mm256_loadu_si256((const __m256i *)(const void *)(x + i));
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(jrg_nn_weights_avx2(w + i), inputs));
    }
    return jrg_nn_total_avx2(sums);
}

/* As jrg_nn_quad_sums: a pair of positions of four weights is half a vector. */
JRG_NN_INLINE void jrg_nn_quad_sums_avx2(const int16_t *columns, const int16_t *errors, uint32_t pairs, int32_t sums[4])
{
    const __m256i halves = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    __m256i two = _mm256_setzero_si256();
    uint32_t pair = 0;
    for (; pair + 2u <= pairs; pair += 2u) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(columns + 8u * pair));
        const __m128i e = _mm_loadl_epi64((const __m128i *)(const void *)(errors + 2u * pair));
        const __m256i spread = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(e), halves);
        two = _mm256_add_epi32(two, _mm256_madd_epi16(x, spread));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
    if (pair < pairs) {
        const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(columns + 8u * pair));
        const __m128i e = _mm_set1_epi32(jrg_nn_both_avx2(errors[2u * pair], errors[2u * pair + 1u]));
        four = _mm_add_epi32(four, _mm_madd_epi16(x, e));
    }
    _mm_storeu_si128((__m128i *)(void *)sums, four);
}

/* As jrg_nn_conv_add_tap_w8 for 16 inputs: two rows at a time, as the list has an even number. */
JRG_NN_INLINE void jrg_nn_conv_add_16_w8_avx2(const jrg_nn_active_row_w8 *rows, uint32_t offset, int32_t *below)
{
    __m256i low = _mm256_setzero_si256();
    __m256i high = low;
    for (; rows->weights != NULL; rows += 2) {
        const __m256i a = jrg_nn_weights_avx2(rows[0].weights + offset);
        const __m256i b = jrg_nn_weights_avx2(rows[1].weights + offset);
        const __m256i errors = _mm256_set1_epi32(jrg_nn_both_avx2(rows[0].error, rows[1].error));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), errors));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), errors));
    }
    __m256i *to = (__m256i *)(void *)below;
    const __m256i first = _mm256_permute2x128_si256(low, high, 0x20);
    const __m256i second = _mm256_permute2x128_si256(low, high, 0x31);
    _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), first));
    _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), second));
}

#endif
