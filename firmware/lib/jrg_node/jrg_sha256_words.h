/* The numbers and functions of SHA-256 (FIPS 180-4), for a word or for vectors of words: jrg_sha256.c computes one digest,
 * sha256_lanes.h of the simulation several in step. */
#ifndef JRG_SHA256_WORDS_H
#define JRG_SHA256_WORDS_H

#include <stdint.h>

#define JRG_SHA256_ROUNDS 64u
#define JRG_SHA256_BLOCK_BYTES 64u
#define JRG_SHA256_LENGTH_BYTES 8u

/* 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t jrg_sha256_round[JRG_SHA256_ROUNDS] = {
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
static const uint32_t jrg_sha256_start[8] = {
    0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
};

/* 4.1.2. Macros, as no function takes words and vectors; arguments are read several times. */
#define JRG_SHA256_ROTATED(value, bits) ((value) >> (bits) | (value) << (32u - (bits)))
#define JRG_SHA256_CHOICE(e, f, g) (((e) & (f)) ^ (~(e) & (g)))
#define JRG_SHA256_MAJORITY(a, b, c) (((a) & (b)) ^ ((a) & (c)) ^ ((b) & (c)))
#define JRG_SHA256_SUM_0(a) (JRG_SHA256_ROTATED(a, 2u) ^ JRG_SHA256_ROTATED(a, 13u) ^ JRG_SHA256_ROTATED(a, 22u))
#define JRG_SHA256_SUM_1(e) (JRG_SHA256_ROTATED(e, 6u) ^ JRG_SHA256_ROTATED(e, 11u) ^ JRG_SHA256_ROTATED(e, 25u))
#define JRG_SHA256_SIGMA_0(word) (JRG_SHA256_ROTATED(word, 7u) ^ JRG_SHA256_ROTATED(word, 18u) ^ (word) >> 3)
#define JRG_SHA256_SIGMA_1(word) (JRG_SHA256_ROTATED(word, 17u) ^ JRG_SHA256_ROTATED(word, 19u) ^ (word) >> 10)

/* The word that four bytes are. */
static inline uint32_t jrg_sha256_word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

#endif
