#include "fake_host.h"

#include "jrg_bytes.h"
#include "jrg_test.h"

static void note(fake_host *host, const jrg_frame *frame)
{
    if (frame->type == JRG_FRAME_TYPE_HELLO) {
        host->session = frame->session;
        host->seq = 0;
        host->expect = 0;
    }
    bool is_end = frame->offset + frame->len_bytes == frame->total;
    if (jrg_frame_is_sequenced(frame->type) && frame->seq == host->expect && is_end)
        host->expect++;
    CHECK(host->count < FAKE_HOST_FRAMES);
    fake_host_frame *kept = &host->frames[host->count++];
    kept->header = *frame;
    if (frame->len_bytes > 0)
        memcpy(kept->payload, frame->payload, frame->len_bytes);
}

/* The board writes whole frames. */
void fake_host_write(void *context, const uint8_t *bytes, size_t len_bytes)
{
    uint8_t encoded[JRG_LIMIT_MAX_ENCODED_BYTES];
    jrg_frame frame;
    CHECK(len_bytes <= sizeof encoded && bytes[len_bytes - 1] == 0);
    memcpy(encoded, bytes, len_bytes - 1);
    CHECK_EQUAL(jrg_frame_decode(encoded, len_bytes - 1, &frame), JRG_STATUS_OK);
    note(context, &frame);
}

size_t fake_host_frame_bytes(fake_host *host, jrg_frame_type type, const void *payload, uint16_t len_bytes,
                             uint8_t *out)
{
    jrg_frame frame = {
        .major = JRG_PROTOCOL_MAJOR,
        .type = (uint8_t)type,
        .seq = jrg_frame_is_sequenced((uint8_t)type) ? host->seq++ : 0,
        .ack = host->expect,
        .session = host->session,
        .total = (uint8_t)len_bytes,
        .len_bytes = len_bytes,
        .payload = payload,
    };
    return jrg_frame_encode(&frame, out);
}

size_t fake_host_hello_bytes(uint16_t nonce, uint8_t window, uint8_t *out)
{
    uint8_t payload[JRG_LIMIT_HELLO_BYTES] = {0, 0, window, JRG_PROTOCOL_MAJOR, JRG_PROTOCOL_MINOR};
    jrg_bytes_put_u16(payload, nonce);
    jrg_frame frame = {
        .major = JRG_PROTOCOL_MAJOR,
        .type = JRG_FRAME_TYPE_HELLO,
        .total = sizeof payload,
        .len_bytes = sizeof payload,
        .payload = payload,
    };
    return jrg_frame_encode(&frame, out);
}

unsigned fake_host_count(const fake_host *host, jrg_frame_type type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < host->count; i++)
        count += host->frames[i].header.type == (uint8_t)type;
    return count;
}

const fake_host_frame *fake_host_newest(const fake_host *host, jrg_frame_type type)
{
    for (unsigned i = host->count; i > 0; i--)
        if (host->frames[i - 1].header.type == (uint8_t)type)
            return &host->frames[i - 1];
    return NULL;
}

void fake_host_forget(fake_host *host)
{
    host->count = 0;
}
