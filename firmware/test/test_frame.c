/* L1: COBS, CRC-32, frames. */
#include "jrg_cobs.h"
#include "jrg_crc32.h"
#include "jrg_frame.h"
#include "jrg_test.h"

static void check_cobs(const uint8_t *bytes, size_t len_bytes)
{
    uint8_t encoded[JRG_COBS_ENCODED_BYTES(1024)];
    size_t encoded_bytes = jrg_cobs_encode(bytes, len_bytes, encoded);
    CHECK(encoded_bytes <= JRG_COBS_ENCODED_BYTES(len_bytes));
    CHECK(memchr(encoded, 0, encoded_bytes) == NULL);
    CHECK_EQUAL(jrg_cobs_decode(encoded, &encoded_bytes), JRG_STATUS_OK);
    CHECK_EQUAL(encoded_bytes, len_bytes);
    CHECK(len_bytes == 0 || memcmp(encoded, bytes, len_bytes) == 0);
}

TEST(l1_1_cobs_gives_back_every_length_and_pattern)
{
    uint8_t bytes[1024];
    for (unsigned pattern = 0; pattern < 3; pattern++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(pattern == 0 ? 0 : pattern == 1 ? 1 + i % 255 : i % 7);
        for (size_t len_bytes = 0; len_bytes <= sizeof bytes; len_bytes++)
            check_cobs(bytes, len_bytes);
    }
}

TEST(l1_1_cobs_examples_of_the_paper)
{
    const uint8_t zero[] = {0}, mixed[] = {0x11, 0x22, 0x00, 0x33};
    const uint8_t mixed_encoded[] = {3, 0x11, 0x22, 2, 0x33};
    uint8_t out[8];
    CHECK_EQUAL(jrg_cobs_encode(zero, 1, out), 2);
    CHECK(out[0] == 1 && out[1] == 1);
    CHECK_EQUAL(jrg_cobs_encode(mixed, 4, out), 5);
    CHECK(memcmp(out, mixed_encoded, 5) == 0);
}

TEST(l1_3_cobs_refuses_a_block_that_goes_on_behind_the_end)
{
    uint8_t cut[] = {5, 1, 2};
    size_t len_bytes = sizeof cut;
    CHECK_EQUAL(jrg_cobs_decode(cut, &len_bytes), JRG_STATUS_BAD_FRAME);
}

TEST(l1_1_crc_is_that_of_zlib)
{
    const uint8_t check[] = "123456789";
    CHECK_EQUAL(jrg_crc32(0, check, 9), 0xCBF43926);
    CHECK_EQUAL(jrg_crc32(jrg_crc32(0, check, 4), check + 4, 5), 0xCBF43926);
    CHECK_EQUAL(jrg_crc32(0, check, 0), 0);
}

static size_t example(uint16_t len_bytes, uint8_t *out)
{
    static uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    for (unsigned i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 5);
    jrg_frame frame = {.major = 1, .type = 3, .seq = 7, .ack = 9, .ack_offset = 200, .session = 0xABCD};
    frame.total = (uint8_t)len_bytes;
    frame.len_bytes = len_bytes;
    frame.payload = payload;
    return jrg_frame_encode(&frame, out);
}

TEST(l1_1_a_frame_comes_back_as_it_was)
{
    for (uint16_t len_bytes = 0; len_bytes <= JRG_LIMIT_MAX_PAYLOAD_BYTES; len_bytes++) {
        uint8_t encoded[JRG_LIMIT_MAX_ENCODED_BYTES];
        jrg_frame frame;
        size_t encoded_bytes = example(len_bytes, encoded);
        CHECK_EQUAL(encoded[encoded_bytes - 1], 0);
        CHECK_EQUAL(jrg_frame_decode(encoded, encoded_bytes - 1, &frame), JRG_STATUS_OK);
        CHECK_EQUAL(frame.major, 1);
        CHECK_EQUAL(frame.type, 3);
        CHECK_EQUAL(frame.seq, 7);
        CHECK_EQUAL(frame.ack, 9);
        CHECK_EQUAL(frame.ack_offset, 200);
        CHECK_EQUAL(frame.session, 0xABCD);
        CHECK_EQUAL(frame.len_bytes, len_bytes);
        for (unsigned i = 0; i < len_bytes; i++)
            CHECK_EQUAL(frame.payload[i], (uint8_t)(i * 5));
    }
}

/* Every single wrong byte is noticed, whatever it does to the encoding. */
TEST(l1_3_a_changed_byte_is_never_taken)
{
    uint8_t encoded[JRG_LIMIT_MAX_ENCODED_BYTES], changed[JRG_LIMIT_MAX_ENCODED_BYTES];
    size_t encoded_bytes = example(40, encoded) - 1;
    for (size_t at = 0; at < encoded_bytes; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            jrg_frame frame;
            memcpy(changed, encoded, encoded_bytes);
            changed[at] = (uint8_t)(changed[at] ^ flip);
            CHECK(jrg_frame_decode(changed, encoded_bytes, &frame) != JRG_STATUS_OK);
        }
    }
}

static jrg_status decode_at(uint8_t type, uint8_t offset, uint8_t len_bytes, uint8_t total)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES] = {0}, encoded[JRG_LIMIT_MAX_ENCODED_BYTES];
    jrg_frame frame = {.major = 1, .type = type, .offset = offset, .total = total, .len_bytes = len_bytes};
    frame.payload = payload;
    size_t encoded_bytes = jrg_frame_encode(&frame, encoded);
    return jrg_frame_decode(encoded, encoded_bytes - 1, &frame);
}

TEST(l1_3_a_segment_that_does_not_lie_in_its_message_is_refused)
{
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 100, 20, 120), JRG_STATUS_OK);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 0, 20, 120), JRG_STATUS_OK);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 0, 0, 0), JRG_STATUS_OK);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 101, 20, 120), JRG_STATUS_BAD_FRAME);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 230, 11, 241), JRG_STATUS_BAD_FRAME);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 0, 0, 1), JRG_STATUS_BAD_FRAME);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_DATA, 255, 1, 240), JRG_STATUS_BAD_FRAME);
    CHECK_EQUAL(decode_at(JRG_FRAME_TYPE_EVENT, 0, 20, 120), JRG_STATUS_BAD_FRAME);
}

TEST(l1_3_too_short_is_refused)
{
    uint8_t plain[11] = {0x11}, encoded[16];
    jrg_frame frame;
    size_t encoded_bytes = jrg_cobs_encode(plain, sizeof plain, encoded);
    CHECK_EQUAL(jrg_frame_decode(encoded, encoded_bytes, &frame), JRG_STATUS_BAD_FRAME);
    CHECK_EQUAL(jrg_frame_decode(encoded, 0, &frame), JRG_STATUS_BAD_FRAME);
}
