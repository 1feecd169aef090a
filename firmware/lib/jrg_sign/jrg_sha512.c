#include "jrg_sha512.h"

#include <string.h>

enum { ROUNDS = 80, LENGTH_BYTES = 16 };

static const uint64_t first_words[JRG_SHA512_WORDS] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const uint64_t constants[ROUNDS] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu, 0x3956c25bf348b538u,
    0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u, 0xd807aa98a3030242u, 0x12835b0145706fbeu,
    0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u, 0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u,
    0xc19bf174cf692694u, 0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u, 0x983e5152ee66dfabu,
    0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u, 0xc6e00bf33da88fc2u, 0xd5a79147930aa725u,
    0x06ca6351e003826fu, 0x142929670a0e6e70u, 0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu,
    0x53380d139d95b3dfu, 0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u, 0xd192e819d6ef5218u,
    0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u, 0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u,
    0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u, 0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u,
    0x682e6ff3d6b2b8a3u, 0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu, 0xca273eceea26619cu,
    0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u, 0x06f067aa72176fbau, 0x0a637dc5a2c898a6u,
    0x113f9804bef90daeu, 0x1b710b35131c471bu, 0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu,
    0x431d67c49c100d4cu, 0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u,
};

static uint64_t rotated(uint64_t x, unsigned bits)
{
    return (x >> bits) | (x << (64u - bits));
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (unsigned n = 0; n < 8; n++)
        word = (word << 8) | bytes[n];
    return word;
}

/* FIPS 180-4, 6.4.2, step 3; v is a..h. */
static void do_round(uint64_t v[JRG_SHA512_WORDS], uint64_t added)
{
    const uint64_t e = v[4], a = v[0];
    const uint64_t sum1 = rotated(e, 14) ^ rotated(e, 18) ^ rotated(e, 41);
    const uint64_t chosen = (e & v[5]) ^ (~e & v[6]);
    const uint64_t t1 = v[7] + sum1 + chosen + added;
    const uint64_t sum0 = rotated(a, 28) ^ rotated(a, 34) ^ rotated(a, 39);
    const uint64_t majority = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);
    memmove(&v[1], &v[0], (JRG_SHA512_WORDS - 1) * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + sum0 + majority;
}

/* The schedule is kept as a ring of 16 words; each is replaced when it has been used. */
static void add_block(uint64_t hash[JRG_SHA512_WORDS], const uint8_t block[JRG_SHA512_BLOCK_BYTES])
{
    uint64_t schedule[16], v[JRG_SHA512_WORDS];
    memcpy(v, hash, sizeof v);
    for (unsigned n = 0; n < 16; n++)
        schedule[n] = word_at(&block[8 * n]);
    for (unsigned n = 0; n < ROUNDS; n++) {
        do_round(v, constants[n] + schedule[n % 16]);
        const uint64_t w1 = schedule[(n + 1) % 16], w14 = schedule[(n + 14) % 16];
        schedule[n % 16] += schedule[(n + 9) % 16] + (rotated(w1, 1) ^ rotated(w1, 8) ^ (w1 >> 7)) +
                            (rotated(w14, 19) ^ rotated(w14, 61) ^ (w14 >> 6));
    }
    for (unsigned n = 0; n < JRG_SHA512_WORDS; n++)
        hash[n] += v[n];
}

void jrg_sha512_begin(jrg_sha512 *sum)
{
    memcpy(sum->hash, first_words, sizeof sum->hash);
    sum->len_bytes = 0;
}

void jrg_sha512_add(jrg_sha512 *sum, const uint8_t *bytes, size_t len_bytes)
{
    for (size_t n = 0; n < len_bytes; n++) {
        sum->block[sum->len_bytes % JRG_SHA512_BLOCK_BYTES] = bytes[n];
        sum->len_bytes++;
        if (sum->len_bytes % JRG_SHA512_BLOCK_BYTES == 0)
            add_block(sum->hash, sum->block);
    }
}

/* FIPS 180-4, 5.1.2: a one bit, zeros, and the length in bits. */
void jrg_sha512_end(jrg_sha512 *sum, uint8_t digest[JRG_SHA512_BYTES])
{
    const uint32_t len_bits = sum->len_bytes * 8u;
    const uint8_t one = 0x80, zero = 0;
    jrg_sha512_add(sum, &one, 1);
    while (sum->len_bytes % JRG_SHA512_BLOCK_BYTES != JRG_SHA512_BLOCK_BYTES - LENGTH_BYTES)
        jrg_sha512_add(sum, &zero, 1);
    memset(&sum->block[JRG_SHA512_BLOCK_BYTES - LENGTH_BYTES], 0, LENGTH_BYTES);
    for (unsigned n = 0; n < 4; n++)
        sum->block[JRG_SHA512_BLOCK_BYTES - 1 - n] = (uint8_t)(len_bits >> (8 * n));
    add_block(sum->hash, sum->block);
    for (unsigned n = 0; n < JRG_SHA512_BYTES; n++)
        digest[n] = (uint8_t)(sum->hash[n / 8] >> (56 - 8 * (n % 8)));
}
