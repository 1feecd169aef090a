#include "jrg_frame.h"

#include <string.h>

#include "jrg_bytes.h" // jrg_bytes_get_u16
#include "jrg_cobs.h"  // jrg_cobs_encode
#include "jrg_crc32.h" // jrg_crc32

bool jrg_frame_is_sequenced(uint8_t type)
{
    return type == JRG_FRAME_TYPE_MSG || type == JRG_FRAME_TYPE_DATA || type == JRG_FRAME_TYPE_SAMPLE;
}

size_t jrg_frame_encode(const jrg_frame *frame, uint8_t *out)
{
    uint8_t plain[JRG_LIMIT_MAX_FRAME_BYTES];
    size_t end = JRG_LIMIT_HEADER_BYTES + (size_t)frame->len_bytes;
    plain[0] = (uint8_t)(frame->major << 4 | frame->type);
    plain[1] = frame->offset;
    plain[2] = frame->seq;
    plain[3] = frame->ack;
    jrg_bytes_put_u16(plain + 4, frame->session);
    plain[6] = frame->total;
    plain[7] = frame->ack_offset;
    if (frame->len_bytes > 0)
        memcpy(plain + JRG_LIMIT_HEADER_BYTES, frame->payload, frame->len_bytes);
    jrg_bytes_put_u32(plain + end, jrg_crc32(0, plain, end));
    size_t encoded = jrg_cobs_encode(plain, end + JRG_LIMIT_CRC_BYTES, out);
    out[encoded] = 0;
    return encoded + 1;
}

static void parse_header(const uint8_t *bytes, size_t end, jrg_frame *frame)
{
    frame->major = bytes[0] >> 4;
    frame->type = bytes[0] & 15;
    frame->offset = bytes[1];
    frame->seq = bytes[2];
    frame->ack = bytes[3];
    frame->session = jrg_bytes_get_u16(bytes + 4);
    frame->total = bytes[6];
    frame->ack_offset = bytes[7];
    frame->payload = bytes + JRG_LIMIT_HEADER_BYTES;
    frame->len_bytes = (uint16_t)(end - JRG_LIMIT_HEADER_BYTES);
}

/* L1.3: a segment lies in its message and is not empty; only sequenced messages come in segments. */
static bool is_in_place(const jrg_frame *frame)
{
    if (frame->total > JRG_LIMIT_MAX_PAYLOAD_BYTES || frame->offset + frame->len_bytes > frame->total)
        return false;
    return frame->len_bytes == frame->total || (frame->len_bytes > 0 && jrg_frame_is_sequenced(frame->type));
}

jrg_status jrg_frame_decode(uint8_t *bytes, size_t len_bytes, jrg_frame *frame)
{
    jrg_status status = jrg_cobs_decode(bytes, &len_bytes);
    if (status != JRG_STATUS_OK)
        return status;
    if (len_bytes < JRG_LIMIT_HEADER_BYTES + JRG_LIMIT_CRC_BYTES || len_bytes > JRG_LIMIT_MAX_FRAME_BYTES)
        return JRG_STATUS_BAD_FRAME;
    size_t end = len_bytes - JRG_LIMIT_CRC_BYTES;
    if (jrg_bytes_get_u32(bytes + end) != jrg_crc32(0, bytes, end))
        return JRG_STATUS_BAD_CRC;
    parse_header(bytes, end, frame);
    return is_in_place(frame) ? JRG_STATUS_OK : JRG_STATUS_BAD_FRAME;
}
