#include "jrg_signed_blob.h"

#include <string.h>

enum { HEX_BYTES = 2 * JRG_SIGNED_BLOB_HASH_BYTES };

/* Its closing zero is a part of it. */
static const char domain[] = "jaragua signed message 1";

enum {
    MOST_BYTES = sizeof domain + 8 + 8 + 2 + JRG_SIGNED_BLOB_MOST_ROOT_BYTES + HEX_BYTES + JRG_SIGNED_BLOB_HASH_BYTES
};

static uint8_t *put_big_endian(uint8_t *at, uint64_t number, unsigned len_bytes)
{
    for (unsigned n = len_bytes; n-- > 0;)
        *at++ = (uint8_t)(number >> (8u * n));
    return at;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t len_bytes)
{
    memcpy(at, bytes, len_bytes);
    return at + len_bytes;
}

static uint8_t *put_hex(uint8_t *at, const uint8_t hash[JRG_SIGNED_BLOB_HASH_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned n = 0; n < JRG_SIGNED_BLOB_HASH_BYTES; n++) {
        *at++ = (uint8_t)digits[hash[n] >> 4];
        *at++ = (uint8_t)digits[hash[n] & 15u];
    }
    return at;
}

/* Returns the number of bytes. */
static size_t write_signed(const jrg_signed_blob *blob, uint8_t bytes[MOST_BYTES])
{
    uint8_t *at = put_bytes(bytes, domain, sizeof domain);
    at = put_big_endian(at, blob->generation, 8);
    at = put_big_endian(at, blob->counter, 8);
    at = put_big_endian(at, blob->root_bytes + HEX_BYTES, 2);
    at = put_bytes(at, blob->root, blob->root_bytes);
    at = put_hex(at, blob->hash);
    at = put_bytes(at, blob->hash, JRG_SIGNED_BLOB_HASH_BYTES);
    return (size_t)(at - bytes);
}

bool jrg_signed_blob_verifies(const jrg_signed_blob *blob, const uint8_t key[JRG_ED25519_KEY_BYTES],
                              const uint8_t signature[JRG_ED25519_SIGNATURE_BYTES])
{
    uint8_t bytes[MOST_BYTES];
    if (blob->root_bytes > JRG_SIGNED_BLOB_MOST_ROOT_BYTES)
        return false;
    const size_t len_bytes = write_signed(blob, bytes);
    return jrg_ed25519_verifies(key, signature, bytes, len_bytes);
}
