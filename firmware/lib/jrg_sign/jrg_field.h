/* Numbers modulo p = 2^255 - 19 (RFC 8032, 5.1), of eight words, the lowest first. A number may be p or more, up to
 * 2^256 - 1, until jrg_field_reduce. Times depend on the numbers: nothing secret is computed with them. */
#ifndef JRG_FIELD_H
#define JRG_FIELD_H

#include <stdbool.h>
#include <stdint.h>

enum { JRG_FIELD_WORDS = 8, JRG_FIELD_BYTES = 32 };

typedef struct {
    uint32_t words[JRG_FIELD_WORDS];
} jrg_field;

/* `out` may be an argument of the same call. */
void jrg_field_add(jrg_field *out, const jrg_field *a, const jrg_field *b);
void jrg_field_subtract(jrg_field *out, const jrg_field *a, const jrg_field *b);
void jrg_field_multiply(jrg_field *out, const jrg_field *a, const jrg_field *b);
void jrg_field_invert(jrg_field *out, const jrg_field *a);
/* a to the power (p - 5) / 8, of which square roots are made. */
void jrg_field_root_power(jrg_field *out, const jrg_field *a);

/* Below p. */
void jrg_field_reduce(jrg_field *a);
bool jrg_field_equal(const jrg_field *a, const jrg_field *b);
/* Little endian; the highest bit is left out. False: it is p or more. */
bool jrg_field_read(jrg_field *out, const uint8_t bytes[JRG_FIELD_BYTES]);
#endif
