#include "jrg_node.h"

#include <string.h>

#include "jrg_messages_decode.h" // cbor_decode_request
#include "jrg_node_parts.h"

static void write_bytes(void *context, const uint8_t *bytes, size_t len_bytes)
{
    jrg_node *node = context;
    node->board.write(node->board.context, bytes, len_bytes);
}

static void dispatch(jrg_node *node, const struct request_r *request)
{
    switch (request->request_choice) {
    case request_identify_m_c:
        jrg_node_identify(node, request->request_identify_m.identify_id);
        break;
    case request_blob_begin_m_c:
        jrg_node_begin_blob(node, &request->request_blob_begin_m);
        break;
    case request_blob_end_m_c:
        jrg_node_end_blob(node, &request->request_blob_end_m);
        break;
    case request_job_begin_m_c:
        jrg_node_begin_job(node, &request->request_job_begin_m);
        break;
    case request_job_end_m_c:
        jrg_node_end_job(node, &request->request_job_end_m);
        break;
    case request_update_read_m_c:
        jrg_node_begin_update(node, &request->request_update_read_m);
        break;
    case request_health_read_m_c:
        jrg_node_answer_health(node, request->request_health_read_m.health_read_id);
        break;
    case request_cancel_m_c:
        jrg_node_cancel_job(node, &request->request_cancel_m);
        break;
    case request_online_begin_m_c:
        jrg_node_begin_online(node, &request->request_online_begin_m);
        break;
    case request_online_read_m_c:
        jrg_node_answer_online(node, request->request_online_read_m.online_read_id);
        break;
    case request_forget_m_c:
        jrg_node_forget(node, &request->request_forget_m);
        break;
    case request_prototype_read_m_c:
        jrg_node_answer_prototype(node, &request->request_prototype_read_m);
        break;
    case request_blob_signature_m_c:
        jrg_node_take_signature(node, &request->request_blob_signature_m);
        break;
    }
}

/* L4.9: what cannot be read is answered too. Its id cannot be known. */
static void take_message(jrg_node *node, const uint8_t *payload, uint16_t len_bytes)
{
    struct request_r request;
    size_t read_bytes = 0;
    if (cbor_decode_request(payload, len_bytes, &request, &read_bytes) == 0 && read_bytes == len_bytes)
        dispatch(node, &request);
    else
        jrg_node_answer_status(node, JRG_NODE_NO_REQUEST, JRG_STATUS_MALFORMED, 0);
}

/* Any frame may need an answer, so none is taken while there is no room for one; what is left of a prediction goes first. */
static bool take(void *context, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes)
{
    jrg_node *node = context;
    jrg_node_tell_prediction(node);
    if (jrg_link_room(&node->link) == 0)
        return false;
    if (type == JRG_FRAME_TYPE_MSG)
        take_message(node, payload, len_bytes);
    else if (type == JRG_FRAME_TYPE_DATA)
        jrg_node_take_data(node, payload, len_bytes);
    else
        jrg_node_take_sample(node, payload, len_bytes);
    return true;
}

/* L2.2: output of the session before is dropped; jobs and blobs stay. */
static void on_opened(void *context)
{
    jrg_node *node = context;
    node->update.running = false;
    node->prediction.left = 0;
    node->staged.complained = false;
    node->job.complained = false;
    node->health_at_ms = node->now_ms;
}

void jrg_node_init(jrg_node *node, const jrg_node_board *board)
{
    memset(node, 0, sizeof *node);
    node->board = *board;
    jrg_link_user user = {.context = node, .write = write_bytes, .take = take, .opened = on_opened};
    jrg_link_init(&node->link, &user, board->boot_nonce, board->reset_cause);
}

void jrg_node_receive(jrg_node *node, const uint8_t *bytes, size_t len_bytes, uint32_t now_ms)
{
    node->now_ms = now_ms;
    jrg_link_receive(&node->link, bytes, len_bytes, now_ms);
}

static void poll_health(jrg_node *node)
{
    if (node->link.session == 0 || node->now_ms - node->health_at_ms < JRG_MS_HEALTH_PERIOD)
        return;
    node->health_at_ms = node->now_ms;
    jrg_node_tell_health(node);
}

void jrg_node_poll(jrg_node *node, uint32_t now_ms)
{
    node->now_ms = now_ms;
    jrg_node_tell_prediction(node);
    jrg_node_send_update(node);
    poll_health(node);
    jrg_link_poll(&node->link, now_ms);
}

uint32_t jrg_node_wait_ms(const jrg_node *node, uint32_t now_ms)
{
    uint32_t link_ms = jrg_link_wait_ms(&node->link, now_ms);
    if (node->link.session == 0)
        return link_ms;
    uint32_t passed_ms = now_ms - node->health_at_ms;
    uint32_t health_ms = passed_ms < JRG_MS_HEALTH_PERIOD ? JRG_MS_HEALTH_PERIOD - passed_ms : 0;
    return link_ms < health_ms ? link_ms : health_ms;
}
