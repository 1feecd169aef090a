#include <string.h>

#include "jrg_bytes.h" // jrg_bytes_get_u32
#include "jrg_model.h" // jrg_model_check
#include "jrg_node_parts.h"
#include "jrg_sha256.h" // jrg_sha256
#if JRG_NODE_VERIFIES
#include "jrg_signed_blob.h" // jrg_signed_blob_verifies
#endif

enum { OFFSET_BYTES = 4 };

bool jrg_node_holds(const jrg_node *node, const uint8_t *hash)
{
    return node->staged.verified && memcmp(node->staged.hash, hash, JRG_LIMIT_HASH_BYTES) == 0;
}

static void answer_blob_state(jrg_node *node, uint32_t id)
{
    struct response_r response = {
        .response_choice = response_blob_state_m_c,
        .response_blob_state_m =
            {
                .blob_state_id = id,
                .blob_state_offset = node->staged.received_bytes,
                .blob_state_complete = node->staged.verified,
            },
    };
    jrg_node_answer(node, &response);
}

/* Same hash as announced before: what has come of it, all of it included, is kept. */
static bool is_announced(const jrg_node *node, const uint8_t *hash)
{
    return node->staged.announced && memcmp(node->staged.hash, hash, JRG_LIMIT_HASH_BYTES) == 0;
}

/* ---- signatures of blobs (docs/design/security.md, G32 and G33) ---------------------------------------------------- */

#if JRG_NODE_VERIFIES

_Static_assert(JRG_LIMIT_SIGNATURE_BYTES == JRG_ED25519_SIGNATURE_BYTES, "blob-signature");
_Static_assert(JRG_LIMIT_TOPIC_ROOT_BYTES == JRG_SIGNED_BLOB_MOST_ROOT_BYTES, "blob-signature");

static jrg_status check_signature(const jrg_node *node, const struct blob_signature *request)
{
    static const uint8_t key[JRG_ED25519_KEY_BYTES] = JRG_NODE_PUBLIC_KEY;
    const jrg_signed_blob blob = {
        .hash = request->blob_signature_sha256.value,
        .generation = request->blob_signature_generation,
        .counter = request->blob_signature_counter,
        .root = request->blob_signature_root.value,
        .root_bytes = request->blob_signature_root.len,
    };
    if (!jrg_signed_blob_verifies(&blob, key, request->blob_signature_signature.value))
        return JRG_STATUS_BAD_SIGNATURE;
    return blob.generation < node->approved.generation ? JRG_STATUS_OLD_SIGNATURE : JRG_STATUS_OK;
}

void jrg_node_take_signature(jrg_node *node, const struct blob_signature *request)
{
    const jrg_status status = check_signature(node, request);
    if (status == JRG_STATUS_OK) {
        node->approved.any = true;
        node->approved.generation = request->blob_signature_generation;
        memcpy(node->approved.hash, request->blob_signature_sha256.value, JRG_LIMIT_HASH_BYTES);
    }
    jrg_node_answer_status(node, request->blob_signature_id, status, 0);
}

static bool is_signed(const jrg_node *node, const uint8_t *hash)
{
    return node->approved.any && memcmp(node->approved.hash, hash, JRG_LIMIT_HASH_BYTES) == 0;
}

#else

void jrg_node_take_signature(jrg_node *node, const struct blob_signature *request)
{
    jrg_node_answer_status(node, request->blob_signature_id, JRG_STATUS_UNSUPPORTED, 0);
}

/* An image without a key takes any blob. */
static bool is_signed(const jrg_node *node, const uint8_t *hash)
{
    (void)node;
    (void)hash;
    return true;
}

#endif

/* ---- transfers ------------------------------------------------------------------------------------------------------ */

static void forget_staged(jrg_node *node)
{
    node->staged.announced = false;
    node->staged.verified = false;
    node->staged.received_bytes = 0;
    node->staged.complained = false;
}

void jrg_node_use_up_staged(jrg_node *node)
{
    if (JRG_NODE_BUFFERS == 1)
        forget_staged(node);
}

/* With one buffer a download writes over the working weights: they and the job on them are gone (L4.3). */
static void give_up_working(jrg_node *node)
{
    if (JRG_NODE_BUFFERS == 1) {
        node->bound = false;
        node->update.running = false;
        node->prediction.left = 0;
        node->job.state = JRG_JOB_STATE_UNKNOWN;
    }
}

void jrg_node_begin_blob(jrg_node *node, const struct blob_begin *request)
{
    const uint8_t *hash = request->blob_begin_sha256.value;
    if (request->blob_begin_size_bytes != JRG_MODEL_BLOB_BYTES) {
        jrg_node_answer_status(node, request->blob_begin_id, JRG_STATUS_BAD_SIZE, JRG_MODEL_BLOB_BYTES);
        return;
    }
    if (!is_announced(node, hash)) {
        if (!is_signed(node, hash)) {
            jrg_node_answer_status(node, request->blob_begin_id, JRG_STATUS_NOT_SIGNED, 0);
            return;
        }
        forget_staged(node);
        give_up_working(node);
        node->staged.announced = true;
        memcpy(node->staged.hash, hash, JRG_LIMIT_HASH_BYTES);
    }
    node->staged.complained = false;
    answer_blob_state(node, request->blob_begin_id);
}

