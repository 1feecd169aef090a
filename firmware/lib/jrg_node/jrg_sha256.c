#include "jrg_sha256.h"

#include <string.h>

#include "jrg_sha256_words.h" // jrg_sha256_round

static void put_big_endian(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* FIPS 180-4, 6.2.2, step 1. The schedule is kept as a ring of the last 16 words. */
static uint32_t next_word(uint32_t words[16], unsigned round)
{
    uint32_t before_2 = words[(round - 2) % 16];
    uint32_t before_15 = words[(round - 15) % 16];
    words[round % 16] += JRG_SHA256_SIGMA_1(before_2) + words[(round - 7) % 16] + JRG_SHA256_SIGMA_0(before_15);
    return words[round % 16];
}

/* FIPS 180-4, 6.2.2, step 3; v is a..h. */
static void do_round(uint32_t v[8], uint32_t word, uint32_t constant)
{
    uint32_t t1 = v[7] + JRG_SHA256_SUM_1(v[4]) + JRG_SHA256_CHOICE(v[4], v[5], v[6]) + constant + word;
    uint32_t t2 = JRG_SHA256_SUM_0(v[0]) + JRG_SHA256_MAJORITY(v[0], v[1], v[2]);
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1;
    v[0] = t1 + t2;
}

static void add_block(uint32_t state[8], const uint8_t block[JRG_SHA256_BLOCK_BYTES])
{
    uint32_t words[16];
    uint32_t v[8];
    for (unsigned i = 0; i < 16; i++)
        words[i] = jrg_sha256_word_at(block + 4 * i);
    memcpy(v, state, sizeof v);
    for (unsigned round = 0; round < JRG_SHA256_ROUNDS; round++)
        do_round(v, round < 16 ? words[round] : next_word(words, round), jrg_sha256_round[round]);
    for (unsigned i = 0; i < 8; i++)
        state[i] += v[i];
}

/* FIPS 180-4, 5.1.1: a one bit, zeros, and the length in bits. */
static void add_padding(uint32_t state[8], const uint8_t *rest, size_t rest_bytes, uint64_t len_bytes)
{
    uint8_t block[JRG_SHA256_BLOCK_BYTES] = {0};
    if (rest_bytes > 0)
        memcpy(block, rest, rest_bytes);
    block[rest_bytes] = 0x80;
    if (rest_bytes + 1 > JRG_SHA256_BLOCK_BYTES - JRG_SHA256_LENGTH_BYTES) {
        add_block(state, block);
        memset(block, 0, sizeof block);
    }
    put_big_endian(block + JRG_SHA256_BLOCK_BYTES - 8, (uint32_t)(len_bytes >> 29));
    put_big_endian(block + JRG_SHA256_BLOCK_BYTES - 4, (uint32_t)(len_bytes << 3));
    add_block(state, block);
}

void jrg_sha256(const uint8_t *bytes, size_t len_bytes, uint8_t digest[JRG_SHA256_BYTES])
{
    uint32_t state[8];
    size_t whole_bytes = len_bytes - len_bytes % JRG_SHA256_BLOCK_BYTES;
    memcpy(state, jrg_sha256_start, sizeof state);
    for (size_t at = 0; at < whole_bytes; at += JRG_SHA256_BLOCK_BYTES)
        add_block(state, bytes + at);
    add_padding(state, bytes + whole_bytes, len_bytes - whole_bytes, len_bytes);
    for (unsigned i = 0; i < 8; i++)
        put_big_endian(digest + 4 * i, state[i]);
}
