/* Many virtual devices in one call: each loads a blob, trains or adapts on its samples, and hands its blob back.
 *
 * Built together with the generated jrg_model.c of a network (simulate.md). Everything is the device's own C;
 * what stands here is what a device's host does: order of the samples, size of a step, and FedProx's proximal decay.
 * State is static as in jrg_model.c: one loaded copy of the library belongs to one thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "jrg_model.h"        // the device's arithmetic
#include "jrg_model_config.h" // sizes

#define JRG_INTEGER_NO_DECAY 32768

typedef struct {
    uint32_t offset_bytes;
    uint32_t rows;
    uint32_t row_numbers; /* stored in a row, padding included */
    uint32_t row_used;    /* of these the first are the row's */
    uint32_t width_bytes; /* of one number: 1, 2 or 4 */
    uint32_t quads;       /* each four are stored 0, 2, 1, 3 (A8.6) */
} jrg_integer_region;

/* engine_protocol.StepLimits */
typedef struct {
    uint32_t loss_threshold; /* no update below it (A11.8); 0 disables */
    uint32_t clip;           /* largest output error (A11.7); 0: any */
} jrg_integer_limits;

typedef struct {
    const jrg_integer_region *regions; /* where the blob has weights and biases */
    const double *units;               /* real value of one, for each row of each region */
    uint32_t regions_count;
    uint32_t passes;
    uint32_t batch;         /* samples a step (A11.1); 0: all of a pass */
    int32_t proximal_decay; /* of the way from the start that is kept after a pass, Q15 */
    uint16_t rate_mantissa;
    uint8_t rate_exponent;
    uint8_t prototypes; /* they take the place of the last layer (A12) */
    uint8_t gradients;  /* enrolled samples teach, too (A12.10) */
    uint8_t temperature_exponent;
    uint16_t temperature_mantissa;
    jrg_integer_limits limits;
} jrg_integer_work;

typedef struct {
    uint32_t clients;
    const uint32_t *counts;   /* [clients] samples of each */
    const uint32_t *seeds;    /* [clients] of the dither (A8.5) */
    const uint32_t *episodes; /* [clients] of a pass; 1 without prototypes */
    const uint32_t *enrolled; /* [all episodes] samples that are enrolled and not trained on; 0: all (A12) */
    const uint32_t *trained;  /* [all episodes] samples that are trained on, behind those */
    const int16_t *inputs;    /* the samples of all clients, one after the other */
    const int16_t *targets;
} jrg_integer_samples;

typedef struct {
    uint32_t correct;
    uint64_t loss;
} jrg_integer_figures;

static uint32_t jrg_integer_memory[JRG_MODEL_BLOB_BYTES / 4u]; /* the weights the engine computes on */

static int32_t jrg_integer_read(const void *memory, uint32_t at_bytes, uint32_t width_bytes)
{
    const uint8_t *place = (const uint8_t *)memory + at_bytes;
    int16_t half;
    int32_t word;
    if (width_bytes == 1u) {
        return (int8_t)*place;
    }
    if (width_bytes == 2u) {
        memcpy(&half, place, sizeof half);
        return half;
    }
    memcpy(&word, place, sizeof word);
    return word;
}

/* Stores a number, saturated to what a weight or a bias of that width may be (A5.6). */
static void jrg_integer_write(void *memory, uint32_t at_bytes, uint32_t width_bytes, int64_t value)
{
    uint8_t *place = (uint8_t *)memory + at_bytes;
    const int64_t limit = width_bytes == 4u ? (int64_t)1 << 30 : (int64_t)1 << (8u * width_bytes - 1u);
    const int64_t fitting = value < -limit ? -limit : (value >= limit ? limit - 1 : value);
    const int8_t byte = (int8_t)fitting;
    const int16_t half = (int16_t)fitting;
    const int32_t word = (int32_t)fitting;
    if (width_bytes == 1u) {
        memcpy(place, &byte, sizeof byte);
    } else if (width_bytes == 2u) {
        memcpy(place, &half, sizeof half);
    } else {
        memcpy(place, &word, sizeof word);
    }
}