static void complain(jrg_node *node, jrg_status code, uint32_t detail)
{
    if (node->staged.complained)
        return;
    node->staged.complained = true;
    jrg_node_answer_status(node, JRG_NODE_NO_REQUEST, code, detail);
}

static jrg_status check_data(const jrg_node *node, const uint8_t *payload, uint16_t len_bytes)
{
    if (len_bytes < OFFSET_BYTES)
        return JRG_STATUS_MALFORMED;
    if (!node->staged.announced || node->staged.verified)
        return JRG_STATUS_NO_TRANSFER;
    if (jrg_bytes_get_u32(payload) != node->staged.received_bytes)
        return JRG_STATUS_BAD_OFFSET;
    uint32_t room_bytes = JRG_MODEL_BLOB_BYTES - node->staged.received_bytes;
    return (uint32_t)(len_bytes - OFFSET_BYTES) > room_bytes ? JRG_STATUS_BAD_SIZE : JRG_STATUS_OK;
}

void jrg_node_take_data(jrg_node *node, const uint8_t *payload, uint16_t len_bytes)
{
    jrg_node_staged *staged = &node->staged;
    jrg_status status = check_data(node, payload, len_bytes);
    if (status != JRG_STATUS_OK) {
        complain(node, status, staged->received_bytes);
        return;
    }
    uint16_t data_bytes = (uint16_t)(len_bytes - OFFSET_BYTES);
    memcpy((uint8_t *)staged->blob + staged->received_bytes, payload + OFFSET_BYTES, data_bytes);
    staged->received_bytes += data_bytes;
    staged->complained = false;
}

/* The bytes are all there: are they what was announced, and a blob of this network (A6.1)? */
static jrg_status verify(const jrg_node *node)
{
    uint8_t digest[JRG_SHA256_BYTES];
    jrg_sha256((const uint8_t *)node->staged.blob, JRG_MODEL_BLOB_BYTES, digest);
    if (memcmp(digest, node->staged.hash, sizeof digest) != 0)
        return JRG_STATUS_BAD_HASH;
    return jrg_node_status_of(jrg_model_check(node->staged.blob, JRG_MODEL_BLOB_BYTES));
}

static jrg_status end_blob(jrg_node *node, const uint8_t *hash)
{
    if (!is_announced(node, hash))
        return JRG_STATUS_NO_TRANSFER;
    if (node->staged.verified)
        return JRG_STATUS_OK;
    if (node->staged.received_bytes < JRG_MODEL_BLOB_BYTES)
        return JRG_STATUS_INCOMPLETE;
    jrg_status status = verify(node);
    if (status == JRG_STATUS_OK)
        node->staged.verified = true;
    else
        forget_staged(node);
    return status;
}

void jrg_node_end_blob(jrg_node *node, const struct blob_end *request)
{
    jrg_status status = end_blob(node, request->blob_end_sha256.value);
    jrg_node_answer_status(node, request->blob_end_id, status, node->staged.received_bytes);
    if (status == JRG_STATUS_OK)
        jrg_node_log(node, JRG_LOG_LEVEL_INFO, "blob verified");
    else
        jrg_node_log(node, JRG_LOG_LEVEL_WARNING, "blob refused");
}

/* ---- what a board keeps over a power cut (docs/reference/keep.md, K6, K8) ------------------------------------------ */

bool jrg_node_has_news(const jrg_node *node)
{
    return node->has_news && node->bound && node->job.state != JRG_JOB_STATE_RUNNING;
}

void jrg_node_kept(jrg_node *node)
{
    node->has_news = false;
}

/* The weights are numbers that the learner trains, so they come first. */
jrg_node_part jrg_node_to_keep(jrg_node *node, uint32_t part)
{
    if (part == 0)
        return (jrg_node_part){JRG_NODE_WORKING(node), (JRG_MODEL_BLOB_BYTES + 3u) / 4u * 4u};
    if (part == 1) {
        node->kept_learner = node->has_learner;
        return (jrg_node_part){&node->kept_learner, sizeof node->kept_learner};
    }
    jrg_node_part found = {NULL, 0};
#if JRG_NODE_PROTOTYPES
    if (part == 2)
        found.bytes = jrg_model_enrolled_classes(&found.len_bytes);
#endif
#if JRG_NODE_ONLINE
    if (found.bytes == NULL)
        found.bytes = jrg_online_model_part(part - (JRG_NODE_KEPT_PARTS - JRG_ONLINE_MODEL_PARTS), &found.len_bytes);
#endif
    return found;
}

void jrg_node_take_kept(jrg_node *node)
{
    node->bound = jrg_model_bind(JRG_NODE_WORKING(node)) == JRG_NN_OK;
#if JRG_NODE_ONLINE
    node->has_learner =
        node->bound && node->kept_learner != 0 && jrg_online_model_restored(JRG_NODE_WORKING(node)) == JRG_ONLINE_OK;
#endif
}
