#include "jrg_feat.h"
#include "jrg_feat_clip_tables.h" // logarithm of a sum, cosines

#define ADDED_MOST (JRG_FEAT_ADDED_STEP * JRG_FEAT_ADDED_STEPS - 1)

/* F11: real value 1 is four octaves; D is in Q14. */
#define CEPSTRUM_SHIFT 13u

/* A1.1; a shift of 0 changes nothing. */
static int32_t jrg_feat_rounded(int64_t v, uint32_t shift)
{
    return (int32_t)((v + (((int64_t)1 << shift) >> 1)) >> shift);
}

static int32_t jrg_feat_clamp(int32_t v, int32_t least, int32_t most)
{
    return v < least ? least : v > most ? most : v;
}

static int16_t jrg_feat_feature(int32_t v)
{
    const int32_t limit = 1 << JRG_FEAT_EXPONENT;
    return (int16_t)jrg_feat_clamp(v, -limit, limit - 1);
}

/* F9: N, by which the logarithm of a sum of two powers lies above the larger one. apart: of the two, in Q10. */
static int32_t jrg_feat_added_to(int32_t apart)
{
    const int32_t away = jrg_feat_clamp(apart, 0, ADDED_MOST);
    const int32_t place = away / JRG_FEAT_ADDED_STEP;
    const int32_t low = jrg_feat_added[place];
    const int32_t high = jrg_feat_added[place + 1];
    return low - (((low - high) * (away % JRG_FEAT_ADDED_STEP)) >> 6);
}

/* F9: log2 of the sum of two powers, in Q10. */
static int32_t jrg_feat_sum(int32_t level, int32_t floor)
{
    return level < floor ? floor + jrg_feat_added_to(floor - level) : level + jrg_feat_added_to(level - floor);
}

/* F12: log2 of the mean of two powers. octave: bits of one, 8 or 10. */
static int32_t jrg_feat_mean_power(int32_t one, int32_t other, uint32_t octave)
{
    const int32_t larger = one < other ? other : one;
    const int32_t smaller = one < other ? one : other;
    const uint32_t to_q10 = 10u - octave;
    return larger + (jrg_feat_added_to((larger - smaller) * (1 << to_q10)) >> to_q10) - (1 << octave);
}

void jrg_feat_add_frame(jrg_feat_options options, const int16_t levels[JRG_FEAT_BANDS], int16_t row[JRG_FEAT_BANDS])
{
    const uint32_t octave = options.normalised ? 10u : 8u;
    for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
        row[band] = (int16_t)jrg_feat_mean_power(row[band], levels[band], octave);
    }
}

