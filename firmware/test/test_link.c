/* L2 and L3: session, delivery, time. */
#include "fake_host.h"
#include "jrg_bytes.h"
#include "jrg_link.h"
#include "jrg_test.h"

enum { TAKEN_MOST = 64 };

static fake_host host;
static jrg_link board;
static struct {
    unsigned count, opened;
    uint8_t first_byte[TAKEN_MOST];
    uint16_t len_bytes[TAKEN_MOST];
    bool refuse;
} user;

static bool take(void *context, jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes)
{
    (void)context;
    (void)type;
    if (user.refuse)
        return false;
    CHECK(user.count < TAKEN_MOST && len_bytes > 0);
    user.len_bytes[user.count] = len_bytes;
    user.first_byte[user.count++] = payload[0];
    return true;
}

static void opened(void *context)
{
    (void)context;
    user.opened++;
}

static void boot(void)
{
    jrg_link_user callbacks = {.context = &host, .write = fake_host_write, .take = take, .opened = opened};
    memset(&user, 0, sizeof user);
    memset(&host, 0, sizeof host);
    jrg_link_init(&board, &callbacks, 0x1234, JRG_RESET_CAUSE_POWER_ON);
}

static void hello(uint16_t nonce, uint8_t window)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    jrg_link_receive(&board, bytes, fake_host_hello_bytes(nonce, window, bytes), 0);
}

static void connect(uint8_t window)
{
    boot();
    hello(7, window);
    CHECK(host.session != 0);
    fake_host_forget(&host);
}

static void say(jrg_frame_type type, uint8_t content, uint32_t now_ms)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    jrg_link_receive(&board, bytes, fake_host_frame_bytes(&host, type, &content, 1, bytes), now_ms);
}

/* Nothing but acknowledgement `expect`, or a NAK for it. */
static void say_ack(jrg_frame_type type, uint8_t expect, uint32_t now_ms)
{
    host.expect = expect;
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    jrg_link_receive(&board, bytes, fake_host_frame_bytes(&host, type, NULL, 0, bytes), now_ms);
}

static void send(uint8_t content, uint32_t now_ms)
{
    CHECK_EQUAL(jrg_link_send(&board, JRG_FRAME_TYPE_MSG, &content, 1, now_ms), JRG_STATUS_OK);
}

TEST(l2_1_hello_is_answered_with_the_nonce_and_the_smaller_window)
{
    boot();
    hello(0xBEEF, 5);
    const fake_host_frame *answer = fake_host_newest(&host, JRG_FRAME_TYPE_HELLO);
    CHECK(answer != NULL && user.opened == 1);
    CHECK_EQUAL(answer->header.len_bytes, JRG_LIMIT_HELLO_BYTES);
    CHECK_EQUAL(jrg_bytes_get_u16(answer->payload), 0xBEEF);
    CHECK_EQUAL(answer->payload[2], 5);
    CHECK_EQUAL(answer->payload[3], JRG_PROTOCOL_MAJOR);
    CHECK(answer->header.session != 0);
    hello(0xBEEF, 200);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_HELLO)->payload[2], JRG_LIMIT_MAX_WINDOW);
    hello(0xBEEF, 0);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_HELLO)->payload[2], 1);
}

TEST(l2_2_no_nonce_gives_session_zero_and_another_boot_another_session)
{
    unsigned same = 0;
    boot();
    for (unsigned nonce = 0; nonce < 65536; nonce++) {
        hello((uint16_t)nonce, 8);
        uint16_t session = host.session;
        CHECK(session != 0);
        board.boot_nonce ^= 0x5555;
        hello((uint16_t)nonce, 8);
        same += session == host.session;
        fake_host_forget(&host);
    }
    CHECK(same <= 2);
}

TEST(l2_2_hello_drops_what_was_under_way)
{
    connect(8);
    send(1, 0);
    hello(8, 8);
    CHECK_EQUAL(jrg_link_room(&board), 8);
    CHECK_EQUAL(jrg_link_wait_ms(&board, 0), JRG_LINK_FOREVER_MS);
    say(JRG_FRAME_TYPE_MSG, 3, 0);
    CHECK_EQUAL(user.count, 1);
}

TEST(l2_3_a_booted_board_answers_any_session_with_reset)
{
    boot();
    host.session = 99;
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    CHECK_EQUAL(user.count, 0);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_RESET)->payload[0], JRG_RESET_CAUSE_POWER_ON);
    connect(8);
    host.session ^= 1;
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_RESET)->payload[0], JRG_RESET_CAUSE_SESSION);
}

