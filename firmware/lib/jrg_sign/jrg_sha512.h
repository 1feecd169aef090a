/* SHA-512 (FIPS 180-4) of bytes that come in pieces. */
#ifndef JRG_SHA512_H
#define JRG_SHA512_H

#include <stddef.h>
#include <stdint.h>

enum { JRG_SHA512_BYTES = 64, JRG_SHA512_BLOCK_BYTES = 128, JRG_SHA512_WORDS = 8 };

typedef struct {
    uint64_t hash[JRG_SHA512_WORDS];
    uint8_t block[JRG_SHA512_BLOCK_BYTES];
    uint32_t len_bytes; /* of all pieces so far */
} jrg_sha512;

void jrg_sha512_begin(jrg_sha512 *sum);
/* All pieces together have less than 2^29 bytes. */
void jrg_sha512_add(jrg_sha512 *sum, const uint8_t *bytes, size_t len_bytes);
void jrg_sha512_end(jrg_sha512 *sum, uint8_t digest[JRG_SHA512_BYTES]);
#endif
