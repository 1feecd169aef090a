/* What many generators draw first, a row of each: jaragua_models/random_rows.py once more, in a tenth of the time.
 *
 * A generator is NumPy's PCG64 (O'Neill 2014, XSL-RR 128/64) behind its SeedSequence, seeded with half of a SHA-256. The
 * numbers are those of NumPy to the bit; tests compare them. All memory is the caller's: threads share nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256_lanes.h" // jrg_sha256_of_lanes

#define JRG_ROWS_POOL 4u
#define JRG_ROWS_DOUBLE_UNIT (1.0 / 9007199254740992.0) /* 2^-53 */
#define JRG_ROWS_MOST_DIGITS 20u                        /* of a number of 64 bits */

typedef struct {
    const uint8_t *bytes; /* of all names, one after the other */
    const uint32_t *ends; /* where each ends */
    uint32_t count;
} jrg_rows_names;

typedef struct {
    const uint8_t *bytes;
    size_t len_bytes;
} jrg_rows_text;

/* A number of 128 bits. */
typedef struct {
    uint64_t high, low;
} jrg_rows_wide;

static const jrg_rows_wide jrg_rows_multiplier = {0x2360ED051FC65DA4u, 0x4385DF649FCCF645u};

/* ---- 128 bits ---- */

static uint64_t jrg_rows_high_word(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__) && !defined(JRG_ROWS_PORTABLE)
    return (uint64_t)(((unsigned __int128)a * b) >> 64);
#else
    const uint64_t a_low = a & 0xFFFFFFFFu, a_high = a >> 32, b_low = b & 0xFFFFFFFFu, b_high = b >> 32;
    const uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
    const uint64_t other = a_low * b_high + (middle & 0xFFFFFFFFu);
    return a_high * b_high + (middle >> 32) + (other >> 32);
#endif
}

static jrg_rows_wide jrg_rows_product(jrg_rows_wide a, jrg_rows_wide b)
{
    return (jrg_rows_wide){jrg_rows_high_word(a.low, b.low) + a.high * b.low + a.low * b.high, a.low * b.low};
}

static jrg_rows_wide jrg_rows_sum(jrg_rows_wide a, jrg_rows_wide b)
{
    const uint64_t low = a.low + b.low;
    return (jrg_rows_wide){a.high + b.high + (low < b.low ? 1u : 0u), low};
}

/* ---- SeedSequence: O'Neill's seed_seq_fe128 ---- */

/* Its hash; `constant` goes on with each call. */
static uint32_t jrg_rows_hashed(uint32_t value, uint32_t *constant, uint32_t factor)
{
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ (value >> 16);
}

static uint32_t jrg_rows_mixed(uint32_t left, uint32_t right)
{
    const uint32_t mixed = 0xCA01F9DDu * left - 0x4973F715u * right;
    return mixed ^ (mixed >> 16);
}

/* SeedSequence(number).generate_state(4, uint64). number: lowest word first. */
static void jrg_rows_seed_words(const uint32_t number[JRG_ROWS_POOL], uint64_t words[4])
{
    uint32_t pool[JRG_ROWS_POOL];
    uint32_t constant = 0x43B0D7E5u;
    for (uint32_t place = 0; place < JRG_ROWS_POOL; place++) {
        pool[place] = jrg_rows_hashed(number[place], &constant, 0x931E8875u);
    }
    for (uint32_t source = 0; source < JRG_ROWS_POOL; source++) {
        for (uint32_t target = 0; target < JRG_ROWS_POOL; target++) {
            if (source != target) {
                pool[target] = jrg_rows_mixed(pool[target], jrg_rows_hashed(pool[source], &constant, 0x931E8875u));
            }
        }
    }
    constant = 0x8B51F9DDu;
    for (uint32_t word = 0; word < 4u; word++) {
        const uint64_t low = jrg_rows_hashed(pool[2u * word % JRG_ROWS_POOL], &constant, 0x58F38DEDu);
        const uint64_t high = jrg_rows_hashed(pool[(2u * word + 1u) % JRG_ROWS_POOL], &constant, 0x58F38DEDu);
        words[word] = low | high << 32;
    }
}

