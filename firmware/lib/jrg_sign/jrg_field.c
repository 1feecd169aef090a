#include "jrg_field.h"

#include <string.h>

/* 2^256 is 38 modulo p. */
enum { FOLD = 38 };

static const jrg_field prime = {
    {0xFFFFFFED, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0x7FFFFFFF}};

/* Adds a small number; returns what is carried out of 2^256. */
static uint32_t add_small(jrg_field *a, uint32_t small)
{
    uint64_t sum = small;
    for (unsigned n = 0; n < JRG_FIELD_WORDS; n++) {
        sum += a->words[n];
        a->words[n] = (uint32_t)sum;
        sum >>= 32;
    }
    return (uint32_t)sum;
}

/* carry: multiples of 2^256, at most 76. A second one leaves a number below 2^13, so there is no third. */
static void fold(jrg_field *a, uint32_t carry)
{
    while (carry != 0)
        carry = add_small(a, carry * FOLD);
}

void jrg_field_add(jrg_field *out, const jrg_field *a, const jrg_field *b)
{
    uint64_t sum = 0;
    for (unsigned n = 0; n < JRG_FIELD_WORDS; n++) {
        sum += (uint64_t)a->words[n] + b->words[n];
        out->words[n] = (uint32_t)sum;
        sum >>= 32;
    }
    fold(out, (uint32_t)sum);
}

/* Returns 1 if a was less than b, and out is the difference and 2^256. */
static uint32_t subtract_words(jrg_field *out, const jrg_field *a, const jrg_field *b)
{
    uint32_t borrow = 0;
    for (unsigned n = 0; n < JRG_FIELD_WORDS; n++) {
        const uint64_t difference = (uint64_t)a->words[n] - b->words[n] - borrow;
        out->words[n] = (uint32_t)difference;
        borrow = (uint32_t)(difference >> 63);
    }
    return borrow;
}

void jrg_field_subtract(jrg_field *out, const jrg_field *a, const jrg_field *b)
{
    static const jrg_field fold_of_one = {{FOLD}};
    uint32_t borrow = subtract_words(out, a, b);
    while (borrow != 0)
        borrow = subtract_words(out, out, &fold_of_one);
}

/* A core without a long multiplication has it from the C library, for 64 bits by 64, in more than twice the time. */
static inline uint64_t product(uint32_t a, uint32_t b)
{
#if defined(__ARM_ARCH_6M__)
    const uint32_t a0 = a & 0xFFFFu, a1 = a >> 16, b0 = b & 0xFFFFu, b1 = b >> 16;
    const uint32_t low = a0 * b0, cross = a0 * b1 + (low >> 16), other = a1 * b0 + (cross & 0xFFFFu);
    return (uint64_t)(a1 * b1 + (cross >> 16) + (other >> 16)) << 32 | (other << 16 | (low & 0xFFFFu));
#else
    return (uint64_t)a * b;
#endif
}

/* wide[0] += a b and what was carried; returns what is carried to the next word. */
static inline uint32_t multiply_add(uint32_t *wide, uint32_t a, uint32_t b, uint32_t carry)
{
    const uint64_t sum = product(a, b) + *wide + carry;
    *wide = (uint32_t)sum;
    return (uint32_t)(sum >> 32);
}

/* wide[0..8] += a times b; without a loop, whose counting would take as long as the multiplications. */
static inline void add_row(uint32_t *wide, uint32_t a, const uint32_t *b)
{
    uint32_t carry = multiply_add(&wide[0], a, b[0], 0);
    carry = multiply_add(&wide[1], a, b[1], carry);
    carry = multiply_add(&wide[2], a, b[2], carry);
    carry = multiply_add(&wide[3], a, b[3], carry);
    carry = multiply_add(&wide[4], a, b[4], carry);
    carry = multiply_add(&wide[5], a, b[5], carry);
    carry = multiply_add(&wide[6], a, b[6], carry);
    wide[8] = multiply_add(&wide[7], a, b[7], carry);
}

void jrg_field_multiply(jrg_field *out, const jrg_field *a, const jrg_field *b)
{
    uint32_t wide[2 * JRG_FIELD_WORDS] = {0};
    for (unsigned i = 0; i < JRG_FIELD_WORDS; i++)
        add_row(&wide[i], a->words[i], b->words);
    uint64_t sum = 0;
    for (unsigned n = 0; n < JRG_FIELD_WORDS; n++) {
        sum += product(wide[n + JRG_FIELD_WORDS], FOLD) + wide[n];
        out->words[n] = (uint32_t)sum;
        sum >>= 32;
    }
    fold(out, (uint32_t)sum);
}

/* a squared so many times, times b. */
static void square_times(jrg_field *out, const jrg_field *a, unsigned count, const jrg_field *b)
{
    jrg_field x = *a;
    while (count-- > 0)
        jrg_field_multiply(&x, &x, &x);
    jrg_field_multiply(out, &x, b);
}

/* a to the power 2^250 - 1; `eleven`: to the power 11. */
static void long_power(jrg_field *out, jrg_field *eleven, const jrg_field *a)
{
    jrg_field two, x, x10, x50;
    jrg_field_multiply(&two, a, a);
    square_times(&x, &two, 2, a); /* 9 */
    jrg_field_multiply(eleven, &x, &two);
    square_times(&x, eleven, 1, &x);  /* 2^5 - 1 */
    square_times(&x10, &x, 5, &x);    /* 2^10 - 1 */
    square_times(&x, &x10, 10, &x10); /* 2^20 - 1 */
    square_times(&x, &x, 20, &x);     /* 2^40 - 1 */
    square_times(&x50, &x, 10, &x10); /* 2^50 - 1 */
    square_times(&x, &x50, 50, &x50); /* 2^100 - 1 */
    square_times(&x, &x, 100, &x);    /* 2^200 - 1 */
    square_times(out, &x, 50, &x50);
}

/* To the power p - 2 = 2^255 - 21. */
void jrg_field_invert(jrg_field *out, const jrg_field *a)
{
    jrg_field power, eleven;
    long_power(&power, &eleven, a);
    square_times(out, &power, 5, &eleven);
}

/* (p - 5) / 8 = 2^252 - 3. */
void jrg_field_root_power(jrg_field *out, const jrg_field *a)
{
    jrg_field power, eleven;
    long_power(&power, &eleven, a);
    square_times(out, &power, 2, a);
}

/* 2^256 - 1 is 2 p + 37, so p is taken away at most twice. */
void jrg_field_reduce(jrg_field *a)
{
    jrg_field less;
    while (subtract_words(&less, a, &prime) == 0)
        *a = less;
}

bool jrg_field_equal(const jrg_field *a, const jrg_field *b)
{
    jrg_field difference;
    static const jrg_field zero;
    jrg_field_subtract(&difference, a, b);
    jrg_field_reduce(&difference);
    return memcmp(&difference, &zero, sizeof zero) == 0;
}

bool jrg_field_read(jrg_field *out, const uint8_t bytes[JRG_FIELD_BYTES])
{
    jrg_field less;
    for (unsigned n = 0; n < JRG_FIELD_WORDS; n++) {
        const uint8_t *word = &bytes[4 * n];
        out->words[n] = (uint32_t)word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24;
    }
    out->words[JRG_FIELD_WORDS - 1] &= 0x7FFFFFFF;
    return subtract_words(&less, out, &prime) != 0;
}
