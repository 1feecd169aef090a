/* A network's last layer that goes on learning from a labelled stream (docs/reference/online.md).
 *
 * Nothing is allocated and nothing is read or written but what the caller hands over. Order of calls: jrg_online_begin, then
 * for each sample jrg_online_prepare with the network's input and, unless it answers JRG_ONLINE_WARMING_UP, a forward pass
 * up to the last layer and jrg_online_learn with what that layer is fed. Without a jrg_online_begin every call answers
 * JRG_ONLINE_NOT_BEGUN of a learner that is all 0. jrg_online_model.h does all of it for a generated model. */
#ifndef JRG_ONLINE_H
#define JRG_ONLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "weighted/jrg_nn_layer.h" // jrg_nn_dense
#include "core/jrg_nn_status.h"    // JRG_NN_MUST_USE
#include "jrg_online_drift.h"      // jrg_online_drift
#include "jrg_online_stats.h"      // jrg_online_stat

typedef enum {
    JRG_ONLINE_OK = 0,
    JRG_ONLINE_BAD_SETTINGS, /* a setting, the rate or an exponent is outside its range */
    JRG_ONLINE_NOT_BEGUN,    /* there is no learner: a begin comes first */
    JRG_ONLINE_BAD_LABEL,    /* the label is no output; nothing was learned */
    JRG_ONLINE_WARMING_UP,   /* O3.1: the statistics took the sample, nothing was learned */
    JRG_ONLINE_BAD_WEIGHTS,  /* the model does not take the weights (jrg_model_bind) */
} jrg_online_status;

#define JRG_ONLINE_MOST_OUTPUTS 64 /* O1.1: jrg_online_settings.known has a bit for each */

/* The settings of a learner; the numbers in brackets are good ones. */
typedef struct {
    uint64_t known;       /* O4.1: bit j says that output j is known at the beginning */
    bool standardise;     /* O3 */
    uint16_t warm_up;     /* O3.1 (32) */
    uint8_t horizon_log2; /* O2.1: h, 4..14 (10), or 0: no statistics, and so no O3 */
    uint8_t replays;      /* O5.2: 0..64 (8) */
    uint16_t slack;       /* O7.1, Q11 nats (410) */
    uint32_t threshold;   /* O7.1, Q11 nats, up to 2^24 (30720); 0: no detector */
} jrg_online_settings;

/* What a layer's own constants do not say of the network around it. */
typedef struct {
    uint16_t inputs;       /* of the network */
    uint8_t input_width;   /* bx of the network's input */
    int8_t input_exponent; /* fx of the network's input, as its blob has it */
} jrg_online_network;

/* Memory for the learner, all of it 4-aligned. n: features, padded to even; k: outputs, 1..64. */
typedef struct {
    jrg_online_stat *stats;   /* [inputs] */
    int16_t *prototypes;      /* [k][n] */
    uint8_t *counts;          /* [k]: c of O5.1 */
    uint8_t *ages;            /* [k]: samples of a class since it was opened (O7.2) */
    int16_t *features;        /* [n] */
    int16_t *logits;          /* [k] */
    jrg_nn_row_error *errors; /* [k] */
    jrg_nn_active_row *rows;  /* [k + 2] */
} jrg_online_memory;

/* O8, since the learner began. */
typedef struct {
    uint32_t samples, correct;
    uint16_t recent; /* A, Q15 */
    uint64_t known;
    uint32_t opened, opened_at; /* how many; the last one's sample, counted from 1 */
    uint16_t opened_label;
    uint32_t drifts, drift_at;
} jrg_online_report;

/* All 0 before jrg_online_begin. */
typedef struct {
    jrg_nn_dense head;
    jrg_nn_exponents exponents;
    jrg_nn_step_rate rate;
    jrg_online_network network;
    jrg_online_memory memory;
    jrg_online_settings settings;
    uint32_t seen;  /* N of O2 */
    uint32_t steps; /* of the head, for its dither (O4.3) */
    jrg_online_drift drift;
    uint32_t ring; /* class replayed last (O5.2) */
    jrg_online_report report;
} jrg_online;

/* What one sample gave. */
typedef struct {
    bool correct, opened, drift;
    uint32_t loss; /* O4.2, Q11 */
} jrg_online_outcome;

/* How the head learns: its exponents, from the blob (A6), and the learning rate (A5.2). */
typedef struct {
    jrg_nn_exponents exponents;
    jrg_nn_step_rate rate;
} jrg_online_step;

/* Would a learner with so many outputs begin, or go on, with these numbers? No side effect. `known` of the settings is looked
 * at for a learner that begins (`fresh`). */
JRG_NN_MUST_USE jrg_online_status jrg_online_check(const jrg_online_settings *settings, const jrg_online_step *step,
                                                   uint32_t outputs, bool fresh);

/* A new learner on this head: its closed rows are closed (O4.1), all else is forgotten. The pointers' memory must stay. After
 * an error the learner before is as it was. */
JRG_NN_MUST_USE jrg_online_status jrg_online_begin(jrg_online *online, const jrg_nn_dense *head,
                                                   const jrg_online_network *network, const jrg_online_memory *memory,
                                                   const jrg_online_settings *settings, const jrg_online_step *step);

/* The learner as it is on weights at another place, with other settings, exponents and rate; `known` is left as it has
 * become. After an error all is as it was. */
JRG_NN_MUST_USE jrg_online_status jrg_online_change(jrg_online *online, const jrg_nn_dense *head,
                                                    const jrg_online_settings *settings, const jrg_online_step *step);

/* O2 and O3 for the network's input, in place. JRG_ONLINE_WARMING_UP: do no more with it (O3.1). */
JRG_NN_MUST_USE jrg_online_status jrg_online_prepare(jrg_online *online, int16_t *x);

/* O4 to O8. features: what the last layer is fed, within its width. After an error *outcome is as it was. */
JRG_NN_MUST_USE jrg_online_status jrg_online_learn(jrg_online *online, const int16_t *features, uint32_t label,
                                                   jrg_online_outcome *outcome);
#endif
