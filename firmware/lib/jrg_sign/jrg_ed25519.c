#include "jrg_ed25519.h"

#include <string.h>

#include "jrg_field.h"
#include "jrg_sha512.h"

enum { SCALAR_WORDS = 8, SCALAR_BYTES = 32, SCALAR_BITS = 253, DIGEST_BITS = 8 * JRG_SHA512_BYTES };

/* A point in extended coordinates (RFC 8032, 5.1.4): x = X/Z, y = Y/Z, x y = T/Z. */
typedef struct {
    jrg_field x, y, z, t;
} point;

/* A number modulo the order of the base point, the lowest word first. */
typedef struct {
    uint32_t words[SCALAR_WORDS];
} scalar;

static const jrg_field one = {{1}};
static const jrg_field d = {
    {0x135978A3, 0x75EB4DCA, 0x4141D8AB, 0x00700A4D, 0x7779E898, 0x8CC74079, 0x2B6FFE73, 0x52036CEE}};
static const jrg_field two_d = {
    {0x26B2F159, 0xEBD69B94, 0x8283B156, 0x00E0149A, 0xEEF3D130, 0x198E80F2, 0x56DFFCE7, 0x2406D9DC}};
static const jrg_field root_of_minus_one = {
    {0x4A0EA0B0, 0xC4EE1B27, 0xAD2FE478, 0x2F431806, 0x3DFBD7A7, 0x2B4D0099, 0x4FC1DF0B, 0x2B832480}};
static const point base = {
    .x = {{0x8F25D51A, 0xC9562D60, 0x9525A7B2, 0x692CC760, 0xFDD6DC5C, 0xC0A4E231, 0xCD6E53FE, 0x216936D3}},
    .y = {{0x66666658, 0x66666666, 0x66666666, 0x66666666, 0x66666666, 0x66666666, 0x66666666, 0x66666666}},
    .z = {{1}},
    .t = {{0xA5B7DDA3, 0x6DDE8AB3, 0x775152F5, 0x20F09F80, 0x64ABE37D, 0x66EA4E8E, 0xD78B7665, 0x67875F0F}},
};
static const scalar order = {
    {0x5CF5D3ED, 0x5812631A, 0xA2F79CD6, 0x14DEF9DE, 0x00000000, 0x00000000, 0x00000000, 0x10000000}};

/* ---- points ------------------------------------------------------------------------------------------------------- */

/* The last lines of both formulas: E, F, G and H are known. */
static void put_together(point *out, const jrg_field *e, const jrg_field *f, const jrg_field *g, const jrg_field *h)
{
    jrg_field_multiply(&out->x, e, f);
    jrg_field_multiply(&out->y, g, h);
    jrg_field_multiply(&out->z, f, g);
    jrg_field_multiply(&out->t, e, h);
}

/* RFC 8032, 5.1.4; holds for any two points. */
static void add(point *out, const point *p, const point *q)
{
    jrg_field a, b, c, e, f;
    jrg_field_subtract(&a, &p->y, &p->x);
    jrg_field_subtract(&b, &q->y, &q->x);
    jrg_field_multiply(&a, &a, &b);
    jrg_field_add(&b, &p->y, &p->x);
    jrg_field_add(&c, &q->y, &q->x);
    jrg_field_multiply(&b, &b, &c);
    jrg_field_multiply(&c, &p->t, &two_d);
    jrg_field_multiply(&c, &c, &q->t);
    jrg_field_subtract(&e, &b, &a);
    jrg_field_add(&b, &b, &a); /* H */
    jrg_field_multiply(&a, &p->z, &q->z);
    jrg_field_add(&a, &a, &a); /* D */
    jrg_field_subtract(&f, &a, &c);
    jrg_field_add(&a, &a, &c); /* G */
    put_together(out, &e, &f, &a, &b);
}

static void double_it(point *p)
{
    jrg_field a, b, e, f, g;
    jrg_field_multiply(&a, &p->x, &p->x);
    jrg_field_multiply(&b, &p->y, &p->y);
    jrg_field_add(&e, &p->x, &p->y);
    jrg_field_multiply(&e, &e, &e);
    jrg_field_add(&f, &a, &b); /* H */
    jrg_field_subtract(&e, &f, &e);
    jrg_field_subtract(&g, &a, &b);
    jrg_field_multiply(&b, &p->z, &p->z);
    jrg_field_add(&b, &b, &b);
    jrg_field_add(&a, &b, &g); /* F */
    put_together(p, &e, &a, &g, &f);
}

/* RFC 8032, 5.1.3, step 2: x of a point whose y is known, one of the two. False: there is none. */
static bool find_x(jrg_field *x, const jrg_field *y)
{
    jrg_field u, v, v3, check;
    jrg_field_multiply(&u, y, y);
    jrg_field_multiply(&v, &u, &d);
    jrg_field_subtract(&u, &u, &one);
    jrg_field_add(&v, &v, &one);
    jrg_field_multiply(&v3, &v, &v);
    jrg_field_multiply(&v3, &v3, &v);
    jrg_field_multiply(x, &v3, &v3);
    jrg_field_multiply(x, x, &v);
    jrg_field_multiply(x, x, &u); /* u v^7 */
    jrg_field_root_power(x, x);
    jrg_field_multiply(x, x, &v3);
    jrg_field_multiply(x, x, &u);
    jrg_field_multiply(&check, x, x);
    jrg_field_multiply(&check, &check, &v);
    if (jrg_field_equal(&check, &u))
        return true;
    jrg_field_multiply(x, x, &root_of_minus_one);
    jrg_field_add(&check, &check, &u);
    return jrg_field_equal(&check, &(jrg_field){{0}});
}

