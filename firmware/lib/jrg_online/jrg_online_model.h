/* The learner of jrg_online.h on a generated model: its memory, and the way from a sample to the last layer and back.
 * There is one, as there is one model. Only for models whose jrg_model_config.h says JRG_MODEL_HEAD_INPUTS (O1.1). */
#ifndef JRG_ONLINE_MODEL_H
#define JRG_ONLINE_MODEL_H

#include "jrg_model.h"        // jrg_nn_rate
#include "jrg_model_config.h" // JRG_MODEL_HEAD_INPUTS
#include "jrg_online.h"       // jrg_online

#define JRG_ONLINE_MODEL_PARTS 5u /* of the memory that jrg_online_model_part hands out */

#ifdef JRG_MODEL_HEAD_INPUTS
#define JRG_ONLINE_MODEL_STRIDE (JRG_MODEL_HEAD_INPUTS + (JRG_MODEL_HEAD_INPUTS & 1u))
/* RAM of the learner on a 32-bit machine: statistics, prototypes, scratch, and what is left of it. */
#define JRG_ONLINE_MODEL_BYTES                                                                                         \
    (8u * JRG_MODEL_INPUTS + 2u * JRG_ONLINE_MODEL_STRIDE * (JRG_MODEL_OUTPUTS + 1u) +                                 \
     20u * (JRG_MODEL_OUTPUTS + 2u) + 192u)

/* Would a begin (`fresh`) or a resume take these settings and this rate? No side effect. */
JRG_NN_MUST_USE jrg_online_status jrg_online_model_check(const jrg_online_settings *settings, jrg_nn_rate rate,
                                                         bool fresh);

/* A new learner on the weights at `blob`; the model is bound to them (jrg_model_bind). After an error the learner before,
 * and the binding, hold. */
JRG_NN_MUST_USE jrg_online_status jrg_online_model_begin(void *blob, const jrg_online_settings *settings,
                                                         jrg_nn_rate rate);

/* Goes on with the learner there is, on weights at `blob`, to which the model is bound, with other settings and another
 * rate. JRG_ONLINE_NOT_BEGUN before a begin; after an error all is as it was. */
JRG_NN_MUST_USE jrg_online_status jrg_online_model_resume(void *blob, const jrg_online_settings *settings,
                                                          jrg_nn_rate rate);

/* One sample. x: JRG_MODEL_INPUTS numbers, standardised in place if asked for. After anything but JRG_ONLINE_OK nothing was
 * learned and *outcome is as it was: JRG_ONLINE_NOT_BEGUN, JRG_ONLINE_BAD_LABEL, JRG_ONLINE_WARMING_UP (O3.1). */
JRG_NN_MUST_USE jrg_online_status jrg_online_model_learn(int16_t *x, uint32_t label, jrg_online_outcome *outcome);

/* For who keeps the learner over a power cut (docs/reference/keep.md, K8): number `part` of its memory, 4-aligned, a
 * multiple of 4 long. When all parts were put back by the image that kept them, jrg_online_model_restored goes on with that
 * learner on the weights at `blob`. JRG_ONLINE_BAD_SETTINGS: they are of no learner, and there is none then. */
void *jrg_online_model_part(uint32_t part, uint32_t *len_bytes);
JRG_NN_MUST_USE jrg_online_status jrg_online_model_restored(void *blob);

/* Where the learner stands (O8). */
const jrg_online *jrg_online_model_state(void);
#endif
#endif
