#include "jrg_sha256.h"

#include <string.h>

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8, ROUNDS = 64 };

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t jrg_sha256_round[ROUNDS] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
};

/* FIPS 180-4, 5.3.3: of the square roots of the first 8. */
static const uint32_t jrg_sha256_start[8] = {
    0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
};

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value >> bits | value << (32 - bits);
}

static uint32_t get_big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

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
    uint32_t sigma_1 = rotate(before_2, 17) ^ rotate(before_2, 19) ^ before_2 >> 10;
    uint32_t sigma_0 = rotate(before_15, 7) ^ rotate(before_15, 18) ^ before_15 >> 3;
    words[round % 16] += sigma_1 + words[(round - 7) % 16] + sigma_0;
    return words[round % 16];
}

/* FIPS 180-4, 6.2.2, step 3; v is a..h. */
static void do_round(uint32_t v[8], uint32_t word, uint32_t constant)
{
    uint32_t sum_1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
    uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    uint32_t t1 = v[7] + sum_1 + choice + constant + word;
    uint32_t sum_0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
    uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1;
    v[0] = t1 + sum_0 + majority;
}

static void add_block(uint32_t state[8], const uint8_t block[BLOCK_BYTES])
{
    uint32_t words[16];
    uint32_t v[8];
    for (unsigned i = 0; i < 16; i++)
        words[i] = get_big_endian(block + 4 * i);
    memcpy(v, state, sizeof v);
    for (unsigned round = 0; round < ROUNDS; round++)
        do_round(v, round < 16 ? words[round] : next_word(words, round), jrg_sha256_round[round]);
    for (unsigned i = 0; i < 8; i++)
        state[i] += v[i];
}

/* FIPS 180-4, 5.1.1: a one bit, zeros, and the length in bits. */
static void add_padding(uint32_t state[8], const uint8_t *rest, size_t rest_bytes, uint64_t len_bytes)
{
    uint8_t block[BLOCK_BYTES] = {0};
    if (rest_bytes > 0)
        memcpy(block, rest, rest_bytes);
    block[rest_bytes] = 0x80;
    if (rest_bytes + 1 > BLOCK_BYTES - LENGTH_BYTES) {
        add_block(state, block);
        memset(block, 0, sizeof block);
    }
    put_big_endian(block + BLOCK_BYTES - 8, (uint32_t)(len_bytes >> 29));
    put_big_endian(block + BLOCK_BYTES - 4, (uint32_t)(len_bytes << 3));
    add_block(state, block);
}

void jrg_sha256(const uint8_t *bytes, size_t len_bytes, uint8_t digest[JRG_SHA256_BYTES])
{
    uint32_t state[8];
    size_t whole_bytes = len_bytes - len_bytes % BLOCK_BYTES;
    memcpy(state, jrg_sha256_start, sizeof state);
    for (size_t at = 0; at < whole_bytes; at += BLOCK_BYTES)
        add_block(state, bytes + at);
    add_padding(state, bytes + whole_bytes, len_bytes - whole_bytes, len_bytes);
    for (unsigned i = 0; i < 8; i++)
        put_big_endian(digest + 4 * i, state[i]);
}
