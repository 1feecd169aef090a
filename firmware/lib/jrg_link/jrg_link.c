#include "jrg_link.h"

#include <string.h>

#include "jrg_bytes.h" // jrg_bytes_get_u16
#include "jrg_crc32.h" // jrg_crc32
#include "jrg_frame.h" // jrg_frame_encode

enum { SMALL_WINDOW = 2, FRAMES_PER_ACK = 2 }; /* L3.4 */
enum { MESSAGE = 256 };                        /* positions of a message (jrg_link_position) */

void jrg_link_init(jrg_link *link, const jrg_link_user *user, uint16_t boot_nonce, jrg_reset_cause reset_cause)
{
    memset(link, 0, sizeof *link);
    link->user = *user;
    link->boot_nonce = boot_nonce;
    link->reset_cause = reset_cause;
    jrg_rto_reset(&link->rto);
    jrg_segment_init(&link->segment);
}

/* ---- out ---------------------------------------------------------------------------------------------------------- */

/* Every frame carries the acknowledgement, so none is owed after it. */
static void write_frame(jrg_link *link, jrg_frame *frame)
{
    uint8_t encoded[JRG_LIMIT_MAX_ENCODED_BYTES];
    frame->major = JRG_PROTOCOL_MAJOR;
    frame->ack = link->expected;
    frame->ack_offset = link->part_bytes;
    frame->session = link->session;
    size_t encoded_bytes = jrg_frame_encode(frame, encoded);
    link->acks_owed = 0;
    link->counters.frames_out++;
    link->counters.bytes_out += (uint32_t)encoded_bytes;
    link->user.write(link->user.context, encoded, encoded_bytes);
}

/* A frame without a number, never in segments. */
static void write_whole(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes)
{
    jrg_frame frame = {.type = (uint8_t)type, .total = (uint8_t)len_bytes, .len_bytes = len_bytes, .payload = payload};
    write_frame(link, &frame);
}

static void write_control(jrg_link *link, jrg_frame_type type)
{
    write_whole(link, type, NULL, 0);
}

/* L2.3: says why the session the host speaks to is not ours. */
static void write_reset(jrg_link *link)
{
    uint8_t cause = (uint8_t)(link->session == 0 ? link->reset_cause : JRG_RESET_CAUSE_SESSION);
    write_whole(link, JRG_FRAME_TYPE_RESET, &cause, 1);
}

_Static_assert(JRG_LINK_WINDOW <= JRG_LIMIT_MAX_WINDOW && 256 % JRG_LINK_WINDOW == 0, "numbers wrap round at 256");

static jrg_link_slot *slot_of(jrg_link *link, uint8_t seq)
{
    return &link->slots[seq % JRG_LINK_WINDOW];
}

static void note_under_way(jrg_link *link, uint16_t len_bytes, bool again, uint32_t now_ms)
{
    if (link->under_way_count == 0)
        link->timer_ms = now_ms;
    link->under_way[link->under_way_count++] = (jrg_link_under_way){
        .end = link->next, .len_bytes = (uint8_t)len_bytes, .sent_again = again, .sent_ms = now_ms};
    link->counters.retransmits += again;
}

/* The next bytes of the message at `next`, as many as a segment has (L3.8). */
static void send_segment(jrg_link *link, uint32_t now_ms)
{
    uint8_t index = (uint8_t)(link->next / MESSAGE), offset = (uint8_t)(link->next % MESSAGE);
    const jrg_link_slot *slot = slot_of(link, (uint8_t)(link->send_base + index));
    uint8_t left_bytes = (uint8_t)(slot->len_bytes - offset);
    bool again = link->next < link->highest;
    jrg_frame frame = {
        .type = slot->type,
        .seq = (uint8_t)(link->send_base + index),
        .offset = offset,
        .total = slot->len_bytes,
        .len_bytes = left_bytes < link->segment.most_bytes ? left_bytes : link->segment.most_bytes,
        .payload = slot->payload + offset,
    };
    bool is_last = frame.len_bytes == left_bytes;
    link->next = (jrg_link_position)(is_last ? (index + 1) * MESSAGE : link->next + frame.len_bytes);
    if (link->highest < link->next)
        link->highest = link->next;
    note_under_way(link, frame.len_bytes, again, now_ms);
    write_frame(link, &frame);
}

/* L3.1, L3.9. */
static void fill_window(jrg_link *link, uint32_t now_ms)
{
    while (link->next < link->send_count * MESSAGE &&
           link->under_way_count < jrg_segment_flight(&link->segment, link->window))
        send_segment(link, now_ms);
}

/* Go-back-N (L3.2): everything from the oldest byte on, in segments of today's size. */
static void send_again(jrg_link *link, uint32_t now_ms)
{
    link->under_way_count = 0;
    link->next = link->acked;
    link->timer_ms = now_ms;
    fill_window(link, now_ms);
}

