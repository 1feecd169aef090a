#include <string.h>

#include "jrg_messages_encode.h" // cbor_encode_response
#include "jrg_node_parts.h"

enum { LOG_TEXT_BYTES = JRG_LIMIT_MAX_PAYLOAD_BYTES - 1 };

/* The messages are ours and all fit a frame (messages.cddl limits their strings), so this cannot fail; if it did, the host
 * would get an empty payload, which it refuses by name, and not silence. */
static uint16_t encode(const struct response_r *response, uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    size_t len_bytes = 0;
    if (cbor_encode_response(payload, JRG_LIMIT_MAX_PAYLOAD_BYTES, response, &len_bytes) != 0)
        return 0;
    return (uint16_t)len_bytes;
}

/* jrg_node_take looked for room before it took what is answered here; without a session there is nobody to answer. */
void jrg_node_answer(jrg_node *node, const struct response_r *response)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    uint16_t len_bytes = encode(response, payload);
    jrg_status status = jrg_link_send(&node->link, JRG_FRAME_TYPE_MSG, payload, len_bytes, node->now_ms);
    (void)status;
}

void jrg_node_answer_status(jrg_node *node, uint32_t id, jrg_status code, uint32_t detail)
{
    struct response_r response = {
        .response_choice = response_status_m_c,
        .response_status_m = {.status_id = id, .status_code = (uint32_t)code, .status_detail = detail},
    };
    jrg_node_answer(node, &response);
}

void jrg_node_tell(jrg_node *node, const struct response_r *event)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    const uint16_t len_bytes = encode(event, payload);
    jrg_link_tell(&node->link, JRG_FRAME_TYPE_EVENT, payload, len_bytes);
}

void jrg_node_log(jrg_node *node, jrg_log_level level, const char *text)
{
    uint8_t payload[1 + LOG_TEXT_BYTES];
    size_t text_bytes = strlen(text);
    if (text_bytes > LOG_TEXT_BYTES)
        text_bytes = LOG_TEXT_BYTES;
    payload[0] = (uint8_t)level;
    memcpy(payload + 1, text, text_bytes);
    jrg_link_tell(&node->link, JRG_FRAME_TYPE_LOG, payload, (uint16_t)(1 + text_bytes));
}
