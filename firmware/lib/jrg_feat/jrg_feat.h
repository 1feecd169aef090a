/* Log-mel features of one second of sound: docs/reference/features.md, whose numbers (F1 to F8) the code names.
 *
 * Whole numbers only, no allocation, no state: call jrg_feat_frame for each frame as its samples arrive, then
 * jrg_feat_clip once. The bits are those of jaragua_models.keywords.features.
 */
#ifndef JRG_FEAT_H
#define JRG_FEAT_H

#include <stdint.h>

#define JRG_FEAT_RATE_HZ 16000
#define JRG_FEAT_FRAME_SAMPLES 512
#define JRG_FEAT_HOP_SAMPLES 640 /* frame t begins at sample 640 t of the second */
#define JRG_FEAT_FRAMES 25
#define JRG_FEAT_BANDS 26
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

/* F7, F8: the levels of all frames, one after the other -> features. The two may not overlap. */
void jrg_feat_clip(const int16_t levels[JRG_FEAT_COUNT], int16_t features[JRG_FEAT_COUNT]);

#endif
