#include "jrg_feat.h"

#include "jrg_feat_tables.h" // window, sine, mel bins, logarithm

#define HALF (JRG_FEAT_FRAME_SAMPLES / 2u)
#define QUARTER_TURN 128u /* of the table of sines */

_Static_assert((-1 >> 1) == -1, "A1 takes >> of a negative number as an arithmetic shift");

/* A1.1 */
static int32_t jrg_feat_rshift(int64_t v, uint32_t shift)
{
    return (int32_t)((v + ((int64_t)1 << (shift - 1u))) >> shift);
}

/* The eight bits of a place, reversed. */
static uint32_t jrg_feat_reversed(uint32_t place)
{
    uint32_t reversed = 0;
    for (uint32_t bit = 0; bit < 8u; bit++) {
        reversed |= ((place >> bit) & 1u) << (7u - bit);
    }
    return reversed;
}

/* F2, and the order in which F3 wants the pairs. */
static void jrg_feat_load(const int16_t *samples, jrg_feat_complex *values)
{
    for (uint32_t place = 0; place < HALF; place++) {
        const uint32_t n = 2u * jrg_feat_reversed(place);
        values[place].re = jrg_feat_rshift((int32_t)samples[n] * jrg_feat_window[n], 15);
        values[place].im = jrg_feat_rshift((int32_t)samples[n + 1u] * jrg_feat_window[n + 1u], 15);
    }
}

/* F3: v e^(-2 pi i turns / 512). */
static jrg_feat_complex jrg_feat_turned(jrg_feat_complex v, uint32_t turns)
{
    const int64_t cosine = jrg_feat_sine[turns + QUARTER_TURN];
    const int64_t sine = jrg_feat_sine[turns];
    return (jrg_feat_complex){
        .re = jrg_feat_rshift(v.re * cosine + v.im * sine, 14),
        .im = jrg_feat_rshift(v.im * cosine - v.re * sine, 14),
    };
}

static void jrg_feat_butterfly(jrg_feat_complex *low, jrg_feat_complex *high, uint32_t turns)
{
    const jrg_feat_complex a = *low;
    const jrg_feat_complex b = jrg_feat_turned(*high, turns);
    *low = (jrg_feat_complex){.re = a.re + b.re, .im = a.im + b.im};
    *high = (jrg_feat_complex){.re = a.re - b.re, .im = a.im - b.im};
}

/* F3: the transform of the 256 pairs, in place. */
static void jrg_feat_transform(jrg_feat_complex *values)
{
    for (uint32_t half = 1; half < HALF; half *= 2u) {
        for (uint32_t block = 0; block < HALF; block += 2u * half) {
            for (uint32_t k = 0; k < half; k++) {
                jrg_feat_butterfly(&values[block + k], &values[block + k + half], k * (HALF / half));
            }
        }
    }
}

/* F3, F4: the power of bin k of the 512 real samples. k: 0..255. Below 2^31. */
static uint32_t jrg_feat_power(const jrg_feat_complex *values, uint32_t k)
{
    const jrg_feat_complex z = values[k];
    const jrg_feat_complex mirror = values[(HALF - k) % HALF];
    const jrg_feat_complex difference = {.re = z.re - mirror.re, .im = z.im + mirror.im};
    const jrg_feat_complex turned = jrg_feat_turned(difference, k);
    const int64_t re = (int64_t)z.re + mirror.re + turned.im;
    const int64_t im = (int64_t)z.im - mirror.im - turned.re;
    return (uint32_t)((re * re + im * im) >> 18);
}

/* F6. energy: below 2^53. */
static int16_t jrg_feat_level(uint64_t energy)
{
    const uint64_t value = energy + JRG_FEAT_FLOOR;
    const uint32_t zeros = (uint32_t)__builtin_clzll(value);
    const uint32_t fraction = (uint32_t)((value << zeros) >> 47) & 65535u;
    const uint32_t low = jrg_feat_log2_table[fraction >> 11];
    const uint32_t high = jrg_feat_log2_table[(fraction >> 11) + 1u];
    const uint32_t log = ((63u - zeros) << 11) + low + (((high - low) * (fraction & 2047u)) >> 11);
    return (int16_t)(log >> 3);
}