TEST(l2_3_a_reset_is_not_answered_with_a_reset)
{
    boot();
    host.session = 99;
    say(JRG_FRAME_TYPE_RESET, 6, 0);
    CHECK_EQUAL(host.count, 0);
}

TEST(l3_1_frames_are_taken_in_order_and_acknowledged)
{
    connect(8);
    for (uint8_t i = 0; i < 10; i++)
        say(JRG_FRAME_TYPE_DATA, i, 0);
    jrg_link_poll(&board, 0);
    CHECK_EQUAL(user.count, 10);
    for (uint8_t i = 0; i < 10; i++)
        CHECK_EQUAL(user.first_byte[i], i);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack, 10);
}

TEST(l3_1_numbers_go_on_after_255)
{
    connect(8);
    for (unsigned i = 0; i < 600; i++) {
        say(JRG_FRAME_TYPE_SAMPLE, (uint8_t)i, 0);
        send((uint8_t)i, 0);
        CHECK_EQUAL(user.first_byte[0], (uint8_t)i);
        say_ack(JRG_FRAME_TYPE_ACK, (uint8_t)(i + 1), 0);
        user.count = 0;
        fake_host_forget(&host);
    }
    CHECK_EQUAL(jrg_link_room(&board), 8);
}

TEST(l3_1_no_more_than_the_window_is_under_way)
{
    connect(3);
    for (uint8_t i = 0; i < 3; i++)
        send(i, 0);
    uint8_t content = 9;
    CHECK_EQUAL(jrg_link_send(&board, JRG_FRAME_TYPE_MSG, &content, 1, 0), JRG_STATUS_FULL);
    say_ack(JRG_FRAME_TYPE_ACK, 2, 0);
    CHECK_EQUAL(jrg_link_room(&board), 2);
}

TEST(l3_1_an_acknowledgement_of_what_was_never_sent_changes_nothing)
{
    connect(8);
    send(1, 0);
    say_ack(JRG_FRAME_TYPE_ACK, 5, 0);
    CHECK_EQUAL(jrg_link_room(&board), 7);
}

TEST(l3_2_a_duplicate_is_acknowledged_and_not_taken_again)
{
    connect(8);
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    host.seq = 0;
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    CHECK_EQUAL(user.count, 1);
    CHECK_EQUAL(board.counters.duplicates, 1);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack, 1);
}

TEST(l3_2_a_gap_is_reported_once)
{
    connect(8);
    host.seq = 1;
    for (uint8_t i = 1; i < 5; i++)
        say(JRG_FRAME_TYPE_DATA, i, 0);
    CHECK_EQUAL(user.count, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_NAK), 1);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_NAK)->header.ack, 0);
    host.seq = 0;
    say(JRG_FRAME_TYPE_DATA, 0, 0);
    host.seq = 2;
    say(JRG_FRAME_TYPE_DATA, 2, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_NAK), 2);
}

TEST(l3_2_a_bad_crc_is_counted_and_reported)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES], content[3] = {1, 2, 3};
    connect(8);
    size_t len_bytes = fake_host_frame_bytes(&host, JRG_FRAME_TYPE_MSG, content, 3, bytes);
    bytes[len_bytes - 2] ^= 0x40;
    jrg_link_receive(&board, bytes, len_bytes, 0);
    CHECK_EQUAL(board.counters.bad_crc, 1);
    CHECK_EQUAL(user.count, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_NAK), 1);
}

TEST(l3_2_a_nak_brings_everything_again_from_its_number)
{
    connect(8);
    for (uint8_t i = 0; i < 5; i++)
        send(i, 0);
    fake_host_forget(&host);
    say_ack(JRG_FRAME_TYPE_NAK, 2, 10);
    CHECK_EQUAL(host.count, 3);
    CHECK_EQUAL(host.frames[0].header.seq, 2);
    CHECK_EQUAL(host.frames[0].payload[0], 2);
    CHECK_EQUAL(board.counters.retransmits, 3);
}

/* ---- segments (L3.7 to L3.9) ---------------------------------------------------------------------------------------- */

static void say_segment(uint8_t offset, uint8_t len_bytes, uint8_t total)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES], payload[JRG_LIMIT_MAX_PAYLOAD_BYTES] = {7};
    jrg_frame frame = {.major = JRG_PROTOCOL_MAJOR, .type = JRG_FRAME_TYPE_DATA, .seq = host.seq, .ack = host.expect};
    frame.session = host.session;
    frame.offset = offset;
    frame.total = total;
    frame.len_bytes = len_bytes;
    frame.payload = payload;
    jrg_link_receive(&board, bytes, jrg_frame_encode(&frame, bytes), 0);
}