uint8_t jrg_link_room(const jrg_link *link)
{
    return link->session == 0 ? 0 : (uint8_t)(link->window - link->send_count);
}

jrg_status jrg_link_send(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes,
                         uint32_t now_ms)
{
    if (link->session == 0)
        return JRG_STATUS_NO_SESSION;
    if (jrg_link_room(link) == 0 || len_bytes > JRG_LIMIT_MAX_PAYLOAD_BYTES)
        return JRG_STATUS_FULL;
    jrg_link_slot *slot = slot_of(link, (uint8_t)(link->send_base + link->send_count));
    slot->type = (uint8_t)type;
    slot->len_bytes = (uint8_t)len_bytes;
    memcpy(slot->payload, payload, len_bytes);
    link->send_count++;
    fill_window(link, now_ms);
    return JRG_STATUS_OK;
}

void jrg_link_tell(jrg_link *link, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes)
{
    if (link->session != 0 && len_bytes <= JRG_LIMIT_MAX_PAYLOAD_BYTES)
        write_whole(link, type, payload, len_bytes);
}

/* ---- session (L2) ------------------------------------------------------------------------------------------------- */

static void forget_session(jrg_link *link)
{
    link->session = 0;
    link->window = 0;
    link->send_base = 0;
    link->send_count = 0;
    link->acked = link->next = link->highest = 0;
    link->under_way_count = 0;
    link->timeouts = 0;
    link->expected = 0;
    link->acks_owed = 0;
    link->naked_ago = 0;
    link->segmented = false;
    link->refused = false;
    link->part_bytes = 0;
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
    return offered < JRG_LINK_WINDOW ? offered : (uint8_t)JRG_LINK_WINDOW;
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
    write_whole(link, JRG_FRAME_TYPE_HELLO, answer, sizeof answer);
    link->user.opened(link->user.context);
}

static void lose_link(jrg_link *link)
{
    forget_session(link);
    link->reset_cause = JRG_RESET_CAUSE_LINK_LOST;
}

/* ---- in ----------------------------------------------------------------------------------------------------------- */

/* A NAK for a gap, and another when what was sent again after it must have been lost too (L3.2). */
static void report_gap(jrg_link *link)
{
    uint8_t under_way = link->segmented ? JRG_COUNT_FLIGHT_ON_NOISE : link->window;
    if (link->naked_ago == 0 || link->naked_ago >= under_way) {
        link->naked_ago = 0;
        link->counters.naks++;
        write_control(link, JRG_FRAME_TYPE_NAK);
    }
    link->naked_ago++;
}

/* Takes the acknowledged frames off the list. Karn's rule: a frame sent twice says nothing about the round trip. */
static void note_arrived(jrg_link *link, jrg_link_position position, uint32_t now_ms)
{
    uint8_t count = 0;
    while (count < link->under_way_count && link->under_way[count].end <= position) {
        if (!link->under_way[count].sent_again)
            jrg_segment_arrived(&link->segment, link->under_way[count].len_bytes);
        count++;
    }
    if (count > 0 && !link->under_way[count - 1].sent_again)
        jrg_rto_measure(&link->rto, now_ms - link->under_way[count - 1].sent_ms);
    link->under_way_count = (uint8_t)(link->under_way_count - count);
    memmove(link->under_way, link->under_way + count, link->under_way_count * sizeof link->under_way[0]);
    jrg_rto_progress(&link->rto);
}

/* Positions count from the oldest message that is not acknowledged. */
static void forget_messages(jrg_link *link, uint8_t count)
{
    jrg_link_position gone = (jrg_link_position)(count * MESSAGE);
    link->send_base = (uint8_t)(link->send_base + count);
    link->send_count = (uint8_t)(link->send_count - count);
    link->acked = (jrg_link_position)(link->acked - gone);
    link->next = (jrg_link_position)(link->next - gone);
    link->highest = (jrg_link_position)(link->highest - gone);
    for (uint8_t i = 0; i < link->under_way_count; i++)
        link->under_way[i].end = (jrg_link_position)(link->under_way[i].end - gone);
}

/* Whether an acknowledgement names a place that was sent. */
static bool is_sent(jrg_link *link, uint8_t messages, uint8_t offset)
{
    if (messages > link->send_count || messages * MESSAGE + offset > link->highest)
        return false;
    return offset == 0 ||
           (messages < link->send_count && offset < slot_of(link, (uint8_t)(link->send_base + messages))->len_bytes);
}

static void receive_ack(jrg_link *link, const jrg_frame *frame, uint32_t now_ms)
{
    uint8_t messages = (uint8_t)(frame->ack - link->send_base);
    jrg_link_position position = (jrg_link_position)(messages * MESSAGE + frame->ack_offset);
    if (!is_sent(link, messages, frame->ack_offset) || position <= link->acked)
        return;
    note_arrived(link, position, now_ms);
    link->acked = position;
    if (link->next < position)
        link->next = position;
    forget_messages(link, messages);
    link->timeouts = 0;
    link->timer_ms = now_ms;
}

