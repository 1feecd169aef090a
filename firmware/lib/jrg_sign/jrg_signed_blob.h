/* What the coordinator signs of a blob (docs/design/security.md, G33.2). */
#ifndef JRG_SIGNED_BLOB_H
#define JRG_SIGNED_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_ed25519.h" // JRG_ED25519_KEY_BYTES

enum { JRG_SIGNED_BLOB_HASH_BYTES = 32, JRG_SIGNED_BLOB_MOST_ROOT_BYTES = 48 };

typedef struct {
    const uint8_t *hash; /* SHA-256 of the blob */
    uint64_t generation, counter;
    const uint8_t *root; /* of its topic: what precedes the hash */
    size_t root_bytes;   /* at most JRG_SIGNED_BLOB_MOST_ROOT_BYTES */
} jrg_signed_blob;

bool jrg_signed_blob_verifies(const jrg_signed_blob *blob, const uint8_t key[JRG_ED25519_KEY_BYTES],
                              const uint8_t signature[JRG_ED25519_SIGNATURE_BYTES]);
#endif