TEST(l3_7_segments_make_one_message)
{
    connect(8);
    say_segment(0, 100, 240);
    CHECK_EQUAL(user.count, 0);
    jrg_link_poll(&board, 0);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack, 0);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack_offset, 100);
    say_segment(50, 100, 240); /* sent again in other segments: what is new of it counts */
    say_segment(150, 90, 240);
    CHECK_EQUAL(user.count, 1);
    CHECK_EQUAL(user.len_bytes[0], 240);
    jrg_link_poll(&board, 0);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack, 1);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack_offset, 0);
}

TEST(l3_7_a_segment_ahead_is_a_gap_and_one_behind_a_duplicate)
{
    connect(8);
    say_segment(0, 100, 240);
    say_segment(200, 40, 240);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_NAK)->header.ack_offset, 100);
    say_segment(0, 100, 240);
    CHECK_EQUAL(board.counters.duplicates, 1);
    CHECK_EQUAL(user.count, 0);
}

TEST(l3_7_a_segment_of_another_message_under_the_same_number_is_counted_and_dropped)
{
    connect(8);
    say_segment(0, 100, 240);
    say_segment(100, 20, 120);
    CHECK_EQUAL(board.counters.bad_frames, 1);
    CHECK_EQUAL(user.count, 0);
}

TEST(l4_10_a_refused_message_in_segments_needs_only_its_end_again)
{
    connect(1);
    send(1, 0);
    host.expect = 0;
    user.refuse = true;
    say_segment(0, 100, 200);
    say_segment(100, 100, 200);
    CHECK_EQUAL(user.count, 0);
    user.refuse = false;
    say_ack(JRG_FRAME_TYPE_ACK, 1, 1);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_NAK)->header.ack_offset, 100);
    say_segment(100, 100, 200);
    CHECK_EQUAL(user.len_bytes[0], 200);
}

static void send_long(uint32_t now_ms)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES] = {9};
    CHECK_EQUAL(jrg_link_send(&board, JRG_FRAME_TYPE_DATA, payload, sizeof payload, now_ms), JRG_STATUS_OK);
}

TEST(l3_8_a_loss_halves_the_segments_and_clean_frames_double_them)
{
    connect(8);
    for (unsigned i = 0; i < 4; i++)
        send_long(0);
    fake_host_forget(&host);
    say_ack(JRG_FRAME_TYPE_NAK, 0, 1);
    CHECK_EQUAL(host.count, JRG_COUNT_FLIGHT_ON_NOISE); /* L3.9 */
    CHECK_EQUAL(host.frames[1].header.offset, 120);
    CHECK_EQUAL(host.frames[1].header.len_bytes, 120);
    say_ack(JRG_FRAME_TYPE_ACK, 4, 2); /* it had come after all */
    CHECK_EQUAL(jrg_link_room(&board), 8);
    for (uint8_t expect = 5; expect < 18; expect++) {
        send_long(3);
        say_ack(JRG_FRAME_TYPE_ACK, expect, 4);
        fake_host_forget(&host);
    }
    send_long(5);
    CHECK_EQUAL(host.frames[0].header.len_bytes, 240);
}

TEST(l3_8_no_segment_is_smaller_than_the_smallest)
{
    connect(8);
    send_long(0);
    for (unsigned i = 0; i < 40; i++) {
        fake_host_forget(&host);
        say_ack(JRG_FRAME_TYPE_NAK, 0, 1);
        CHECK(host.frames[0].header.len_bytes >= JRG_LIMIT_MIN_SEGMENT_BYTES);
    }
    CHECK_EQUAL(host.frames[0].header.len_bytes, JRG_LIMIT_MIN_SEGMENT_BYTES);
    hello(9, 8); /* the size is the line's: it outlives the session */
    fake_host_forget(&host);
    send_long(2);
    CHECK_EQUAL(host.frames[0].header.len_bytes, JRG_LIMIT_MIN_SEGMENT_BYTES);
}

TEST(l3_7_an_acknowledgement_of_a_part_goes_on_from_there)
{
    connect(8);
    send_long(0);
    jrg_frame frame = {
        .major = JRG_PROTOCOL_MAJOR, .type = JRG_FRAME_TYPE_NAK, .session = host.session, .ack_offset = 60};
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    fake_host_forget(&host);
    jrg_link_receive(&board, bytes, jrg_frame_encode(&frame, bytes), 1);
    CHECK_EQUAL(host.frames[0].header.offset, 60);
    frame.ack_offset = 240; /* the end of a message is the next one's beginning */
    frame.type = JRG_FRAME_TYPE_ACK;
    jrg_link_receive(&board, bytes, jrg_frame_encode(&frame, bytes), 2);
    CHECK_EQUAL(jrg_link_room(&board), 7);
}

