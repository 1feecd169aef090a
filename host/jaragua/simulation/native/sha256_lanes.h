/* SHA-256 (FIPS 180-4) of several texts in step, a text a lane; vectors are those of GCC and Clang, for any processor.
 *
 * No function takes or returns a vector: how 64 bytes are passed depends on the processor (without AVX-512 GCC warns of it).
 */
#ifndef JRG_SHA256_LANES_H
#define JRG_SHA256_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "jrg_sha256_words.h" // jrg_sha256_round

#define JRG_SHA256_LANES 16u

typedef uint32_t jrg_sha256_words __attribute__((vector_size(4u * JRG_SHA256_LANES)));

/* A digest of each lane, as eight words; the first are the first. */
typedef struct {
    jrg_sha256_words words[8];
} jrg_sha256_digests;

/* 6.2.2, step 1: makes the word of a round, ring[round % 16]. The ring holds the last 16 words of the schedule. */
static inline void jrg_sha256_make_word(jrg_sha256_words ring[16], uint32_t round)
{
    const jrg_sha256_words before_2 = ring[(round - 2u) % 16u];
    const jrg_sha256_words before_15 = ring[(round - 15u) % 16u];
    ring[round % 16u] += JRG_SHA256_SIGMA_1(before_2) + ring[(round - 7u) % 16u] + JRG_SHA256_SIGMA_0(before_15);
}

/* 6.2.2, steps 2 to 4. ring: the 16 words of a block of each lane; it is used up. */
static void jrg_sha256_add_block(jrg_sha256_digests *state, jrg_sha256_words ring[16])
{
    jrg_sha256_words a = state->words[0], b = state->words[1], c = state->words[2], d = state->words[3];
    jrg_sha256_words e = state->words[4], f = state->words[5], g = state->words[6], h = state->words[7];
    for (uint32_t round = 0; round < JRG_SHA256_ROUNDS; round++) {
        if (round >= 16u) {
            jrg_sha256_make_word(ring, round);
        }
        const jrg_sha256_words word = ring[round % 16u];
        const jrg_sha256_words t1 =
            h + JRG_SHA256_SUM_1(e) + JRG_SHA256_CHOICE(e, f, g) + jrg_sha256_round[round] + word;
        const jrg_sha256_words t2 = JRG_SHA256_SUM_0(a) + JRG_SHA256_MAJORITY(a, b, c);
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    const jrg_sha256_words found[8] = {a, b, c, d, e, f, g, h};
    for (uint32_t word = 0; word < 8u; word++) {
        state->words[word] += found[word];
    }
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
        state->words[word] = (jrg_sha256_words){0} + jrg_sha256_start[word];
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