/* F9: adds the floor to all levels. */
static void jrg_feat_add_floor(int16_t *levels)
{
    int32_t loudest = levels[0];
    for (uint32_t i = 1; i < JRG_FEAT_COUNT; i++) {
        loudest = levels[i] > loudest ? levels[i] : loudest;
    }
    for (uint32_t i = 0; i < JRG_FEAT_COUNT; i++) {
        levels[i] = (int16_t)jrg_feat_sum(levels[i], loudest - JRG_FEAT_FLOOR_BELOW);
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

/* F7: how far each frame is louder than half way between the softest and the loudest; at least 0. */
static void jrg_feat_weights(const int16_t *levels, int32_t weights[JRG_FEAT_FRAMES])
{
    jrg_feat_loudness(levels, weights);
    int32_t least = weights[0];
    int32_t most = weights[0];
    for (uint32_t frame = 1; frame < JRG_FEAT_FRAMES; frame++) {
        least = weights[frame] < least ? weights[frame] : least;
        most = weights[frame] > most ? weights[frame] : most;
    }
    const int32_t threshold = (least + most) >> 1;
    for (uint32_t frame = 0; frame < JRG_FEAT_FRAMES; frame++) {
        weights[frame] = weights[frame] > threshold ? weights[frame] - threshold : 0;
    }
}

/* F7: the frame in the middle of the sound. */
static int32_t jrg_feat_middle(const int32_t weights[JRG_FEAT_FRAMES])
{
    int32_t total = 0;
    int32_t moment = 0;
    for (int32_t frame = 0; frame < JRG_FEAT_FRAMES; frame++) {
        total += weights[frame];
        moment += weights[frame] * frame;
    }
    return total == 0 ? JRG_FEAT_FRAMES / 2 : (moment + total / 2) / total;
}

/* F7, F13: so many rows, the middle of the sound in their middle; the outermost ones are repeated. */
static void jrg_feat_move(const int16_t *levels, const int32_t *weights, int32_t count, int16_t *rows)
{
    const int32_t shift = jrg_feat_middle(weights) - count / 2;
    for (int32_t row = 0; row < count; row++) {
        const int32_t source = jrg_feat_clamp(row + shift, 0, JRG_FEAT_FRAMES - 1);
        for (int32_t band = 0; band < JRG_FEAT_BANDS; band++) {
            rows[row * JRG_FEAT_BANDS + band] = levels[source * JRG_FEAT_BANDS + band];
        }
    }
}

/* floor(a / b) for b > 0. */
static int32_t jrg_feat_divided(int32_t a, int32_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* F10: the means of eight equal pieces of the sound. A frame is eight eighths, of which a piece has as many as the
 * sound has frames. */
static void jrg_feat_pool(const int16_t *levels, const int32_t *weights, int16_t *rows)
{
    uint32_t first = 0;
    uint32_t end = JRG_FEAT_FRAMES;
    while (first < end && weights[first] == 0) {
        first++;
    }
    first = first == end ? 0 : first; /* nothing is louder: the whole second */
    while (end > first + 1u && weights[end - 1u] == 0 && weights[first] != 0) {
        end--;
    }
    const uint32_t frames = end - first;
    for (uint32_t piece = 0; piece < JRG_FEAT_PIECES; piece++) {
        for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
            int32_t sum = (int32_t)(frames / 2u);
            for (uint32_t eighth = piece * frames; eighth < (piece + 1u) * frames; eighth++) {
                sum += levels[(first + eighth / JRG_FEAT_PIECES) * JRG_FEAT_BANDS + band];
            }
            rows[piece * JRG_FEAT_BANDS + band] = (int16_t)jrg_feat_divided(sum, (int32_t)frames);
        }
    }
}

/* F8: the mean of all levels. */
static int32_t jrg_feat_mean(const int16_t *rows, uint32_t count)
{
    int32_t sum = (int32_t)(count / 2u);
    for (uint32_t i = 0; i < count; i++) {
        sum += rows[i];
    }
    return jrg_feat_divided(sum, (int32_t)count);
}

/* F11: 26 levels -> 13 coefficients, which may overwrite levels that were read before. */
static void jrg_feat_cepstrum(const int16_t *row, int32_t mean, uint32_t shift, int16_t *features)
{
    int32_t level[JRG_FEAT_BANDS];
    for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
        level[band] = row[band] - mean;
    }
    for (uint32_t k = 0; k < JRG_FEAT_COEFFICIENTS; k++) {
        int64_t sum = 0;
        for (uint32_t band = 0; band < JRG_FEAT_BANDS; band++) {
            sum += (int64_t)level[band] * jrg_feat_cosines[k * JRG_FEAT_BANDS + band];
        }
        features[k] = jrg_feat_feature(jrg_feat_rounded(sum, shift));
    }
}

static uint32_t jrg_feat_rows(jrg_feat_options options)
{
    switch (options.pooling) {
    case JRG_FEAT_POOLING_TIME:
        return JRG_FEAT_PIECES;
    case JRG_FEAT_POOLING_WORD:
        return JRG_FEAT_WORD_ROWS;
    default:
        return JRG_FEAT_FRAMES;
    }
}

uint32_t jrg_feat_count(jrg_feat_options options)
{
    return jrg_feat_rows(options) * (options.cepstrum ? JRG_FEAT_COEFFICIENTS : JRG_FEAT_BANDS);
}

void jrg_feat_clip_with(jrg_feat_options options, int16_t levels[JRG_FEAT_COUNT], int16_t features[JRG_FEAT_COUNT])
{
    int32_t weights[JRG_FEAT_FRAMES];
    const uint32_t bits = options.normalised ? 2u : 0u;
    const uint32_t rows = jrg_feat_rows(options);
    if (options.normalised) {
        jrg_feat_add_floor(levels);
    }
    jrg_feat_weights(levels, weights);
    if (options.pooling == JRG_FEAT_POOLING_TIME) {
        jrg_feat_pool(levels, weights, features);
    } else {
        jrg_feat_move(levels, weights, (int32_t)rows, features);
    }
    const int32_t mean = jrg_feat_mean(features, rows * JRG_FEAT_BANDS);
    for (uint32_t row = 0; options.cepstrum && row < rows; row++) {
        const int16_t *own = &features[row * JRG_FEAT_BANDS];
        jrg_feat_cepstrum(own, mean, CEPSTRUM_SHIFT + bits, &features[row * JRG_FEAT_COEFFICIENTS]);
    }
    for (uint32_t i = 0; !options.cepstrum && i < rows * JRG_FEAT_BANDS; i++) {
        features[i] = jrg_feat_feature(jrg_feat_rounded(features[i] - mean, bits));
    }
}

void jrg_feat_clip(const int16_t levels[JRG_FEAT_COUNT], int16_t features[JRG_FEAT_COUNT])
{
    int32_t weights[JRG_FEAT_FRAMES];
    jrg_feat_weights(levels, weights);
    jrg_feat_move(levels, weights, JRG_FEAT_FRAMES, features);
    const int32_t mean = jrg_feat_mean(features, JRG_FEAT_COUNT);
    for (uint32_t i = 0; i < JRG_FEAT_COUNT; i++) {
        features[i] = jrg_feat_feature(features[i] - mean);
    }
}