/* The message the user had no room for is a gap like any other, reported when there is room. */
static void ask_for_refused(jrg_link *link)
{
    if (!link->refused || jrg_link_room(link) == 0)
        return;
    link->refused = false;
    link->naked_ago = 0;
    report_gap(link);
}

static void acknowledge(jrg_link *link)
{
    link->acks_owed++;
    if (link->window <= SMALL_WINDOW || link->acks_owed >= FRAMES_PER_ACK)
        write_control(link, JRG_FRAME_TYPE_ACK);
}

/* The number moves on first, so that an answer sent from within `take` acknowledges this message. */
static bool take_message(jrg_link *link)
{
    uint8_t len_bytes = link->part_bytes;
    link->part_bytes = 0;
    link->expected++;
    if (link->user.take(link->user.context, (jrg_frame_type)link->part_type, link->part, len_bytes))
        return true;
    link->expected--;
    link->refused = true;
    return false;
}

/* L3.7. What the user has no room for is as if its last segment had not come. */
static void take_segment(jrg_link *link, const jrg_frame *frame)
{
    uint16_t session = link->session;
    link->part_type = frame->type;
    link->part_total = frame->total;
    memcpy(link->part + frame->offset, frame->payload, frame->len_bytes);
    link->part_bytes = (uint8_t)(frame->offset + frame->len_bytes);
    if (link->part_bytes == frame->total && !take_message(link)) {
        link->part_bytes = frame->offset;
        return;
    }
    link->naked_ago = 0;
    link->refused = false;
    if (link->session == session && link->acks_owed < UINT8_MAX)
        acknowledge(link);
}

static void repeat_acknowledgement(jrg_link *link)
{
    link->counters.duplicates++;
    write_control(link, JRG_FRAME_TYPE_ACK);
}

static void receive_segment(jrg_link *link, const jrg_frame *frame)
{
    bool is_other = frame->type != link->part_type || frame->total != link->part_total;
    if (link->part_bytes > 0 && is_other)
        link->counters.bad_frames++;
    else if (frame->offset > link->part_bytes && !link->refused)
        report_gap(link);
    else if (frame->offset <= link->part_bytes && frame->offset + frame->len_bytes <= link->part_bytes &&
             frame->total > 0)
        repeat_acknowledgement(link);
    else if (frame->offset <= link->part_bytes)
        take_segment(link, frame);
}

/* L3.2. Half of the numbers lie behind, the other half ahead. */
static void receive_sequenced(jrg_link *link, const jrg_frame *frame)
{
    uint8_t ahead = (uint8_t)(frame->seq - link->expected);
    link->segmented = frame->len_bytes < frame->total;
    if (ahead == 0)
        receive_segment(link, frame);
    else if (ahead >= 128)
        repeat_acknowledgement(link);
    else if (!link->refused)
        report_gap(link);
}

/* L3.8. A timeout is no loss: under load a host that is only slow makes many of them. */
static void note_loss(jrg_link *link)
{
    uint32_t wasted_bytes = 0;
    for (uint8_t i = 0; i < link->under_way_count; i++)
        wasted_bytes += link->under_way[i].len_bytes + JRG_LIMIT_FRAME_OVERHEAD_BYTES;
    if (wasted_bytes > 0)
        jrg_segment_wasted(&link->segment, wasted_bytes);
}

/* The other side has answered: it is there, however little of what was sent has arrived (L3.3). */
static void receive_nak(jrg_link *link, uint32_t now_ms)
{
    jrg_rto_progress(&link->rto);
    note_loss(link);
    send_again(link, now_ms);
}

static void receive_in_session(jrg_link *link, const jrg_frame *frame, uint32_t now_ms)
{
    receive_ack(link, frame, now_ms);
    if (frame->type == JRG_FRAME_TYPE_ACK || frame->type == JRG_FRAME_TYPE_NAK)
        link->timeouts = 0;
    if (frame->type == JRG_FRAME_TYPE_NAK)
        receive_nak(link, now_ms);
    else if (jrg_frame_is_sequenced(frame->type))
        receive_sequenced(link, frame);
    else if (frame->type < JRG_FRAME_TYPE_ACK || frame->type > JRG_FRAME_TYPE_RESET)
        link->counters.bad_frames++;
    fill_window(link, now_ms);
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
    if (link->under_way_count == 0)
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
    if (link->under_way_count > 0 && now_ms - link->timer_ms >= link->rto.timeout_ms)
        time_out(link, now_ms);
}

uint32_t jrg_link_round_trip_ms(const jrg_link *link)
{
    return link->rto.smoothed_ms_x8 / 8;
}
