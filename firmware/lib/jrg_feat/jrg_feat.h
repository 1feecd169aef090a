/* Features of one second of sound: docs/reference/features.md, whose numbers (F1 to F13) the code names.
 *
 * Whole numbers only, no allocation, no state: call jrg_feat_frame for each frame as its samples arrive, then
 * jrg_feat_clip once. With levels that are normalised: jrg_feat_frame_normalised and jrg_feat_clip_with. With pooling a
 * row has two frames: jrg_feat_add_frame. The bits are those of jaragua_models.keywords.features.
 */
#ifndef JRG_FEAT_H
#define JRG_FEAT_H

#include <stdbool.h>
#include <stdint.h>

#define JRG_FEAT_RATE_HZ 16000
#define JRG_FEAT_FRAME_SAMPLES 512
#define JRG_FEAT_HOP_SAMPLES 640 /* frame t begins at sample 640 t of the second */
#define JRG_FEAT_FRAMES 25
#define JRG_FEAT_SHORT_HOP_SAMPLES 320 /* F12: frame u begins at sample 320 u of the second */
#define JRG_FEAT_SHORT_FRAMES 49
#define JRG_FEAT_BANDS 26
#define JRG_FEAT_PIECES 8        /* F10 */
#define JRG_FEAT_WORD_ROWS 16    /* F13 */
#define JRG_FEAT_COEFFICIENTS 13 /* F11 */
#define JRG_FEAT_COUNT (JRG_FEAT_FRAMES * JRG_FEAT_BANDS)
#define JRG_FEAT_EXPONENT 11 /* real value of a feature = integer * 2^-11 */

typedef struct {
    int32_t re;
    int32_t im;
} jrg_feat_complex;

/* Working memory of jrg_feat_frame: 2,048 bytes. Its content means nothing between calls. */
typedef struct {
    jrg_feat_complex values[JRG_FEAT_FRAME_SAMPLES / 2];
} jrg_feat_scratch;

/* F2 to F6: one frame. samples: 16-bit PCM. levels: written, Q8 octaves. */
void jrg_feat_frame(const int16_t samples[JRG_FEAT_FRAME_SAMPLES], jrg_feat_scratch *scratch,
                    int16_t levels[JRG_FEAT_BANDS]);

/* F9 in the place of F6. levels: written, Q10 octaves less a bias. */
void jrg_feat_frame_normalised(const int16_t samples[JRG_FEAT_FRAME_SAMPLES], jrg_feat_scratch *scratch,
                               int16_t levels[JRG_FEAT_BANDS]);

typedef enum {
    JRG_FEAT_POOLING_NONE, /* F7: 25 rows of one frame each */
    JRG_FEAT_POOLING_TIME, /* F10: eight pieces of the sound; rows have two frames (F12) */
    JRG_FEAT_POOLING_WORD, /* F13: 16 rows around the middle of the sound; rows have two frames (F12) */
} jrg_feat_pooling;

/* What a clip becomes. All 0: F7 and F8 alone. */
typedef struct {
    bool normalised; /* F9: the levels are those of jrg_feat_frame_normalised */
    jrg_feat_pooling pooling;
    bool cepstrum; /* F11: 13 coefficients of each row in the place of 26 levels */
} jrg_feat_options;

/* F12: a row becomes the mean of the powers of its two frames. row: the levels of the first frame; levels: of the
 * second. Row t, 0 to 23, has the frames 2 t and 2 t + 1; row 24 has frame 48 alone. */
void jrg_feat_add_frame(jrg_feat_options options, const int16_t levels[JRG_FEAT_BANDS], int16_t row[JRG_FEAT_BANDS]);

/* How many features there are: 26 or 13 for each of 25, 8 or 16 rows. */
uint32_t jrg_feat_count(jrg_feat_options options);

/* F7 to F13: the levels of all rows, one after the other, which are changed -> features. The two may not overlap, and
 * features has room for JRG_FEAT_COUNT, of which the first jrg_feat_count are the result. */
void jrg_feat_clip_with(jrg_feat_options options, int16_t levels[JRG_FEAT_COUNT], int16_t features[JRG_FEAT_COUNT]);

/* F7, F8: the levels of all frames, one after the other -> features. The two may not overlap. */
void jrg_feat_clip(const int16_t levels[JRG_FEAT_COUNT], int16_t features[JRG_FEAT_COUNT]);

#endif
