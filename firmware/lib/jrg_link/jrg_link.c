#include "jrg_link.h"

#include <string.h>

#include "jrg_bytes.h" // jrg_bytes_get_u16
#include "jrg_crc32.h" // jrg_crc32
#include "jrg_frame.h" // jrg_frame_encode

enum { SMALL_WINDOW = 2, FRAMES_PER_ACK = 2 }; /* L3.4 */

void jrg_link_init(jrg_link *link, const jrg_link_user *user, uint16_t boot_nonce, jrg_reset_cause reset_cause)
{
    memset(link, 0, sizeof *link);
    link->user = *user;
    link->boot_nonce = boot_nonce;
    link->reset_cause = reset_cause;
    jrg_rto_reset(&link->rto);
}

/* ---- out ---------------------------------------------------------------------------------------------------------- */

/* Every frame carries the acknowledgement, so none is owed after it. */
static void write_frame(jrg_link *link, uint8_t type, uint8_t seq, const uint8_t *payload, uint16_t len_bytes)
{
    uint8_t encoded[JRG_LIMIT_MAX_ENCODED_BYTES];
    jrg_frame frame = {
        .major = JRG_PROTOCOL_MAJOR,
        .type = type,
        .seq = seq,
        .ack = link->expected,
        .session = link->session,
        .len_bytes = len_bytes,
        .payload = payload,
    };
    size_t encoded_bytes = jrg_frame_encode(&frame, encoded);
    link->acks_owed = 0;
    link->counters.frames_out++;
    link->counters.bytes_out += (uint32_t)encoded_bytes;
    link->user.write(link->user.context, encoded, encoded_bytes);
}

static void write_control(jrg_link *link, jrg_frame_type type)
{
    write_frame(link, (uint8_t)type, 0, NULL, 0);
}

/* L2.3: says why the session the host speaks to is not ours. */
static void write_reset(jrg_link *link)
{
    uint8_t cause = (uint8_t)(link->session == 0 ? link->reset_cause : JRG_RESET_CAUSE_SESSION);
    write_frame(link, JRG_FRAME_TYPE_RESET, 0, &cause, 1);
}

static jrg_link_slot *slot_of(jrg_link *link, uint8_t seq)
{
    return &link->slots[seq % JRG_LIMIT_MAX_WINDOW];
}

static void write_slot(jrg_link *link, uint8_t seq)
{
    const jrg_link_slot *slot = slot_of(link, seq);
    write_frame(link, slot->type, seq, slot->payload, slot->len_bytes);
}

/* Go-back-N (L3.2): everything from the oldest frame on. */
static void send_again(jrg_link *link, uint32_t now_ms)
{
    for (uint8_t i = 0; i < link->send_count; i++) {
        uint8_t seq = (uint8_t)(link->send_base + i);
        slot_of(link, seq)->sent_again = true;
        link->counters.retransmits++;
        write_slot(link, seq);
    }
    link->timer_ms = now_ms;
}

uint8_t jrg_link_room(const jrg_link *link)
{
    return link->session == 0 ? 0 : (uint8_t)(link->window - link->send_count);
}

jrg_status jrg_link_send(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes, uint32_t now_ms)
{
    if (link->session == 0)
        return JRG_STATUS_NO_SESSION;
    if (jrg_link_room(link) == 0 || len_bytes > JRG_LIMIT_MAX_PAYLOAD_BYTES)
        return JRG_STATUS_FULL;
    uint8_t seq = (uint8_t)(link->send_base + link->send_count);
    jrg_link_slot *slot = slot_of(link, seq);
    slot->type = (uint8_t)type;
    slot->len_bytes = len_bytes;
    slot->sent_ms = now_ms;
    slot->sent_again = false;
    memcpy(slot->payload, payload, len_bytes);
    if (link->send_count++ == 0)
        link->timer_ms = now_ms;
    write_slot(link, seq);
    return JRG_STATUS_OK;
}

void jrg_link_tell(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes)
{
    if (link->session != 0 && len_bytes <= JRG_LIMIT_MAX_PAYLOAD_BYTES)
        write_frame(link, (uint8_t)type, 0, payload, len_bytes);
}

/* ---- session (L2) ------------------------------------------------------------------------------------------------- */

