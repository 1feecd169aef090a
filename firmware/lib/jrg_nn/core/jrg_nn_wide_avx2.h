/* Sums of 64 bits on a processor with AVX2, to the same bits. No board has this. */
#ifndef JRG_NN_WIDE_AVX2_H
#define JRG_NN_WIDE_AVX2_H

#include <immintrin.h>

#include "core/jrg_nn_arith.h" // JRG_NN_INLINE

#define JRG_NN_AVX2_WIDE_STEP 32u /* products that become 8 sums of 4 before these are widened */
#define JRG_NN_AVX2_WIDE_PART 8u  /* of jrg_nn_wide_part at least: then 32 bits hold those */

/* The first `count` products, a multiple of JRG_NN_AVX2_WIDE_STEP. */
JRG_NN_INLINE int64_t jrg_nn_dot_wide_avx2(const int16_t *w, const int16_t *x, uint32_t count)
{
    __m256i sums = _mm256_setzero_si256();
    for (uint32_t i = 0; i < count; i += JRG_NN_AVX2_WIDE_STEP) {
        const __m256i *weights = (const __m256i *)(const void *)(w + i);
        const __m256i *inputs = (const __m256i *)(const void *)(x + i);
        const __m256i first = _mm256_madd_epi16(_mm256_loadu_si256(weights), _mm256_loadu_si256(inputs));
        const __m256i second = _mm256_madd_epi16(_mm256_loadu_si256(weights + 1), _mm256_loadu_si256(inputs + 1));
        const __m256i part = _mm256_add_epi32(first, second);
        sums = _mm256_add_epi64(sums, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(part)));
        sums = _mm256_add_epi64(sums, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(part, 1)));
    }
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return (int64_t)_mm_cvtsi128_si64(two) + (int64_t)_mm_extract_epi64(two, 1);
}

#endif
