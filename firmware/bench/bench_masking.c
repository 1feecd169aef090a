/* What a secure sum would cost a board that masks (docs/results/privacy.md): X25519 (RFC 7748) and ChaCha20 (RFC 8439).
 * No board masks, its gateway does. The time of this X25519 depends on the secret, so it is fit for counting alone.
 *
 * in.bin:  scalar 32 | point 32 | key 32
 * out.bin: shared secret 32 | first block of the keystream 64 | instructions of X25519 u32 | of a block u32 */
#include <string.h>

#include "bench_board.h"
#include "jrg_field.h"

enum { BLOCK_BYTES = 64, STATE_WORDS = 16, KEY_WORDS = 8, DOUBLE_ROUNDS = 10, A24 = 121665 };

/* ---- X25519 ------------------------------------------------------------------------------------------------------- */

typedef struct {
    jrg_field x, z;
} projective;

/* RFC 7748, 5: both points of the ladder, one step on. */
static void step(const jrg_field *x1, projective *p, projective *q)
{
    static const jrg_field a24 = {{A24}};
    jrg_field a, b, c, d, e;
    jrg_field_add(&a, &p->x, &p->z);
    jrg_field_subtract(&b, &p->x, &p->z);
    jrg_field_add(&c, &q->x, &q->z);
    jrg_field_subtract(&d, &q->x, &q->z);
    jrg_field_multiply(&d, &d, &a); /* DA */
    jrg_field_multiply(&c, &c, &b); /* CB */
    jrg_field_add(&q->x, &d, &c);
    jrg_field_multiply(&q->x, &q->x, &q->x);
    jrg_field_subtract(&q->z, &d, &c);
    jrg_field_multiply(&q->z, &q->z, &q->z);
    jrg_field_multiply(&q->z, &q->z, x1);
    jrg_field_multiply(&a, &a, &a); /* AA */
    jrg_field_multiply(&b, &b, &b); /* BB */
    jrg_field_multiply(&p->x, &a, &b);
    jrg_field_subtract(&e, &a, &b);
    jrg_field_multiply(&b, &e, &a24);
    jrg_field_add(&b, &b, &a);
    jrg_field_multiply(&p->z, &e, &b);
}

static void multiply_point(jrg_field *out, const uint8_t scalar[JRG_FIELD_BYTES], const jrg_field *x1)
{
    projective p = {{{1}}, {{0}}}, q = {*x1, {{1}}};
    for (unsigned n = 255; n-- > 0;) {
        if ((scalar[n / 8] >> (n % 8) & 1) != 0)
            step(x1, &q, &p);
        else
            step(x1, &p, &q);
    }
    jrg_field_invert(&p.z, &p.z);
    jrg_field_multiply(out, &p.x, &p.z);
    jrg_field_reduce(out);
}

static void x25519(uint8_t out[JRG_FIELD_BYTES], uint8_t scalar[JRG_FIELD_BYTES], const uint8_t point[JRG_FIELD_BYTES])
{
    jrg_field x1, shared;
    scalar[0] &= 248;
    scalar[31] = (uint8_t)((scalar[31] & 127) | 64);
    (void)jrg_field_read(&x1, point);
    multiply_point(&shared, scalar, &x1);
    for (unsigned n = 0; n < JRG_FIELD_BYTES; n++)
        out[n] = (uint8_t)(shared.words[n / 4] >> (8 * (n % 4)));
}

/* ---- ChaCha20 ----------------------------------------------------------------------------------------------------- */

static uint32_t rotated(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32u - bits);
}

static void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
    x[a] += x[b];
    x[d] = rotated(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotated(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotated(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotated(x[b] ^ x[c], 7);
}

static void double_round(uint32_t *x)
{
    for (unsigned n = 0; n < 4; n++)
        quarter(x, n, 4 + n, 8 + n, 12 + n);
    for (unsigned n = 0; n < 4; n++)
        quarter(x, n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4);
}

static void add_block(uint32_t out[STATE_WORDS], const uint32_t key[KEY_WORDS], uint32_t number)
{
    const uint32_t start[STATE_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
                                         key[4],     key[5],     key[6],     key[7],     number, 0,      0,      0};
    uint32_t x[STATE_WORDS];
    memcpy(x, start, sizeof x);
    for (unsigned n = 0; n < DOUBLE_ROUNDS; n++)
        double_round(x);
    for (unsigned n = 0; n < STATE_WORDS; n++)
        out[n] += x[n] + start[n];
}

int main(void)
{
    uint8_t scalar[32], point[32], shared[32];
    uint32_t key[KEY_WORDS], sum[STATE_WORDS] = {0}, counted[2];
    bench_board_open();
    bench_board_read(scalar, sizeof scalar);
    bench_board_read(point, sizeof point);
    bench_board_read(key, sizeof key);
    uint32_t before = bench_board_ticks();
    x25519(shared, scalar, point);
    counted[0] = bench_board_instructions(before, bench_board_ticks());
    before = bench_board_ticks();
    add_block(sum, key, 0);
    counted[1] = bench_board_instructions(before, bench_board_ticks());
    bench_board_write(shared, sizeof shared);
    bench_board_write(sum, BLOCK_BYTES);
    bench_board_write(counted, sizeof counted);
    bench_board_exit(BENCH_EXIT_OK);
}
