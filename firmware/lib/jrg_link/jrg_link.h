/* The board's side of the reliable link (protocol.md, L1 to L3): bytes and time in, bytes and frames out.
 *
 * Sans-I/O: the link owns no port, no clock and no memory but this struct. Call jrg_link_receive with whatever came, and
 * jrg_link_poll when nothing more is waiting and whenever jrg_link_wait_ms has passed. */
#ifndef JRG_LINK_H
#define JRG_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h"    // limits, jrg_frame_type, jrg_status
#include "jrg_rto.h"     // jrg_rto
#include "jrg_segment.h" // jrg_segment

/* Messages that the board keeps until they are acknowledged (L2.1): fewer save RAM, 244 bytes each. */
#ifndef JRG_LINK_WINDOW
#define JRG_LINK_WINDOW JRG_LIMIT_MAX_WINDOW
#endif

/* What jrg_link_wait_ms returns when no timer runs. */
#define JRG_LINK_FOREVER_MS UINT32_MAX

typedef struct {
    void *context; /* first argument of each function */
    /* Puts bytes on the line. */
    void (*write)(void *context, const uint8_t *bytes, size_t len_bytes);
    /* A sequenced message, once and in order. False only if jrg_link_room is 0 and an answer would need room: then nothing has
     * been sent, the link has not received the message, and it asks for its end again as soon as there is room. */
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

/* A message until it is acknowledged. */
typedef struct {
    uint8_t type;
    uint8_t len_bytes;
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
} jrg_link_slot;

/* A place in what is sent: 256 times the number of a message, counted from the oldest that is not acknowledged, plus an offset
 * in it (L3.7). */
typedef uint16_t jrg_link_position;

/* A frame that was sent and is not acknowledged. */
typedef struct {
    jrg_link_position end; /* behind it */
    uint8_t len_bytes;
    bool sent_again;
    uint32_t sent_ms;
} jrg_link_under_way;

typedef struct {
    jrg_link_user user;
    jrg_link_counters counters;
    uint16_t boot_nonce;
    jrg_reset_cause reset_cause; /* told to a host that speaks to a session which is not ours */
    uint16_t session;            /* 0: none */
    uint8_t window;              /* frames under way, and messages kept, at most */

    uint8_t send_base;  /* number of the oldest message not acknowledged */
    uint8_t send_count; /* messages kept */
    uint8_t timeouts;   /* in a row */
    uint32_t timer_ms;  /* when the timeout of the oldest frame began */
    jrg_rto rto;
    jrg_segment segment; /* of the line: a new session goes on with it */
    jrg_link_slot slots[JRG_LINK_WINDOW];
    jrg_link_position acked, next, highest;        /* acknowledged, to be sent next, ever sent */
    jrg_link_under_way under_way[JRG_LINK_WINDOW]; /* oldest first */
    uint8_t under_way_count;

    uint8_t expected;  /* number of the next message to receive */
    uint8_t acks_owed; /* frames received and not yet acknowledged */
    uint8_t naked_ago; /* frames damaged or ahead since the NAK for this gap; 0: none was sent (L3.2) */
    bool segmented;    /* the newest sequenced frame was a segment */
    bool refused;      /* the user had no room for the message `expected` */
    uint8_t part_type, part_total, part_bytes; /* of the message `expected`; bytes that have come (L3.7) */
    uint8_t part[JRG_LIMIT_MAX_PAYLOAD_BYTES];

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

/* Messages that jrg_link_send would take now; 0 without a session. */
uint8_t jrg_link_room(const jrg_link *link);

/* Sends a sequenced message (MSG, DATA), in one frame or in segments (L3.7). FULL: no room in the window or payload too long. NO_SESSION: nobody there. */
JRG_MUST_USE jrg_status jrg_link_send(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes,
                                      uint32_t now_ms);

/* Sends a LOG or EVENT that may be lost (L3.6); nothing happens without a session. */
void jrg_link_tell(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes);

/* Smoothed round trip, 0 if none was measured. */
uint32_t jrg_link_round_trip_ms(const jrg_link *link);
#endif