/* ---- PCG64 ---- */

typedef struct {
    jrg_rows_wide state, increment;
} jrg_rows_generator;

static void jrg_rows_step(jrg_rows_generator *generator)
{
    generator->state = jrg_rows_sum(jrg_rows_product(generator->state, jrg_rows_multiplier), generator->increment);
}

/* pcg64_srandom of what the seed sequence gives. */
static jrg_rows_generator jrg_rows_seeded(const uint32_t number[JRG_ROWS_POOL])
{
    uint64_t words[4];
    jrg_rows_seed_words(number, words);
    const jrg_rows_wide increment = {words[2] << 1 | words[3] >> 63, words[3] << 1 | 1u};
    jrg_rows_generator generator = {jrg_rows_sum(increment, (jrg_rows_wide){words[0], words[1]}), increment};
    jrg_rows_step(&generator);
    return generator;
}

/* Many steps are one: power is A^k of k steps, sum A^(k-1) + … + 1. */
typedef struct {
    jrg_rows_wide power, sum;
} jrg_rows_jump;

static jrg_rows_jump jrg_rows_jump_of(uint32_t steps)
{
    jrg_rows_jump jump = {{0, 1}, {0, 0}};
    for (uint32_t k = 0; k < steps; k++) {
        jump.power = jrg_rows_product(jump.power, jrg_rows_multiplier);
        jump.sum = jrg_rows_sum(jrg_rows_product(jump.sum, jrg_rows_multiplier), (jrg_rows_wide){0, 1});
    }
    return jump;
}

static void jrg_rows_skip(jrg_rows_generator *generator, const jrg_rows_jump *jump)
{
    generator->state = jrg_rows_sum(jrg_rows_product(generator->state, jump->power),
                                    jrg_rows_product(generator->increment, jump->sum));
}

/* The next double in [0, 1). */
static double jrg_rows_unit(jrg_rows_generator *generator)
{
    jrg_rows_step(generator);
    const uint64_t turned = generator->state.high ^ generator->state.low;
    const uint32_t turn = (uint32_t)(generator->state.high >> 58);
    const uint64_t drawn = turned >> turn | turned << ((64u - turn) & 63u);
    return (double)(drawn >> 11) * JRG_ROWS_DOUBLE_UNIT;
}

/* ---- texts ---- */

static uint8_t *jrg_rows_put(uint8_t *place, const uint8_t *bytes, size_t len_bytes)
{
    memcpy(place, bytes, len_bytes);
    return place + len_bytes;
}

static uint8_t *jrg_rows_put_name(uint8_t *place, const jrg_rows_names *names, uint32_t row)
{
    const uint32_t begin = row > 0u ? names->ends[row - 1u] : 0u;
    return jrg_rows_put(place, names->bytes + begin, names->ends[row] - begin);
}

static uint8_t *jrg_rows_put_number(uint8_t *place, uint64_t number)
{
    uint8_t digits[JRG_ROWS_MOST_DIGITS];
    size_t first = JRG_ROWS_MOST_DIGITS;
    do {
        digits[--first] = (uint8_t)('0' + number % 10u);
        number /= 10u;
    } while (number > 0u);
    return jrg_rows_put(place, digits + first, JRG_ROWS_MOST_DIGITS - first);
}

/* How the text of a row is made: `head`, its name, and where there are seeds a comma, a space, its seed and `tail`. */
typedef struct {
    const jrg_rows_text *head;
    const jrg_rows_names *names;
    const uint64_t *seeds; /* or NULL */
    const jrg_rows_text *tail;
} jrg_rows_texts;

static size_t jrg_rows_write(const jrg_rows_texts *texts, uint32_t row, uint8_t *text)
{
    static const uint8_t comma[] = {',', ' '};
    uint8_t *end = jrg_rows_put(text, texts->head->bytes, texts->head->len_bytes);
    end = jrg_rows_put_name(end, texts->names, row);
    if (texts->seeds) {
        end = jrg_rows_put_number(jrg_rows_put(end, comma, sizeof comma), texts->seeds[row]);
        end = jrg_rows_put(end, texts->tail->bytes, texts->tail->len_bytes);
    }
    return (size_t)(end - text);
}