static void forget_session(jrg_link *link)
{
    link->session = 0;
    link->window = 0;
    link->send_base = 0;
    link->send_count = 0;
    link->timeouts = 0;
    link->expected = 0;
    link->acks_owed = 0;
    link->gap_reported = false;
    link->refused = false;
    jrg_rto_reset(&link->rto);
}

/* L2.2; the same two nonces give the same session, so a HELLO said twice does no harm. */
static uint16_t draw_session(const jrg_link *link, uint16_t host_nonce)
{
    uint8_t nonces[4];
    jrg_bytes_put_u16(nonces, link->boot_nonce);
    jrg_bytes_put_u16(nonces + 2, host_nonce);
    uint16_t session = (uint16_t)jrg_crc32(0, nonces, sizeof nonces);
    return session == 0 ? 1 : session;
}

static uint8_t agree_window(uint8_t offered)
{
    if (offered == 0)
        return 1;
    return offered < JRG_LIMIT_MAX_WINDOW ? offered : (uint8_t)JRG_LIMIT_MAX_WINDOW;
}

/* L2.1; answered whatever the host's version is, so that it can say what is wrong (L2.4). */
static void receive_hello(jrg_link *link, const jrg_frame *frame)
{
    if (frame->len_bytes < JRG_LIMIT_HELLO_BYTES) {
        link->counters.bad_frames++;
        return;
    }
    uint8_t answer[JRG_LIMIT_HELLO_BYTES];
    forget_session(link);
    link->window = agree_window(frame->payload[2]);
    link->session = draw_session(link, jrg_bytes_get_u16(frame->payload));
    memcpy(answer, frame->payload, 2);
    answer[2] = link->window;
    answer[3] = JRG_PROTOCOL_MAJOR;
    answer[4] = JRG_PROTOCOL_MINOR;
    write_frame(link, JRG_FRAME_TYPE_HELLO, 0, answer, sizeof answer);
    link->user.opened(link->user.context);
}

static void lose_link(jrg_link *link)
{
    forget_session(link);
    link->reset_cause = JRG_RESET_CAUSE_LINK_LOST;
}

/* ---- in ----------------------------------------------------------------------------------------------------------- */

static void report_gap(jrg_link *link)
{
    if (link->gap_reported)
        return;
    link->gap_reported = true;
    link->counters.naks++;
    write_control(link, JRG_FRAME_TYPE_NAK);
}

/* Karn's rule: a frame sent twice says nothing about the round trip. */
static void receive_ack(jrg_link *link, uint8_t ack, uint32_t now_ms)
{
    uint8_t count = (uint8_t)(ack - link->send_base);
    if (count == 0 || count > link->send_count)
        return;
    const jrg_link_slot *newest = slot_of(link, (uint8_t)(ack - 1));
    if (!newest->sent_again)
        jrg_rto_measure(&link->rto, now_ms - newest->sent_ms);
    jrg_rto_progress(&link->rto);
    link->send_base = ack;
    link->send_count = (uint8_t)(link->send_count - count);
    link->timeouts = 0;
    link->timer_ms = now_ms;
}

/* The frame the user had no room for is a gap like any other, reported when there is room. */
static void ask_for_refused(jrg_link *link)
{
    if (!link->refused || jrg_link_room(link) == 0)
        return;
    link->refused = false;
    link->gap_reported = false;
    report_gap(link);
}

static void acknowledge(jrg_link *link)
{
    link->acks_owed++;
    if (link->window <= SMALL_WINDOW || link->acks_owed >= FRAMES_PER_ACK)
        write_control(link, JRG_FRAME_TYPE_ACK);
}

/* The number moves on first, so that an answer sent from within `take` acknowledges this frame. */
static void take_frame(jrg_link *link, const jrg_frame *frame)
{
    uint16_t session = link->session;
    link->expected++;
    if (!link->user.take(link->user.context, (jrg_frame_type)frame->type, frame->payload, frame->len_bytes)) {
        link->expected--;
        link->refused = true;
        return;
    }
    link->gap_reported = false;
    link->refused = false;
    if (link->session == session && link->acks_owed < UINT8_MAX)
        acknowledge(link);
}

