/* The board's side of the reliable link (docs/protocol.md, L1 to L3): bytes and time in, bytes and frames out.
 *
 * Sans-I/O: the link owns no port, no clock and no memory but this struct. Call jrg_link_receive with whatever came, and
 * jrg_link_poll when nothing more is waiting and whenever jrg_link_wait_ms has passed. */
#ifndef JRG_LINK_H
#define JRG_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h" // limits, jrg_frame_type, jrg_status
#include "jrg_rto.h"  // jrg_rto

/* What jrg_link_wait_ms returns when no timer runs. */
#define JRG_LINK_FOREVER_MS UINT32_MAX

typedef struct {
    void *context; /* first argument of each function */
    /* Puts bytes on the line. */
    void (*write)(void *context, const uint8_t *bytes, size_t len_bytes);
    /* A sequenced frame, once and in order. False only if jrg_link_room is 0 and an answer would need room: then nothing has
     * been sent, the link has not received the frame, and it asks for it again as soon as there is room. */
    bool (*take)(void *context, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes);
    /* A host said HELLO: everything sent before is void. */
    void (*opened)(void *context);
} jrg_link_user;

/* L3.5. */
typedef struct {
    uint32_t frames_in, frames_out, bytes_in, bytes_out;
    uint32_t retransmits, naks, bad_crc, duplicates;
    uint32_t bad_frames; /* undecodable, too long, of unknown type or foreign version */
} jrg_link_counters;

typedef struct {
    uint32_t sent_ms;
    bool sent_again;
    uint8_t type;
    uint16_t len_bytes;
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
} jrg_link_slot;

typedef struct {
    jrg_link_user user;
    jrg_link_counters counters;
    uint16_t boot_nonce;
    jrg_reset_cause reset_cause; /* told to a host that speaks to a session which is not ours */
    uint16_t session;            /* 0: none */
    uint8_t window;              /* frames under way at most */

    uint8_t send_base;  /* number of the oldest frame not acknowledged */
    uint8_t send_count; /* frames under way */
    uint8_t timeouts;   /* in a row */
    uint32_t timer_ms;  /* when the timeout of the oldest frame began */
    jrg_rto rto;
    jrg_link_slot slots[JRG_LIMIT_MAX_WINDOW];

    uint8_t expected;    /* next number to receive */
    uint8_t acks_owed;   /* frames received and not yet acknowledged */
    bool gap_reported;   /* one NAK a gap (L3.2) */
    bool refused;        /* the user had no room for the frame `expected` */

    size_t rx_len_bytes; /* of the frame that is coming in */
    bool rx_overrun;
    uint8_t rx[JRG_LIMIT_MAX_ENCODED_BYTES];
} jrg_link;

void jrg_link_init(jrg_link *link, const jrg_link_user *user, uint16_t boot_nonce, jrg_reset_cause reset_cause);

/* Any bytes in any pieces. */
void jrg_link_receive(jrg_link *link, const uint8_t *bytes, size_t len_bytes, uint32_t now_ms);

/* Sends what is owed: acknowledgements, and frames whose time is over. */
void jrg_link_poll(jrg_link *link, uint32_t now_ms);

/* Milliseconds until jrg_link_poll has something to do. */
uint32_t jrg_link_wait_ms(const jrg_link *link, uint32_t now_ms);

/* Frames that jrg_link_send would take now; 0 without a session. */
uint8_t jrg_link_room(const jrg_link *link);

/* Sends a sequenced frame (MSG, DATA). FULL: no room in the window or payload too long. NO_SESSION: nobody there. */
JRG_MUST_USE jrg_status jrg_link_send(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes,
                                      uint32_t now_ms);

/* Sends a LOG or EVENT that may be lost (L3.6); nothing happens without a session. */
void jrg_link_tell(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes);

/* Smoothed round trip, 0 if none was measured. */
uint32_t jrg_link_round_trip_ms(const jrg_link *link);
#endif
