/* SHA-256 (FIPS 180-4) of several texts in step, a text a lane; vectors are those of GCC and Clang, for any processor.
 *
 * No function takes or returns a vector: how 64 bytes are passed depends on the processor (without AVX-512 GCC warns of it).
 */
#ifndef JRG_SHA256_LANES_H
#define JRG_SHA256_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JRG_SHA256_LANES 16u
#define JRG_SHA256_BLOCK_BYTES 64u
#define JRG_SHA256_LENGTH_BYTES 8u

typedef uint32_t jrg_sha256_words __attribute__((vector_size(4u * JRG_SHA256_LANES)));

/* A digest of each lane, as eight words; the first are the first. */
typedef struct {
    jrg_sha256_words words[8];
} jrg_sha256_digests;

/* 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t jrg_sha256_constants[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
};

/* 5.3.3: of the square roots of the first 8. */
static const uint32_t jrg_sha256_first[8] = {
    0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
};

/* Of a vector, which is read twice. */
#define JRG_SHA256_ROTATED(value, bits) ((value) >> (bits) | (value) << (32u - (bits)))

/* 6.2.2, step 1: makes the word of a round, ring[round % 16]. The ring holds the last 16 words of the schedule. */
static inline void jrg_sha256_make_word(jrg_sha256_words ring[16], uint32_t round)
{
    const jrg_sha256_words before_2 = ring[(round - 2u) % 16u];
    const jrg_sha256_words before_15 = ring[(round - 15u) % 16u];
    const jrg_sha256_words sigma_1 =
        JRG_SHA256_ROTATED(before_2, 17) ^ JRG_SHA256_ROTATED(before_2, 19) ^ before_2 >> 10;
    const jrg_sha256_words sigma_0 =
        JRG_SHA256_ROTATED(before_15, 7) ^ JRG_SHA256_ROTATED(before_15, 18) ^ before_15 >> 3;
    ring[round % 16u] += sigma_1 + ring[(round - 7u) % 16u] + sigma_0;
}

/* 6.2.2, steps 2 to 4. ring: the 16 words of a block of each lane; it is used up. */
static void jrg_sha256_add_block(jrg_sha256_digests *state, jrg_sha256_words ring[16])
{
    jrg_sha256_words a = state->words[0], b = state->words[1], c = state->words[2], d = state->words[3];
    jrg_sha256_words e = state->words[4], f = state->words[5], g = state->words[6], h = state->words[7];
    for (uint32_t round = 0; round < 64u; round++) {
        if (round >= 16u) {
            jrg_sha256_make_word(ring, round);
        }
        const jrg_sha256_words word = ring[round % 16u];
        const jrg_sha256_words sum_1 = JRG_SHA256_ROTATED(e, 6) ^ JRG_SHA256_ROTATED(e, 11) ^ JRG_SHA256_ROTATED(e, 25);
        const jrg_sha256_words t1 = h + sum_1 + ((e & f) ^ (~e & g)) + jrg_sha256_constants[round] + word;
        const jrg_sha256_words sum_0 = JRG_SHA256_ROTATED(a, 2) ^ JRG_SHA256_ROTATED(a, 13) ^ JRG_SHA256_ROTATED(a, 22);
        const jrg_sha256_words t2 = sum_0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    const jrg_sha256_words found[8] = {a, b, c, d, e, f, g, h};
    for (uint32_t word = 0; word < 8u; word++) {
        state->words[word] += found[word];
    }
}

static inline uint32_t jrg_sha256_word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* How long a text becomes with its padding (5.1.1). */
static inline size_t jrg_sha256_padded_bytes(size_t len_bytes)
{
    const size_t least = len_bytes + 1u + JRG_SHA256_LENGTH_BYTES;
    return (least + JRG_SHA256_BLOCK_BYTES - 1u) / JRG_SHA256_BLOCK_BYTES * JRG_SHA256_BLOCK_BYTES;
}

/* 5.1.1: a one bit, zeros, and the length in bits, behind a text in its own memory. */
static void jrg_sha256_pad(uint8_t *text, size_t len_bytes)
{
    const size_t end = jrg_sha256_padded_bytes(len_bytes);
    memset(text + len_bytes, 0, end - len_bytes);
    text[len_bytes] = 0x80;
    for (uint32_t byte = 0; byte < JRG_SHA256_LENGTH_BYTES; byte++) {
        text[end - 1u - byte] = (uint8_t)((uint64_t)len_bytes * 8u >> 8u * byte);
    }
}

/* state: becomes the digests of padded texts, `stride_bytes` apart. blocks: of each lane's text. */
static void jrg_sha256_of_lanes(jrg_sha256_digests *state, const uint8_t *texts, size_t stride_bytes,
                                const uint32_t blocks[JRG_SHA256_LANES])
{
    jrg_sha256_words left;
    uint32_t most = 0;
    for (uint32_t lane = 0; lane < JRG_SHA256_LANES; lane++) {
        left[lane] = blocks[lane];
        most = blocks[lane] > most ? blocks[lane] : most;
    }
    for (uint32_t word = 0; word < 8u; word++) {
        state->words[word] = (jrg_sha256_words){0} + jrg_sha256_first[word];
    }
    for (uint32_t block = 0; block < most; block++) {
        const jrg_sha256_words goes_on = (jrg_sha256_words)(left > block);
        const jrg_sha256_digests before = *state;
        jrg_sha256_words ring[16];
        for (uint32_t lane = 0; lane < JRG_SHA256_LANES; lane++) {
            const uint8_t *own =
                texts + lane * stride_bytes + (block < blocks[lane] ? block : 0u) * JRG_SHA256_BLOCK_BYTES;
            for (uint32_t word = 0; word < 16u; word++) {
                ring[word][lane] = jrg_sha256_word_at(own + 4u * word);
            }
        }
        jrg_sha256_add_block(state, ring);
        for (uint32_t word = 0; word < 8u; word++) {
            state->words[word] = (state->words[word] & goes_on) | (before.words[word] & ~goes_on);
        }
    }
}

#endif