static uint32_t jrg_integer_count_of(jrg_integer_region region)
{
    return region.rows * region.row_numbers;
}

/* weights = start + rshift((weights - start) * proximal_decay, 15) (A1.1). */
static void jrg_integer_proximal_decay(const jrg_integer_work *work, const void *start)
{
    for (uint32_t r = 0; r < work->regions_count; r++) {
        const jrg_integer_region region = work->regions[r];
        for (uint32_t i = 0; i < jrg_integer_count_of(region); i++) {
            const uint32_t at = region.offset_bytes + i * region.width_bytes;
            const int64_t origin = jrg_integer_read(start, at, region.width_bytes);
            const int64_t way = jrg_integer_read(jrg_integer_memory, at, region.width_bytes) - origin;
            const int64_t kept = (way * work->proximal_decay + (1 << 14)) >> 15;
            jrg_integer_write(jrg_integer_memory, at, region.width_bytes, origin + kept);
        }
    }
}

static void jrg_integer_count(jrg_integer_figures *figures, jrg_nn_result result)
{
    figures->correct += result.correct ? 1u : 0u;
    figures->loss += result.loss;
}

/* Samples of one step. n: those of a pass. */
static uint32_t jrg_integer_step_size(const jrg_integer_work *work, uint32_t n)
{
    return work->batch == 0u || work->batch > n ? n : work->batch;
}

typedef jrg_nn_status (*jrg_integer_call)(const int16_t *x, const int16_t *target, jrg_nn_result *result);

#ifdef JRG_MODEL_PROTOTYPES
static jrg_nn_status jrg_integer_set_temperature(const jrg_integer_work *work)
{
    if (!work->prototypes) {
        return JRG_NN_OK;
    }
    return jrg_model_set_temperature((jrg_nn_rate){work->temperature_mantissa, work->temperature_exponent});
}

/* Forgets all classes and enrols these n samples (A12.1). */
static jrg_nn_status jrg_integer_enrol(const int16_t *x, const int16_t *y, uint32_t n)
{
    jrg_nn_status status = JRG_NN_OK;
    jrg_model_forget_all();
    for (uint32_t i = 0; i < n && status == JRG_NN_OK; i++) {
        status = jrg_model_enrol(x + (size_t)i * JRG_MODEL_INPUTS, (uint32_t)(uint16_t)y[i]);
    }
    return status;
}

static jrg_integer_call jrg_integer_training(const jrg_integer_work *work)
{
    return work->prototypes ? jrg_model_train_prototypes : jrg_model_train;
}

static jrg_integer_call jrg_integer_evaluation(const jrg_integer_work *work)
{
    return work->prototypes ? jrg_model_evaluate_prototypes : jrg_model_evaluate;
}

#ifdef JRG_MODEL_PROTOTYPE_GRADIENTS
/* A step on each of n enrolled samples (A12.10). */
static jrg_nn_status jrg_integer_teach_enrolled(const int16_t *x, const int16_t *y, uint32_t n)
{
    jrg_nn_status status = JRG_NN_OK;
    for (uint32_t i = 0; i < n && status == JRG_NN_OK; i++) {
        status = jrg_model_train_enrolled(x + (size_t)i * JRG_MODEL_INPUTS, (uint32_t)(uint16_t)y[i]);
    }
    return status;
}
#endif

/* The class recognised (A12.3). */
static jrg_nn_status jrg_integer_recognise(const int16_t *x, int32_t *answer)
{
    jrg_nn_match match = {0};
    const jrg_nn_status status = jrg_model_recognise(x, &match);
    *answer = match.label;
    return status;
}
#else
static jrg_nn_status jrg_integer_set_temperature(const jrg_integer_work *work)
{
    return work->prototypes ? JRG_NN_NO_PROTOTYPE : JRG_NN_OK;
}

static jrg_nn_status jrg_integer_enrol(const int16_t *x, const int16_t *y, uint32_t n)
{
    (void)x;
    (void)y;
    (void)n;
    return JRG_NN_NO_PROTOTYPE;
}

