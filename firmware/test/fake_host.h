/* The other end of the line, as simple as can be: makes frames, and keeps those that come. No retransmission of its own. */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include "jrg_frame.h"

enum { FAKE_HOST_FRAMES = 64 };

typedef struct {
    jrg_frame header;
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
} fake_host_frame;

typedef struct {
    fake_host_frame frames[FAKE_HOST_FRAMES]; /* what has come, oldest first */
    unsigned count;
    uint16_t session;
    uint8_t seq;    /* of the next sequenced frame */
    uint8_t expect; /* next number expected, sent as ack */
} fake_host;

/* For jrg_link_user.write and jrg_node_board.write; `context` is a fake_host. */
void fake_host_write(void *context, const uint8_t *bytes, size_t len_bytes);

/* Encodes a frame of this host; sequenced types take the next number. Returns the length. */
size_t fake_host_frame_bytes(fake_host *host, jrg_frame_type type, const void *payload, uint16_t len_bytes,
                             uint8_t *out);

size_t fake_host_hello_bytes(uint16_t nonce, uint8_t window, uint8_t *out);

/* Frames of a type that have come; the newest of them, or NULL. */
unsigned fake_host_count(const fake_host *host, jrg_frame_type type);
const fake_host_frame *fake_host_newest(const fake_host *host, jrg_frame_type type);
void fake_host_forget(fake_host *host);
#endif
