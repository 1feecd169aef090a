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

/* F2, F9: a sample, made 2^shift times as large, in the window. */
static int32_t jrg_feat_windowed(int16_t sample, uint32_t n, uint32_t shift)
{
    return jrg_feat_rshift((int64_t)((int32_t)sample * jrg_feat_window[n]) * ((int64_t)1 << shift), 15);
}

/* F2, and the order in which F3 wants the pairs. */
static void jrg_feat_load(const int16_t *samples, uint32_t shift, jrg_feat_complex *values)
{
    for (uint32_t place = 0; place < HALF; place++) {
        const uint32_t n = 2u * jrg_feat_reversed(place);
        values[place].re = jrg_feat_windowed(samples[n], n, shift);
        values[place].im = jrg_feat_windowed(samples[n + 1u], n + 1u, shift);
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

/* F3, F4: the power of bin k of the 512 real samples. k: 0..255. Below 2^31, of a normalised frame 2^43. */
static uint64_t jrg_feat_power(const jrg_feat_complex *values, uint32_t k)
{
    const jrg_feat_complex z = values[k];
    const jrg_feat_complex mirror = values[(HALF - k) % HALF];
    const jrg_feat_complex difference = {.re = z.re - mirror.re, .im = z.im + mirror.im};
    const jrg_feat_complex turned = jrg_feat_turned(difference, k);
    const int64_t re = (int64_t)z.re + mirror.re + turned.im;
    const int64_t im = (int64_t)z.im - mirror.im - turned.re;
    return (uint64_t)(re * re + im * im) >> 18;
}

/* F6: log2 in Q11. value: from 1 on, below 2^53. */
static int32_t jrg_feat_log2(uint64_t value)
{
    const uint32_t zeros = (uint32_t)__builtin_clzll(value);
    const uint32_t fraction = (uint32_t)((value << zeros) >> 47) & 65535u;
    const uint32_t low = jrg_feat_log2_table[fraction >> 11];
    const uint32_t high = jrg_feat_log2_table[(fraction >> 11) + 1u];
    return (int32_t)(((63u - zeros) << 11) + low + (((high - low) * (fraction & 2047u)) >> 11));
}

/* F2 to F5. energies: one more at either end, for the outer slopes. */
static void jrg_feat_energies(const int16_t *samples, uint32_t shift, jrg_feat_scratch *scratch,
                              uint64_t energies[JRG_FEAT_BANDS + 2])
{
    jrg_feat_load(samples, shift, scratch->values);
    jrg_feat_transform(scratch->values);
    for (uint32_t bin = 0; bin < JRG_FEAT_BINS; bin++) {
        const uint64_t power = jrg_feat_power(scratch->values, JRG_FEAT_FIRST_BIN + bin);
        const uint32_t band = jrg_feat_bin_band[bin];
        energies[band + 1u] += power * jrg_feat_bin_weight[bin];
        energies[band] += power * (256u - jrg_feat_bin_weight[bin]);
    }
}

void jrg_feat_frame(const int16_t samples[JRG_FEAT_FRAME_SAMPLES], jrg_feat_scratch *scratch,
                    int16_t levels[JRG_FEAT_BANDS])
{
    uint64_t energies[JRG_FEAT_BANDS + 2] = {0};
    jrg_feat_energies(samples, 0, scratch, energies);
    for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
        levels[band] = (int16_t)(jrg_feat_log2(energies[band + 1u] + JRG_FEAT_FLOOR) >> 3);
    }
}

/* F9: how far the samples of a frame can be shifted to the left. loudest: 1 to 2^15. */
static uint32_t jrg_feat_shift(uint32_t loudest)
{
    return (uint32_t)__builtin_clz(loudest) - (32u - JRG_FEAT_FRAME_BITS);
}

static uint32_t jrg_feat_loudest(const int16_t *samples)
{
    uint32_t loudest = 0;
    for (uint32_t n = 0; n < JRG_FEAT_FRAME_SAMPLES; n++) {
        const int32_t sample = samples[n];
        const uint32_t magnitude = (uint32_t)(sample < 0 ? -sample : sample);
        loudest = magnitude > loudest ? magnitude : loudest;
    }
    return loudest;
}

void jrg_feat_frame_normalised(const int16_t samples[JRG_FEAT_FRAME_SAMPLES], jrg_feat_scratch *scratch,
                               int16_t levels[JRG_FEAT_BANDS])
{
    uint64_t energies[JRG_FEAT_BANDS + 2] = {0};
    const uint32_t loudest = jrg_feat_loudest(samples);
    const uint32_t shift = loudest == 0u ? 0u : jrg_feat_shift(loudest);
    if (loudest != 0u) {
        jrg_feat_energies(samples, shift, scratch, energies);
    }
    for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
        const uint64_t energy = energies[band + 1u];
        const int32_t log = jrg_feat_log2(energy == 0u ? 1u : energy) >> 1;
        const int32_t level = log - (int32_t)(shift << 11) - JRG_FEAT_BIAS;
        levels[band] = (int16_t)(loudest == 0u || level < INT16_MIN ? INT16_MIN : level);
    }
}