static jrg_integer_call jrg_integer_training(const jrg_integer_work *work)
{
    (void)work;
    return jrg_model_train;
}

static jrg_integer_call jrg_integer_evaluation(const jrg_integer_work *work)
{
    (void)work;
    return jrg_model_evaluate;
}

static jrg_nn_status jrg_integer_recognise(const int16_t *x, int32_t *answer)
{
    (void)x;
    *answer = 0;
    return JRG_NN_NO_PROTOTYPE;
}
#endif

#ifndef JRG_MODEL_PROTOTYPE_GRADIENTS
static jrg_nn_status jrg_integer_teach_enrolled(const int16_t *x, const int16_t *y, uint32_t n)
{
    (void)x;
    (void)y;
    (void)n;
    return JRG_NN_NO_PROTOTYPE;
}
#endif

/* What a step's size leaves over at the end of a pass is a step of its own (A11.5). */
static jrg_nn_status jrg_integer_pass(jrg_integer_call train, const int16_t *x, const int16_t *y, uint32_t n,
                                      jrg_integer_figures *figures)
{
    jrg_nn_result result;
    for (uint32_t i = 0; i < n; i++) {
        const int16_t *target = y + (size_t)i * JRG_MODEL_TARGETS;
        const jrg_nn_status status = train(x + (size_t)i * JRG_MODEL_INPUTS, target, &result);
        if (status != JRG_NN_OK) {
            return status;
        }
        jrg_integer_count(figures, result);
    }
    return jrg_model_apply();
}

/* n: samples that a pass trains on. */
static jrg_nn_status jrg_integer_load(const jrg_integer_work *work, const void *start, uint32_t n, uint32_t seed)
{
    memcpy(jrg_integer_memory, start, sizeof jrg_integer_memory);
    jrg_nn_status status = jrg_model_bind(jrg_integer_memory);
    if (status == JRG_NN_OK) {
        status = jrg_model_set_rate((jrg_nn_rate){work->rate_mantissa, work->rate_exponent});
        jrg_model_set_seed(seed);
        jrg_model_set_loss_threshold(work->limits.loss_threshold);
        jrg_model_set_clip(work->limits.clip);
    }
    if (status == JRG_NN_OK) {
        status = jrg_integer_set_temperature(work);
    }
    if (status == JRG_NN_OK) {
        status = jrg_model_set_accumulation(n == 0u ? 1u : jrg_integer_step_size(work, n));
    }
    return status;
}

/* The samples of one device, in the order of its episodes. */
typedef struct {
    const int16_t *x;
    const int16_t *y;
    const uint32_t *enrolled; /* [episodes], and `trained` too */
    const uint32_t *trained;
    uint32_t episodes;
    uint32_t count;
    uint32_t seed;
} jrg_integer_support;

/* Prototypes of the first episode, or of all samples if it sets none apart (A12). */
static jrg_nn_status jrg_integer_enrol_support(const jrg_integer_work *work, const jrg_integer_support *support)
{
    const uint32_t n = support->enrolled[0] == 0u ? support->count : support->enrolled[0];
    return work->prototypes ? jrg_integer_enrol(support->x, support->y, n) : JRG_NN_OK;
}

/* One episode, whose samples begin at x and y. jobs: so far; on a board each is a job of its own, with the next seed. */
static jrg_nn_status jrg_integer_episode(const jrg_integer_work *work, const jrg_integer_support *support,
                                         uint32_t episode, const int16_t *x, const int16_t *y, uint32_t *jobs,
                                         jrg_integer_figures *figures)
{
    const uint32_t enrolled = support->enrolled[episode];
    const uint32_t trained = support->trained[episode];
    const int16_t *inputs = x + (size_t)enrolled * JRG_MODEL_INPUTS;
    const int16_t *targets = y + (size_t)enrolled * JRG_MODEL_TARGETS;
    jrg_nn_status status = JRG_NN_OK;
    if (work->prototypes) {
        status = jrg_integer_enrol(x, y, enrolled == 0u ? trained : enrolled);
    }
    if (status == JRG_NN_OK) {
        status = jrg_integer_pass(jrg_integer_training(work), inputs, targets, trained, figures);
    }
    if (work->gradients && status == JRG_NN_OK) {
        jrg_model_set_seed(support->seed + ++*jobs);
        status = jrg_integer_teach_enrolled(x, y, enrolled);
    }
    ++*jobs;
    return status;
}