void jrg_feat_frame(const int16_t samples[JRG_FEAT_FRAME_SAMPLES], jrg_feat_scratch *scratch,
                    int16_t levels[JRG_FEAT_BANDS])
{
    uint64_t energies[JRG_FEAT_BANDS + 2] = {0}; /* F5: one more at either end for the outer slopes */
    jrg_feat_load(samples, scratch->values);
    jrg_feat_transform(scratch->values);
    for (uint32_t bin = 0; bin < JRG_FEAT_BINS; bin++) {
        const uint64_t power = jrg_feat_power(scratch->values, JRG_FEAT_FIRST_BIN + bin);
        const uint32_t band = jrg_feat_bin_band[bin];
        energies[band + 1u] += power * jrg_feat_bin_weight[bin];
        energies[band] += power * (256u - jrg_feat_bin_weight[bin]);
    }
    for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
        levels[band] = jrg_feat_level(energies[band + 1u]);
    }
}

/* F7: the sum of each frame's levels. */
static void jrg_feat_loudness(const int16_t *levels, int32_t loudness[JRG_FEAT_FRAMES])
{
    for (uint32_t frame = 0; frame < JRG_FEAT_FRAMES; frame++) {
        loudness[frame] = 0;
        for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
            loudness[frame] += levels[frame * JRG_FEAT_BANDS + band];
        }
    }
}

/* F7: half way between the softest and the loudest frame. */
static int32_t jrg_feat_threshold(const int32_t loudness[JRG_FEAT_FRAMES])
{
    int32_t least = loudness[0];
    int32_t most = loudness[0];
    for (uint32_t frame = 1; frame < JRG_FEAT_FRAMES; frame++) {
        least = loudness[frame] < least ? loudness[frame] : least;
        most = loudness[frame] > most ? loudness[frame] : most;
    }
    return (least + most) >> 1;
}

/* F7: the frame in the middle of the sound. */
static int32_t jrg_feat_middle(const int16_t *levels)
{
    int32_t loudness[JRG_FEAT_FRAMES];
    jrg_feat_loudness(levels, loudness);
    const int32_t threshold = jrg_feat_threshold(loudness);
    int32_t total = 0;
    int32_t moment = 0;
    for (int32_t frame = 0; frame < JRG_FEAT_FRAMES; frame++) {
        const int32_t above = loudness[frame] - threshold;
        total += above > 0 ? above : 0;
        moment += above > 0 ? above * frame : 0;
    }
    return total == 0 ? JRG_FEAT_FRAMES / 2 : (moment + total / 2) / total;
}

static int32_t jrg_feat_clamp(int32_t v, int32_t least, int32_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* F7: moves the sound to the middle; the outermost frames are repeated. Returns the sum of all levels. */
static int32_t jrg_feat_move(const int16_t *levels, int16_t *moved)
{
    const int32_t shift = jrg_feat_middle(levels) - JRG_FEAT_FRAMES / 2;
    int32_t sum = 0;
    for (int32_t frame = 0; frame < JRG_FEAT_FRAMES; frame++) {
        const int32_t source = jrg_feat_clamp(frame + shift, 0, JRG_FEAT_FRAMES - 1);
        for (int32_t band = 0; band < JRG_FEAT_BANDS; band++) {
            const int16_t level = levels[source * JRG_FEAT_BANDS + band];
            moved[frame * JRG_FEAT_BANDS + band] = level;
            sum += level;
        }
    }
    return sum;
}

void jrg_feat_clip(const int16_t levels[JRG_FEAT_COUNT], int16_t features[JRG_FEAT_COUNT])
{
    const int32_t mean = (jrg_feat_move(levels, features) + JRG_FEAT_COUNT / 2) / JRG_FEAT_COUNT; /* levels are > 0 */
    for (uint32_t i = 0; i < JRG_FEAT_COUNT; i++) {
        const int32_t limit = 1 << JRG_FEAT_EXPONENT;
        features[i] = (int16_t)jrg_feat_clamp(features[i] - mean, -limit, limit - 1);
    }
}
