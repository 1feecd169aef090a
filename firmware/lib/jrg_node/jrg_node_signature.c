#include <string.h>

#include "jrg_ed25519.h" // jrg_ed25519_verifies
#include "jrg_node_parts.h"

/* The signatures of blobs (docs/design/security.md, G32 and G33). */

#if JRG_NODE_VERIFIES

enum { HEX_BYTES = 2 * JRG_LIMIT_HASH_BYTES, MOST_TOPIC_BYTES = JRG_LIMIT_TOPIC_ROOT_BYTES + HEX_BYTES };

/* Its closing zero is a part of it. */
static const char domain[] = "jaragua signed message 1";

enum { MOST_SIGNED_BYTES = sizeof domain + 8 + 8 + 2 + MOST_TOPIC_BYTES + JRG_LIMIT_HASH_BYTES };

_Static_assert(JRG_LIMIT_SIGNATURE_BYTES == JRG_ED25519_SIGNATURE_BYTES, "blob-signature");

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

static uint8_t *put_hex(uint8_t *at, const uint8_t hash[JRG_LIMIT_HASH_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned n = 0; n < JRG_LIMIT_HASH_BYTES; n++) {
        *at++ = (uint8_t)digits[hash[n] >> 4];
        *at++ = (uint8_t)digits[hash[n] & 15u];
    }
    return at;
}

/* G33.2; returns the number of bytes. */
static size_t make_signed_bytes(const struct blob_signature *request, uint8_t bytes[MOST_SIGNED_BYTES])
{
    const struct zcbor_string *root = &request->blob_signature_root;
    uint8_t *at = put_bytes(bytes, domain, sizeof domain);
    at = put_big_endian(at, request->blob_signature_generation, 8);
    at = put_big_endian(at, request->blob_signature_counter, 8);
    at = put_big_endian(at, root->len + HEX_BYTES, 2);
    at = put_bytes(at, root->value, root->len);
    at = put_hex(at, request->blob_signature_sha256.value);
    at = put_bytes(at, request->blob_signature_sha256.value, JRG_LIMIT_HASH_BYTES);
    return (size_t)(at - bytes);
}

static jrg_status check(const jrg_node *node, const struct blob_signature *request)
{
    static const uint8_t key[JRG_ED25519_KEY_BYTES] = JRG_NODE_PUBLIC_KEY;
    uint8_t bytes[MOST_SIGNED_BYTES];
    const size_t len_bytes = make_signed_bytes(request, bytes);
    if (!jrg_ed25519_verifies(key, request->blob_signature_signature.value, bytes, len_bytes))
        return JRG_STATUS_BAD_SIGNATURE;
    if (request->blob_signature_generation < node->approved.generation)
        return JRG_STATUS_OLD_SIGNATURE;
    return JRG_STATUS_OK;
}

void jrg_node_take_signature(jrg_node *node, const struct blob_signature *request)
{
    const jrg_status status = check(node, request);
    if (status == JRG_STATUS_OK) {
        node->approved.any = true;
        node->approved.generation = request->blob_signature_generation;
        memcpy(node->approved.hash, request->blob_signature_sha256.value, JRG_LIMIT_HASH_BYTES);
    }
    jrg_node_answer_status(node, request->blob_signature_id, status, 0);
}

bool jrg_node_is_signed(const jrg_node *node, const uint8_t *hash)
{
    return node->approved.any && memcmp(node->approved.hash, hash, JRG_LIMIT_HASH_BYTES) == 0;
}

#else

void jrg_node_take_signature(jrg_node *node, const struct blob_signature *request)
{
    jrg_node_answer_status(node, request->blob_signature_id, JRG_STATUS_UNSUPPORTED, 0);
}

bool jrg_node_is_signed(const jrg_node *node, const uint8_t *hash)
{
    (void)node;
    (void)hash;
    return true;
}

#endif