/* L3.2. Half of the numbers lie behind, the other half ahead. */
static void receive_sequenced(jrg_link *link, const jrg_frame *frame)
{
    uint8_t ahead = (uint8_t)(frame->seq - link->expected);
    if (ahead == 0) {
        take_frame(link, frame);
    } else if (ahead >= 128) {
        link->counters.duplicates++;
        write_control(link, JRG_FRAME_TYPE_ACK);
    } else if (!link->refused) {
        report_gap(link);
    }
}

static void receive_in_session(jrg_link *link, const jrg_frame *frame, uint32_t now_ms)
{
    receive_ack(link, frame->ack, now_ms);
    switch (frame->type) {
    case JRG_FRAME_TYPE_MSG:
    case JRG_FRAME_TYPE_DATA:
    case JRG_FRAME_TYPE_SAMPLE:
        receive_sequenced(link, frame);
        break;
    case JRG_FRAME_TYPE_NAK:
        send_again(link, now_ms);
        break;
    case JRG_FRAME_TYPE_ACK:
    case JRG_FRAME_TYPE_LOG:
    case JRG_FRAME_TYPE_EVENT:
    case JRG_FRAME_TYPE_RESET:
        break;
    default:
        link->counters.bad_frames++;
    }
    ask_for_refused(link);
}

static void receive_frame(jrg_link *link, const jrg_frame *frame, uint32_t now_ms)
{
    link->counters.frames_in++;
    if (frame->type == JRG_FRAME_TYPE_HELLO)
        receive_hello(link, frame);
    else if (frame->major != JRG_PROTOCOL_MAJOR)
        link->counters.bad_frames++;
    else if (link->session != 0 && frame->session == link->session)
        receive_in_session(link, frame, now_ms);
    else if (frame->type != JRG_FRAME_TYPE_RESET)
        write_reset(link);
}

static void receive_encoded(jrg_link *link, uint32_t now_ms)
{
    jrg_frame frame;
    jrg_status status = jrg_frame_decode(link->rx, link->rx_len_bytes, &frame);
    if (status == JRG_STATUS_OK) {
        receive_frame(link, &frame, now_ms);
    } else if (status == JRG_STATUS_BAD_CRC) {
        link->counters.bad_crc++;
        if (link->session != 0)
            report_gap(link);
    } else {
        link->counters.bad_frames++;
    }
}

/* A zero ends a frame; two in a row have nothing between them. */
static void end_frame(jrg_link *link, uint32_t now_ms)
{
    if (link->rx_overrun)
        link->counters.bad_frames++;
    else if (link->rx_len_bytes > 0)
        receive_encoded(link, now_ms);
    link->rx_len_bytes = 0;
    link->rx_overrun = false;
}

void jrg_link_receive(jrg_link *link, const uint8_t *bytes, size_t len_bytes, uint32_t now_ms)
{
    link->counters.bytes_in += (uint32_t)len_bytes;
    for (size_t i = 0; i < len_bytes; i++) {
        if (bytes[i] == 0)
            end_frame(link, now_ms);
        else if (link->rx_len_bytes < sizeof link->rx)
            link->rx[link->rx_len_bytes++] = bytes[i];
        else
            link->rx_overrun = true;
    }
}

/* ---- time (L3.3) -------------------------------------------------------------------------------------------------- */

uint32_t jrg_link_wait_ms(const jrg_link *link, uint32_t now_ms)
{
    if (link->acks_owed > 0)
        return 0;
    if (link->send_count == 0)
        return JRG_LINK_FOREVER_MS;
    uint32_t passed_ms = now_ms - link->timer_ms;
    return passed_ms >= link->rto.timeout_ms ? 0 : link->rto.timeout_ms - passed_ms;
}

static void time_out(jrg_link *link, uint32_t now_ms)
{
    link->timeouts++;
    if (link->timeouts >= JRG_COUNT_TIMEOUTS_UNTIL_LOST) {
        lose_link(link);
        return;
    }
    jrg_rto_back_off(&link->rto);
    send_again(link, now_ms);
}

void jrg_link_poll(jrg_link *link, uint32_t now_ms)
{
    if (link->acks_owed > 0)
        write_control(link, JRG_FRAME_TYPE_ACK);
    if (link->send_count > 0 && now_ms - link->timer_ms >= link->rto.timeout_ms)
        time_out(link, now_ms);
}

uint32_t jrg_link_round_trip_ms(const jrg_link *link)
{
    return link->rto.smoothed_ms_x8 / 8;
}