static jrg_nn_status jrg_integer_learn(const jrg_integer_work *work, const void *start,
                                       const jrg_integer_support *support, jrg_integer_figures *figures)
{
    const bool decays = work->proximal_decay != JRG_INTEGER_NO_DECAY;
    jrg_nn_status status = JRG_NN_OK;
    uint32_t jobs = 0;
    for (uint32_t pass = 0; pass < work->passes && status == JRG_NN_OK && support->trained[0] != 0u; pass++) {
        size_t first = 0;
        for (uint32_t e = 0; e < support->episodes && status == JRG_NN_OK; e++) {
            const uint32_t n = support->trained[e];
            status = jrg_integer_episode(work, support, e, support->x + first * JRG_MODEL_INPUTS,
                                         support->y + first * JRG_MODEL_TARGETS, &jobs, figures);
            first += support->enrolled[e] + n;
            if (decays) {
                jrg_integer_proximal_decay(work, start);
            }
            if (decays || work->prototypes || n % jrg_integer_step_size(work, n) != 0u) {
                jrg_model_set_seed(support->seed + jobs); /* on a board the next pass is a job of its own */
            }
        }
    }
    return status == JRG_NN_OK ? jrg_integer_enrol_support(work, support) : status;
}

static jrg_nn_status jrg_integer_evaluate(jrg_integer_call evaluate, const jrg_integer_samples *query, uint32_t first,
                                          uint32_t n, jrg_integer_figures *figures)
{
    jrg_nn_result result;
    for (uint32_t i = first; i < first + n; i++) {
        const int16_t *x = query->inputs + (size_t)i * JRG_MODEL_INPUTS;
        const jrg_nn_status status = evaluate(x, query->targets + (size_t)i * JRG_MODEL_TARGETS, &result);
        if (status != JRG_NN_OK) {
            return status;
        }
        jrg_integer_count(figures, result);
    }
    return JRG_NN_OK;
}

/* How far a row is from where it was at the start, in real numbers; differences of such integers are exact. */
static double *jrg_integer_row_learned(jrg_integer_region region, uint32_t at_bytes, const void *start, double unit,
                                       double *learned)
{
    static const uint32_t in_quad[4] = {0, 2, 1, 3};
    for (uint32_t i = 0; i < region.row_used; i++) {
        const uint32_t place = region.quads ? (i & ~3u) + in_quad[i & 3u] : i;
        const uint32_t at = at_bytes + place * region.width_bytes;
        const int64_t was = jrg_integer_read(start, at, region.width_bytes);
        *learned++ = (double)(jrg_integer_read(jrg_integer_memory, at, region.width_bytes) - was) * unit;
    }
    return learned;
}

/* The first largest output (A4.2). */
static jrg_nn_status jrg_integer_classify(const int16_t *x, int32_t *answer)
{
    int16_t outputs[JRG_MODEL_OUTPUTS];
    const jrg_nn_status status = jrg_model_forward(x, outputs);
    *answer = 0;
    for (int32_t j = 1; j < (int32_t)JRG_MODEL_OUTPUTS && status == JRG_NN_OK; j++) {
        *answer = outputs[j] > outputs[*answer] ? j : *answer;
    }
    return status;
}

/* What the engine answers to each query sample. */
static jrg_nn_status jrg_integer_answer(const jrg_integer_work *work, const int16_t *x, uint32_t n, int32_t *answers)
{
    jrg_nn_status status = JRG_NN_OK;
    for (uint32_t i = 0; i < n && status == JRG_NN_OK; i++) {
        const int16_t *sample = x + (size_t)i * JRG_MODEL_INPUTS;
        status =
            work->prototypes ? jrg_integer_recognise(sample, &answers[i]) : jrg_integer_classify(sample, &answers[i]);
    }
    return status;
}