/* RFC 8032, 5.1.3: the point with -x of the one that is written. False: it is none. */
static bool read_negative(point *out, const uint8_t bytes[JRG_ED25519_KEY_BYTES])
{
    static const jrg_field zero;
    const uint32_t sign = bytes[JRG_ED25519_KEY_BYTES - 1] >> 7;
    if (!jrg_field_read(&out->y, bytes) || !find_x(&out->x, &out->y))
        return false;
    jrg_field_reduce(&out->x);
    if (jrg_field_equal(&out->x, &zero) && sign == 1)
        return false;
    if ((out->x.words[0] & 1) == sign)
        jrg_field_subtract(&out->x, &zero, &out->x);
    out->z = one;
    jrg_field_multiply(&out->t, &out->x, &out->y);
    return true;
}

/* RFC 8032, 5.1.2: are these the bytes of the point? */
static bool is_written(const point *p, const uint8_t bytes[JRG_ED25519_KEY_BYTES])
{
    jrg_field inverse, x, y;
    jrg_field_invert(&inverse, &p->z);
    jrg_field_multiply(&x, &p->x, &inverse);
    jrg_field_multiply(&y, &p->y, &inverse);
    jrg_field_reduce(&x);
    jrg_field_reduce(&y);
    y.words[JRG_FIELD_WORDS - 1] |= x.words[0] << 31;
    for (unsigned n = 0; n < JRG_ED25519_KEY_BYTES; n++) {
        if (bytes[n] != (uint8_t)(y.words[n / 4] >> (8 * (n % 4))))
            return false;
    }
    return true;
}

/* ---- numbers modulo the order ------------------------------------------------------------------------------------- */

/* Takes the order away if it is not more than `a`; tells whether it did. */
static bool subtract_order(scalar *a)
{
    scalar less;
    uint32_t borrow = 0;
    for (unsigned n = 0; n < SCALAR_WORDS; n++) {
        const uint64_t difference = (uint64_t)a->words[n] - order.words[n] - borrow;
        less.words[n] = (uint32_t)difference;
        borrow = (uint32_t)(difference >> 63);
    }
    if (borrow == 0)
        *a = less;
    return borrow == 0;
}

static void push_bit(scalar *a, uint32_t bit)
{
    for (unsigned n = 0; n < SCALAR_WORDS; n++) {
        const uint32_t out = a->words[n] >> 31;
        a->words[n] = a->words[n] << 1 | bit;
        bit = out;
    }
}

/* The remainder of a digest, little endian, bit by bit from the highest one. */
static void reduce_digest(scalar *out, const uint8_t digest[JRG_SHA512_BYTES])
{
    *out = (scalar){{0}};
    for (unsigned n = DIGEST_BITS; n-- > 0;) {
        push_bit(out, (uint32_t)digest[n / 8] >> (n % 8) & 1u);
        (void)subtract_order(out);
    }
}

/* False: it is not less than the order. */
static bool read_scalar(scalar *out, const uint8_t bytes[SCALAR_BYTES])
{
    *out = (scalar){{0}};
    for (unsigned n = 0; n < SCALAR_BYTES; n++)
        out->words[n / 4] |= (uint32_t)bytes[n] << (8 * (n % 4));
    return !subtract_order(out);
}

static unsigned bit_of(const scalar *a, unsigned n)
{
    return a->words[n / 32] >> (n % 32) & 1u;
}

/* ---- the equation ------------------------------------------------------------------------------------------------- */

/* s times the base point and k times `other`, bit by bit of both at once. */
static void combine(point *out, const scalar *s, const scalar *k, const point *other)
{
    point both;
    add(&both, &base, other);
    const point *const choices[4] = {NULL, &base, other, &both};
    *out = (point){.y = one, .z = one};
    for (unsigned n = SCALAR_BITS; n-- > 0;) {
        double_it(out);
        const point *chosen = choices[bit_of(s, n) + 2u * bit_of(k, n)];
        if (chosen != NULL)
            add(out, out, chosen);
    }
}

static void hash_all(scalar *k, const uint8_t *key, const uint8_t *signature, const uint8_t *message, size_t len_bytes)
{
    jrg_sha512 sum;
    uint8_t digest[JRG_SHA512_BYTES];
    jrg_sha512_begin(&sum);
    jrg_sha512_add(&sum, signature, JRG_ED25519_SIGNATURE_BYTES - SCALAR_BYTES);
    jrg_sha512_add(&sum, key, JRG_ED25519_KEY_BYTES);
    jrg_sha512_add(&sum, message, len_bytes);
    jrg_sha512_end(&sum, digest);
    reduce_digest(k, digest);
}

bool jrg_ed25519_verifies(const uint8_t key[JRG_ED25519_KEY_BYTES],
                          const uint8_t signature[JRG_ED25519_SIGNATURE_BYTES], const uint8_t *message,
                          size_t len_bytes)
{
    scalar s, k;
    point negative_key, found;
    if (!read_scalar(&s, &signature[JRG_ED25519_SIGNATURE_BYTES - SCALAR_BYTES]))
        return false;
    if (!read_negative(&negative_key, key))
        return false;
    hash_all(&k, key, signature, message, len_bytes);
    combine(&found, &s, &k, &negative_key);
    return is_written(&found, signature);
}
