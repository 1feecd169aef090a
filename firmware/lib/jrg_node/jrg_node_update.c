#include <string.h>

#include "jrg_bytes.h" // jrg_bytes_put_u32
#include "jrg_node_parts.h"

enum { OFFSET_BYTES = 4, CHUNK_BYTES = JRG_LIMIT_MAX_PAYLOAD_BYTES - OFFSET_BYTES };

static jrg_status check_update(const jrg_node *node, const struct update_read *request)
{
    if (node->job.state == JRG_JOB_STATE_UNKNOWN || node->job.number != request->update_read_job)
        return JRG_STATUS_NO_JOB;
    if (node->job.state == JRG_JOB_STATE_RUNNING)
        return JRG_STATUS_BUSY;
    return request->update_read_offset > JRG_MODEL_BLOB_BYTES ? JRG_STATUS_BAD_OFFSET : JRG_STATUS_OK;
}

void jrg_node_begin_update(jrg_node *node, const struct update_read *request)
{
    jrg_status status = check_update(node, request);
    jrg_node_answer_status(node, request->update_read_id, status, JRG_MODEL_BLOB_BYTES);
    if (status != JRG_STATUS_OK)
        return;
    node->update.running = true;
    node->update.offset = request->update_read_offset;
}

static void send_chunk(jrg_node *node)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    uint32_t left_bytes = JRG_MODEL_BLOB_BYTES - node->update.offset;
    uint32_t chunk_bytes = left_bytes < CHUNK_BYTES ? left_bytes : CHUNK_BYTES;
    jrg_bytes_put_u32(payload, node->update.offset);
    memcpy(payload + OFFSET_BYTES, (const uint8_t *)JRG_NODE_WORKING(node) + node->update.offset, chunk_bytes);
    uint16_t len_bytes = (uint16_t)(OFFSET_BYTES + chunk_bytes);
    if (jrg_link_send(&node->link, JRG_FRAME_TYPE_DATA, payload, len_bytes, node->now_ms) == JRG_STATUS_OK)
        node->update.offset += chunk_bytes;
}

/* One place of the window stays free, so that a request during the transfer is answered. */
void jrg_node_send_update(jrg_node *node)
{
    uint8_t kept = node->link.window > 1 ? 1 : 0;
    while (node->update.running && jrg_link_room(&node->link) > kept) {
        if (node->update.offset < JRG_MODEL_BLOB_BYTES)
            send_chunk(node);
        else
            node->update.running = false;
    }
}
