/* SHA-256 (FIPS 180-4) of bytes that lie in memory. */
#ifndef JRG_SHA256_H
#define JRG_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { JRG_SHA256_BYTES = 32 };

void jrg_sha256(const uint8_t *bytes, size_t len_bytes, uint8_t digest[JRG_SHA256_BYTES]);
#endif
