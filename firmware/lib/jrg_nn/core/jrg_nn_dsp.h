/* Instructions of the Cortex-M4's DSP extension that GCC does not make from C. */
#ifndef JRG_NN_DSP_H
#define JRG_NN_DSP_H

#include <stdint.h>

#include "core/jrg_nn_arith.h" // JRG_NN_INLINE

/* SMMULR: (a * b + 2^31) >> 32. With b = 2^(32 - s) this is the rounded shift of A1.1, for s in 2..31. */
JRG_NN_INLINE int32_t jrg_nn_smmulr(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* SMLAL: the top half of {high, low} + a * b. (As one number of 64 bits GCC would put its halves together in memory.) */
JRG_NN_INLINE int32_t jrg_nn_smlal_top(int32_t high, uint32_t low, int32_t a, int32_t b)
{
    __asm__("smlal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(a), "r"(b));
    return high;
}

/* SSAT: clamp to [-2^bits, 2^bits - 1] (A1.2). bits: a constant, 0..31; -Og does not find out that it is one. */
JRG_NN_INLINE int32_t jrg_nn_ssat(int32_t v, uint32_t bits)
{
    if (!__builtin_constant_p(bits)) {
        return jrg_nn_sats(v, bits);
    }
    int32_t result;
    __asm__("ssat %0, %1, %2" : "=r"(result) : "I"(bits + 1u), "r"(v));
    return result;
}

/* USAT: clamp to [0, 2^bits - 1] (A1.2). bits: as of SSAT. */
JRG_NN_INLINE int32_t jrg_nn_usat(int32_t v, uint32_t bits)
{
    if (!__builtin_constant_p(bits)) {
        return jrg_nn_clamp(v, 0, (int32_t)(1u << bits) - 1);
    }
    int32_t result;
    __asm__("usat %0, %1, %2" : "=r"(result) : "I"(bits), "r"(v));
    return result;
}

/* PKHBT: low half of `low`, high half of `high`. */
JRG_NN_INLINE uint32_t jrg_nn_pack(int32_t low, int32_t high_half)
{
    uint32_t result;
    __asm__("pkhbt %0, %1, %2" : "=r"(result) : "r"(low), "r"(high_half));
    return result;
}

/* PKHBT with a shift: two 16-bit numbers in one word. */
JRG_NN_INLINE uint32_t jrg_nn_pack_pair(int32_t low, int32_t high)
{
    uint32_t result;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(low), "r"(high));
    return result;
}

/* 2^(32 - shift): the factor that makes SMMULR a rounded shift. shift: 2..31. */
JRG_NN_INLINE int32_t jrg_nn_shift_factor(uint32_t shift)
{
    return (int32_t)(1u << (32u - shift));
}

/* Two activations in one word. The word may be read where int16 numbers were written. */
typedef uint32_t __attribute__((may_alias)) jrg_nn_pair;

/* LDR and STR of two numbers at any address: a single word need not be aligned on this core. */
JRG_NN_INLINE uint32_t jrg_nn_load_pair(const int16_t *from)
{
    uint32_t pair;
    __asm__("ldr %0, %1" : "=r"(pair) : "m"(*(const jrg_nn_pair *)(const void *)from));
    return pair;
}

JRG_NN_INLINE void jrg_nn_store_pair(int16_t *to, uint32_t pair)
{
    __asm__("str %1, %0" : "=m"(*(jrg_nn_pair *)(void *)to) : "r"(pair));
}

/* SMLABB, SMLATB: sum + low or high half of `pair` * low half of `factor`. SMLABT, SMLATT: * its high half. */
#define JRG_NN_HALVES_ADDED(instruction)                                                                               \
    JRG_NN_INLINE int32_t jrg_nn_##instruction(uint32_t pair, uint32_t factor, int32_t sum)                            \
    {                                                                                                                  \
        __asm__(#instruction " %0, %1, %2, %0" : "+r"(sum) : "r"(pair), "r"(factor));                                  \
        return sum;                                                                                                    \
    }
JRG_NN_HALVES_ADDED(smlabb)
JRG_NN_HALVES_ADDED(smlatb)
JRG_NN_HALVES_ADDED(smlabt)
JRG_NN_HALVES_ADDED(smlatt)

/* SXTB16: of a stored quad of int8 weights (A8.6) the first two as int16 numbers in one word, and the last two. */
JRG_NN_INLINE uint32_t jrg_nn_first_two_w8(uint32_t quad)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(quad));
    return result;
}

JRG_NN_INLINE uint32_t jrg_nn_last_two_w8(uint32_t quad)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(quad));
    return result;
}

/* SSUB16, SEL: of each half the larger one, and the smaller one. */
#define JRG_NN_SELECTED(name, operands)                                                                                \
    JRG_NN_INLINE uint32_t name(uint32_t a, uint32_t b)                                                                \
    {                                                                                                                  \
        uint32_t result;                                                                                               \
        __asm__("ssub16 %0, %1, %2\n\tsel %0, " operands : "=&r"(result) : "r"(a), "r"(b));                            \
        return result;                                                                                                 \
    }
JRG_NN_SELECTED(jrg_nn_max16, "%1, %2")
JRG_NN_SELECTED(jrg_nn_min16, "%2, %1")

/* SSUB16, SEL: of each half `low` where v is negative, else v. */
JRG_NN_INLINE uint32_t jrg_nn_where_negative16(uint32_t v, uint32_t low)
{
    uint32_t result;
    __asm__("ssub16 %0, %1, %2\n\tsel %0, %1, %3" : "=&r"(result) : "r"(v), "r"(0), "r"(low));
    return result;
}

/* SXTAH: sum + the low half of `pair`, and + its high half. */
JRG_NN_INLINE int32_t jrg_nn_add_low(int32_t sum, uint32_t pair)
{
    __asm__("sxtah %0, %0, %1" : "+r"(sum) : "r"(pair));
    return sum;
}

JRG_NN_INLINE int32_t jrg_nn_add_high(int32_t sum, uint32_t pair)
{
    __asm__("sxtah %0, %0, %1, ror #16" : "+r"(sum) : "r"(pair));
    return sum;
}

#endif
