/* One frame (L1.1): header, payload, CRC-32, COBS, closing zero. */
#ifndef JRG_FRAME_H
#define JRG_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h" // limits, jrg_status

typedef struct {
    uint8_t major; /* protocol of the sender */
    uint8_t type;  /* jrg_frame_type, if it is one */
    uint8_t seq;
    uint8_t ack;
    uint8_t ack_offset; /* bytes that have come of message `ack` */
    uint8_t offset;     /* of the payload in its message (L3.7) */
    uint8_t total;      /* bytes of the message */
    uint16_t session;
    uint16_t len_bytes; /* of the payload: total - offset, or fewer */
    const uint8_t *payload;
} jrg_frame;

/* MSG, DATA and SAMPLE are numbered, acknowledged, sent again, and may come in segments (L1.2, L3.7). */
bool jrg_frame_is_sequenced(uint8_t type);

/* Encodes into `out` (JRG_LIMIT_MAX_ENCODED_BYTES of room), closing zero included; returns the length. The payload has at
 * most JRG_LIMIT_MAX_PAYLOAD_BYTES. */
size_t jrg_frame_encode(const jrg_frame *frame, uint8_t *out);

/* Decodes what stood before a zero, in place; `frame->payload` points into `bytes`. Errors of L1.3: BAD_FRAME, BAD_CRC. */
JRG_MUST_USE jrg_status jrg_frame_decode(uint8_t *bytes, size_t len_bytes, jrg_frame *frame);
#endif
