#include <string.h>

#include "jrg_model.h" // jrg_model
#include "jrg_node_parts.h"
#include "jrg_sha256.h" // jrg_sha256

static struct zcbor_string bytes_of(const uint8_t *bytes, size_t len_bytes)
{
    return (struct zcbor_string){.value = bytes, .len = len_bytes};
}

/* As much of a text as the message carries: an identity that is too long for its frame would be none. */
static struct zcbor_string text_of(const char *text, size_t most_bytes)
{
    const size_t len_bytes = strlen(text);
    return bytes_of((const uint8_t *)text, len_bytes < most_bytes ? len_bytes : most_bytes);
}

static void describe_image(const jrg_node *node, struct identity *identity)
{
    identity->identity_major = JRG_PROTOCOL_MAJOR;
    identity->identity_minor = JRG_PROTOCOL_MINOR;
    identity->identity_firmware = text_of(node->board.firmware, JRG_LIMIT_SHORT_TEXT_BYTES);
    identity->identity_build = bytes_of(node->board.build, sizeof node->board.build);
    identity->identity_board = text_of(node->board.board, JRG_LIMIT_SHORT_TEXT_BYTES);
    identity->identity_uid = bytes_of(node->board.uid, node->board.uid_len_bytes);
    identity->identity_mtu = JRG_LIMIT_MAX_PAYLOAD_BYTES;
    identity->identity_window = node->link.window;
    identity->identity_reset_cause = (uint32_t)node->board.reset_cause;
    identity->identity_ram_bytes = node->board.ram_bytes;
    identity->identity_flash_bytes = node->board.flash_bytes;
}

static void describe_model(struct identity *identity)
{
    identity->identity_model = text_of(jrg_model.name, JRG_LIMIT_MODEL_NAME_BYTES);
    identity->identity_architecture = bytes_of(jrg_model.architecture, sizeof jrg_model.architecture);
    identity->identity_blob_bytes = jrg_model.blob_bytes;
    identity->identity_inputs = jrg_model.inputs;
    identity->identity_outputs = jrg_model.outputs;
    identity->identity_classifier = jrg_model.classifier;
    identity->identity_arena_bytes = jrg_model.arena_bytes;
#if JRG_NODE_PROTOTYPES
    identity->identity_prototypes = JRG_MODEL_PROTOTYPES;
#endif
    identity->identity_operators = jrg_model.operators | (JRG_NODE_ONLINE ? JRG_OPERATOR_ONLINE : 0u) |
                                   (JRG_NODE_VERIFIES ? JRG_OPERATOR_SIGNED : 0u);
}

/* `working_hash` is room for the hash of the weights as they are now. */
static void describe_blobs(const jrg_node *node, struct identity *identity, uint8_t working_hash[JRG_SHA256_BYTES])
{
    identity->identity_staged = bytes_of(node->staged.hash, node->staged.verified ? JRG_LIMIT_HASH_BYTES : 0);
    jrg_sha256((const uint8_t *)JRG_NODE_WORKING(node), JRG_MODEL_BLOB_BYTES, working_hash);
    identity->identity_working = bytes_of(working_hash, node->bound ? JRG_LIMIT_HASH_BYTES : 0);
}

void jrg_node_identify(jrg_node *node, uint32_t id)
{
    uint8_t working_hash[JRG_SHA256_BYTES];
    struct response_r response = {.response_choice = response_identity_m_c};
    response.response_identity_m.identity_id = id;
    describe_image(node, &response.response_identity_m);
    describe_model(&response.response_identity_m);
    describe_blobs(node, &response.response_identity_m, working_hash);
    jrg_node_answer(node, &response);
}

/* K9. */
static void describe_wear(const jrg_node *node, struct health *health)
{
    static const jrg_node_wear none;
    const jrg_node_wear *wear = node->board.wear == NULL ? &none : node->board.wear;
    health->health_saves = wear->saves;
    health->health_most_saves = wear->most_saves;
    health->health_erases = wear->erases;
    health->health_trained = node->trained;
}

static void describe_health(const jrg_node *node, uint32_t id, struct response_r *response)
{
    const jrg_link_counters *counters = &node->link.counters;
    struct health *health = &response->response_health_m;
    response->response_choice = response_health_m_c;
    health->health_id = id;
    health->health_uptime_ms = node->now_ms;
    health->health_frames_in = counters->frames_in;
    health->health_frames_out = counters->frames_out;
    health->health_bytes_in = counters->bytes_in;
    health->health_bytes_out = counters->bytes_out;
    health->health_retransmits = counters->retransmits;
    health->health_naks = counters->naks;
    health->health_bad_crc = counters->bad_crc;
    health->health_duplicates = counters->duplicates;
    health->health_rtt_ms = jrg_link_round_trip_ms(&node->link);
    node->board.stack(&health->health_stack_bytes, &health->health_stack_free_bytes);
    describe_wear(node, health);
}

void jrg_node_answer_health(jrg_node *node, uint32_t id)
{
    struct response_r response;
    describe_health(node, id, &response);
    jrg_node_answer(node, &response);
}

void jrg_node_tell_health(jrg_node *node)
{
    struct response_r event;
    describe_health(node, JRG_NODE_NO_REQUEST, &event);
    jrg_node_tell(node, &event);
}