static double *jrg_integer_learned(const jrg_integer_work *work, const void *start, double *learned)
{
    const double *unit = work->units;
    for (uint32_t r = 0; r < work->regions_count; r++) {
        const jrg_integer_region region = work->regions[r];
        for (uint32_t row = 0; row < region.rows; row++) {
            const uint32_t at = region.offset_bytes + row * region.row_numbers * region.width_bytes;
            learned = jrg_integer_row_learned(region, at, start, *unit++, learned);
        }
    }
    return learned;
}

/* What client c learns from; its samples begin with sample `first`, its episodes with number `episode`. */
static jrg_integer_support jrg_integer_support_of(const jrg_integer_samples *samples, uint32_t c, uint32_t first,
                                                  uint32_t episode)
{
    return (jrg_integer_support){
        .x = samples->inputs + (size_t)first * JRG_MODEL_INPUTS,
        .y = samples->targets + (size_t)first * JRG_MODEL_TARGETS,
        .enrolled = samples->enrolled + episode,
        .trained = samples->trained + episode,
        .episodes = samples->episodes[c],
        .count = samples->counts[c],
        .seed = samples->seeds[c],
    };
}

static jrg_nn_status jrg_integer_load_for(const jrg_integer_work *work, const void *start,
                                          const jrg_integer_support *support)
{
    return jrg_integer_load(work, start, support->trained[0], support->seed);
}

/* Trains every client from `start`; what it learned goes to `learned`, a vector after the other. 0, or a jrg_nn_status. */
int jrg_integer_train(const jrg_integer_work *work, const void *start, const jrg_integer_samples *support,
                      double *learned, jrg_integer_figures *figures)
{
    uint32_t first = 0;
    uint32_t episode = 0;
    for (uint32_t c = 0; c < support->clients; c++) {
        const jrg_integer_support own = jrg_integer_support_of(support, c, first, episode);
        jrg_nn_status status = jrg_integer_load_for(work, start, &own);
        if (status == JRG_NN_OK) {
            status = jrg_integer_learn(work, start, &own, &figures[c]);
        }
        if (status != JRG_NN_OK) {
            return (int)status;
        }
        learned = jrg_integer_learned(work, start, learned);
        first += support->counts[c];
        episode += support->episodes[c];
    }
    return 0;
}

/* Evaluates every client on its query samples before and after it learns its support samples. 0, or a jrg_nn_status.
 * answers: [query samples], what is answered after. */
int jrg_integer_adapt(const jrg_integer_work *work, const void *start, const jrg_integer_samples *support,
                      const jrg_integer_samples *query, jrg_integer_figures *before, jrg_integer_figures *after,
                      int32_t *answers)
{
    uint32_t first = 0;
    uint32_t first_query = 0;
    uint32_t episode = 0;
    jrg_integer_figures unused = {0};
    for (uint32_t c = 0; c < support->clients; c++) {
        const jrg_integer_support own = jrg_integer_support_of(support, c, first, episode);
        jrg_nn_status status = jrg_integer_load_for(work, start, &own);
        if (status == JRG_NN_OK) {
            status = jrg_integer_evaluate(jrg_model_evaluate, query, first_query, query->counts[c], &before[c]);
        }
        if (status == JRG_NN_OK) {
            status = jrg_integer_learn(work, start, &own, &unused);
        }
        if (status == JRG_NN_OK) {
            status =
                jrg_integer_evaluate(jrg_integer_evaluation(work), query, first_query, query->counts[c], &after[c]);
        }
        if (status == JRG_NN_OK) {
            const int16_t *x = query->inputs + (size_t)first_query * JRG_MODEL_INPUTS;
            status = jrg_integer_answer(work, x, query->counts[c], answers + first_query);
        }
        if (status != JRG_NN_OK) {
            return (int)status;
        }
        first += support->counts[c];
        episode += support->episodes[c];
        first_query += query->counts[c];
    }
    return 0;
}
