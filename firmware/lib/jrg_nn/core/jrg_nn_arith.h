/* A1: the one rounding rule and the two saturations. Everything is an integer; there is no float in this library. */
#ifndef JRG_NN_ARITH_H
#define JRG_NN_ARITH_H

#include <stdbool.h>
#include <stdint.h>

/* The DSP path is written for GCC that optimises: instructions such as SSAT take constants that -O0 does not fold, and
 * Clang does not find the registers its assembler needs. Elsewhere the portable path computes the same bits. */
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && !defined(JRG_NN_PORTABLE) && defined(__OPTIMIZE__) &&         \
    defined(__GNUC__) && !defined(__clang__)
#define JRG_NN_DSP 1
#else
#define JRG_NN_DSP 0
#endif

/* A host's own instructions, where its compiler may use them (-march=native). */
#if defined(__AVX2__) && !defined(JRG_NN_PORTABLE)
#define JRG_NN_AVX2 1
#else
#define JRG_NN_AVX2 0
#endif

/* Kernels are specialised by inlining them with constant dimensions. */
#define JRG_NN_INLINE static inline __attribute__((always_inline))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blobs are little endian and used in place (A6)");
_Static_assert((-1 >> 1) == -1, "A1 takes >> of a negative number as an arithmetic shift");

/* A1.1: v / 2^shift, round half up. shift: 1..31. */
JRG_NN_INLINE int32_t jrg_nn_rshift(int32_t v, uint32_t shift)
{
    return (v >> shift) + ((v >> (shift - 1u)) & 1);
}

/* A1.1 for the accumulator of more than 256 products. shift: 1..63. */
JRG_NN_INLINE int64_t jrg_nn_rshift_wide(int64_t v, uint32_t shift)
{
    return (v >> shift) + ((v >> (shift - 1u)) & 1);
}

/* Clamp to [least, most]. */
JRG_NN_INLINE int32_t jrg_nn_clamp(int32_t v, int32_t least, int32_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* A1.2: clamp to [-2^bits, 2^bits - 1]. bits: 0..30. */
JRG_NN_INLINE int32_t jrg_nn_sats(int32_t v, uint32_t bits)
{
    const int32_t limit = (int32_t)(1u << bits);
    return jrg_nn_clamp(v, -limit, limit - 1);
}

/* Leading zeros of v; v is not 0. */
JRG_NN_INLINE uint32_t jrg_nn_leading_zeros(uint32_t v)
{
    return (uint32_t)__builtin_clz(v);
}

/* What the OR of A5.1 collects of one number: its magnitude bits. */
JRG_NN_INLINE uint32_t jrg_nn_magnitude(int32_t v)
{
    return (uint32_t)(v ^ (v >> 31));
}

#endif