/* digests: become those of rows `first` and following, a lane each; lanes beyond the last row have its text again. */
static void jrg_rows_digest(const jrg_rows_texts *texts, uint32_t first, uint8_t *room, size_t stride_bytes,
                            jrg_sha256_digests *digests)
{
    uint32_t blocks[JRG_SHA256_LANES];
    for (uint32_t lane = 0; lane < JRG_SHA256_LANES; lane++) {
        const uint32_t last = texts->names->count - 1u;
        uint8_t *text = room + lane * stride_bytes;
        const size_t len_bytes = jrg_rows_write(texts, first + lane < last ? first + lane : last, text);
        jrg_sha256_pad(text, len_bytes);
        blocks[lane] = (uint32_t)(jrg_sha256_padded_bytes(len_bytes) / JRG_SHA256_BLOCK_BYTES);
    }
    jrg_sha256_of_lanes(digests, room, stride_bytes, blocks);
}

/* The generator that is seeded with the first 16 bytes of a lane's digest, little endian. */
static jrg_rows_generator jrg_rows_generator_of(const jrg_sha256_digests *digests, uint32_t lane)
{
    uint32_t number[JRG_ROWS_POOL];
    for (uint32_t word = 0; word < JRG_ROWS_POOL; word++) {
        const uint32_t big_endian = digests->words[word][lane];
        number[word] = big_endian >> 24 | (big_endian >> 8 & 0xFF00u) | (big_endian & 0xFF00u) << 8 | big_endian << 24;
    }
    return jrg_rows_seeded(number);
}

/* ---- for Python ---- */

/* How many texts are hashed in step, for who gives `room`. */
const uint32_t jrg_rows_lanes = JRG_SHA256_LANES;

/* R2 of each name: the first 8 bytes of SHA-256 of `head` and the name, big endian, halved. room: jrg_rows_lanes times
 * stride_bytes, which are those of the longest text with its padding. */
void jrg_rows_seeds(const jrg_rows_text *head, const jrg_rows_names *names, uint8_t *room, size_t stride_bytes,
                    uint64_t *seeds)
{
    const jrg_rows_texts texts = {head, names, NULL, NULL};
    for (uint32_t first = 0; first < names->count; first += JRG_SHA256_LANES) {
        jrg_sha256_digests digests;
        jrg_rows_digest(&texts, first, room, stride_bytes, &digests);
        for (uint32_t lane = 0; lane < JRG_SHA256_LANES && first + lane < names->count; lane++) {
            seeds[first + lane] = ((uint64_t)digests.words[0][lane] << 32 | digests.words[1][lane]) >> 1;
        }
    }
}

/* Row i: of the doubles of the generator that is seeded with SHA-256 of `head`, name i, a comma, a space, seed i and
 * `tail`, `count` after the first `skipped`. room: as above. */
void jrg_rows_units(const jrg_rows_text *head, const jrg_rows_names *names, const uint64_t *seeds,
                    const jrg_rows_text *tail, uint8_t *room, size_t stride_bytes, uint32_t skipped, uint32_t count,
                    double *rows)
{
    const jrg_rows_texts texts = {head, names, seeds, tail};
    const jrg_rows_jump jump = jrg_rows_jump_of(skipped);
    for (uint32_t first = 0; first < names->count; first += JRG_SHA256_LANES) {
        jrg_sha256_digests digests;
        jrg_rows_digest(&texts, first, room, stride_bytes, &digests);
        for (uint32_t lane = 0; lane < JRG_SHA256_LANES && first + lane < names->count; lane++) {
            jrg_rows_generator generator = jrg_rows_generator_of(&digests, lane);
            jrg_rows_skip(&generator, &jump);
            for (uint32_t n = 0; n < count; n++) {
                *rows++ = jrg_rows_unit(&generator);
            }
        }
    }
}