TEST(l3_2_a_gap_is_reported_again_when_what_was_sent_again_is_lost_too)
{
    connect(8);
    say_segment(0, 20, 40);
    for (unsigned i = 0; i < 2 * JRG_COUNT_FLIGHT_ON_NOISE; i++)
        say_segment(30, 10, 40);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_NAK), 2);
}

TEST(l3_3_a_link_that_is_answered_is_not_lost)
{
    uint32_t now_ms = 0;
    connect(8);
    send(1, 0);
    for (unsigned i = 0; i < 3 * JRG_COUNT_TIMEOUTS_UNTIL_LOST; i++) {
        now_ms += jrg_link_wait_ms(&board, now_ms);
        jrg_link_poll(&board, now_ms);
        say_ack(JRG_FRAME_TYPE_NAK, 0, now_ms);
        fake_host_forget(&host);
    }
    CHECK_EQUAL(jrg_link_room(&board), 7);
}

TEST(l3_3_silence_brings_everything_again_with_growing_patience)
{
    uint32_t now_ms = 0;
    uint32_t wait_ms = JRG_MS_RTO_FIRST;
    connect(8);
    send(1, 0);
    for (unsigned i = 1; i < JRG_COUNT_TIMEOUTS_UNTIL_LOST; i++) {
        CHECK_EQUAL(jrg_link_wait_ms(&board, now_ms), wait_ms);
        jrg_link_poll(&board, now_ms + wait_ms - 1);
        CHECK_EQUAL(board.counters.retransmits, i - 1);
        now_ms += wait_ms;
        jrg_link_poll(&board, now_ms);
        CHECK_EQUAL(board.counters.retransmits, i);
        wait_ms = wait_ms * 2 < JRG_MS_RTO_CEILING ? wait_ms * 2 : JRG_MS_RTO_CEILING;
    }
    jrg_link_poll(&board, now_ms + wait_ms);
    CHECK_EQUAL(jrg_link_room(&board), 0);
    CHECK_EQUAL(jrg_link_wait_ms(&board, now_ms), JRG_LINK_FOREVER_MS);
    say(JRG_FRAME_TYPE_MSG, 1, now_ms);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_RESET)->payload[0], JRG_RESET_CAUSE_LINK_LOST);
}

TEST(l3_3_timeout_follows_the_round_trip)
{
    connect(8);
    for (uint8_t i = 0; i < 40; i++) {
        send(i, 1000u * i);
        say_ack(JRG_FRAME_TYPE_ACK, (uint8_t)(i + 1), 1000u * i + 400);
    }
    CHECK_EQUAL(jrg_link_round_trip_ms(&board), 400);
    CHECK(board.rto.timeout_ms >= 400 && board.rto.timeout_ms < 450);
    for (uint8_t i = 40; i < 120; i++) {
        send(i, 1000u * i);
        say_ack(JRG_FRAME_TYPE_ACK, (uint8_t)(i + 1), 1000u * i + 2);
        fake_host_forget(&host);
    }
    CHECK_EQUAL(board.rto.timeout_ms, JRG_MS_RTO_FLOOR);
}

TEST(l3_3_first_measurement_after_rfc_6298)
{
    jrg_rto rto;
    jrg_rto_reset(&rto);
    CHECK_EQUAL(rto.timeout_ms, JRG_MS_RTO_FIRST);
    jrg_rto_measure(&rto, 100);
    jrg_rto_progress(&rto);
    CHECK_EQUAL(rto.timeout_ms, 100 + 4 * 50);
    jrg_rto_measure(&rto, 0xFFFFFFFF);
    jrg_rto_progress(&rto);
    CHECK_EQUAL(rto.timeout_ms, JRG_MS_RTO_CEILING);
}

TEST(l3_3_karn_a_frame_sent_again_measures_nothing)
{
    connect(8);
    send(1, 0);
    jrg_link_poll(&board, JRG_MS_RTO_FIRST);
    say_ack(JRG_FRAME_TYPE_ACK, 1, JRG_MS_RTO_FIRST + 1);
    CHECK(!board.rto.measured);
}

TEST(l3_3_something_new_acknowledged_ends_the_doubling)
{
    connect(8);
    send(1, 0);
    jrg_link_poll(&board, JRG_MS_RTO_FIRST);
    CHECK_EQUAL(board.rto.timeout_ms, 2 * JRG_MS_RTO_FIRST);
    say_ack(JRG_FRAME_TYPE_ACK, 1, JRG_MS_RTO_FIRST + 1);
    CHECK_EQUAL(board.rto.timeout_ms, JRG_MS_RTO_FIRST);
}

TEST(l3_3_timers_survive_the_wrap_of_the_clock)
{
    connect(8);
    send(1, UINT32_MAX - 99);
    CHECK_EQUAL(jrg_link_wait_ms(&board, 50), JRG_MS_RTO_FIRST - 150);
    jrg_link_poll(&board, 50);
    CHECK_EQUAL(board.counters.retransmits, 0);
    jrg_link_poll(&board, 150);
    CHECK_EQUAL(board.counters.retransmits, 1);
}

TEST(l3_4_every_second_frame_is_acknowledged_at_once_and_the_rest_when_idle)
{
    connect(8);
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_ACK), 0);
    CHECK_EQUAL(jrg_link_wait_ms(&board, 0), 0);
    say(JRG_FRAME_TYPE_MSG, 2, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_ACK), 1);
    say(JRG_FRAME_TYPE_MSG, 3, 0);
    jrg_link_poll(&board, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_ACK), 2);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_ACK)->header.ack, 3);
}

TEST(l3_4_an_answer_acknowledges_too)
{
    connect(8);
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    send(5, 0);
    jrg_link_poll(&board, 0);
    CHECK_EQUAL(host.count, 1);
    CHECK_EQUAL(host.frames[0].header.ack, 1);
}

TEST(l3_4_with_a_small_window_every_frame_is_acknowledged_at_once)
{
    connect(1);
    say(JRG_FRAME_TYPE_MSG, 1, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_ACK), 1);
}

TEST(l4_10_a_refused_frame_is_asked_for_when_there_is_room)
{
    connect(1);
    send(1, 0);
    host.expect = 0; /* not acknowledged yet */
    user.refuse = true;
    say(JRG_FRAME_TYPE_MSG, 7, 0);
    say(JRG_FRAME_TYPE_MSG, 8, 0);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_NAK), 0);
    user.refuse = false;
    say_ack(JRG_FRAME_TYPE_ACK, 1, 1);
    CHECK_EQUAL(fake_host_newest(&host, JRG_FRAME_TYPE_NAK)->header.ack, 0);
    host.seq = 0;
    say(JRG_FRAME_TYPE_MSG, 7, 2);
    CHECK_EQUAL(user.count, 1);
    CHECK_EQUAL(user.first_byte[0], 7);
}

TEST(l1_2_unknown_type_and_foreign_version_are_counted_and_dropped)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    connect(8);
    jrg_frame frame = {.major = JRG_PROTOCOL_MAJOR, .type = 15, .session = host.session};
    jrg_link_receive(&board, bytes, jrg_frame_encode(&frame, bytes), 0);
    frame.major = 2;
    frame.type = JRG_FRAME_TYPE_MSG;
    jrg_link_receive(&board, bytes, jrg_frame_encode(&frame, bytes), 0);
    CHECK_EQUAL(board.counters.bad_frames, 2);
    CHECK_EQUAL(user.count, 0);
}

TEST(l1_3_noise_and_endless_frames_are_dropped_and_the_next_frame_is_taken)
{
    uint8_t noise[1000];
    connect(8);
    memset(noise, 'x', sizeof noise);
    jrg_link_receive(&board, noise, sizeof noise, 0);
    jrg_link_receive(&board, (const uint8_t[]){0, 0, 0}, 3, 0);
    CHECK_EQUAL(board.counters.bad_frames, 1);
    say(JRG_FRAME_TYPE_MSG, 4, 0);
    CHECK_EQUAL(user.count, 1);
}

TEST(l3_6_log_and_event_need_a_session_and_no_place_in_the_window)
{
    boot();
    jrg_link_tell(&board, JRG_FRAME_TYPE_LOG, (const uint8_t *)"a", 1);
    CHECK_EQUAL(host.count, 0);
    connect(8);
    for (unsigned i = 0; i < 20; i++)
        jrg_link_tell(&board, JRG_FRAME_TYPE_LOG, (const uint8_t *)"a", 1);
    CHECK_EQUAL(fake_host_count(&host, JRG_FRAME_TYPE_LOG), 20);
    CHECK_EQUAL(jrg_link_room(&board), 8);
}
