#include "jrg_online.h"

#include <string.h>

#include "dense/jrg_nn_dense_forward.h"  // jrg_nn_dense_forward
#include "dense/jrg_nn_dense_update.h"   // jrg_nn_dense_update
#include "core/jrg_nn_dither.h"          // jrg_nn_dither_step
#include "weighted/jrg_nn_active_rows.h" // jrg_nn_active_rows
#include "loss/jrg_nn_softmax.h"         // jrg_nn_softmax_error
#include "core/jrg_nn_wide.h"            // jrg_nn_wide_forward
#include "jrg_online_open.h"             // jrg_online_open_row

enum {
    FULL_WIDTH = 15,
    LOGIT_WIDTH = 15,
    MOST_REPLAYS = 64,
    LEAST_HORIZON_LOG2 = 4,
    MOST_HORIZON_LOG2 = 14,
    PROTOTYPE_SAMPLES = 16, /* O5.1 */
    STALE = 255,            /* O7.3: a count of a prototype that the next sample replaces */
    RECENT_SAMPLES = 64,    /* O8 */
    YOUNG_SAMPLES = 30,     /* O7.2 */
    SEEN_AFTER_DRIFT = 16,  /* O7.3 */
    SMALL_GAIN_EXPONENT = 15,
    LEAST_SHIFT = 2,
    MOST_SHIFT = 30,
    LEAST_MANTISSA = 16384,
};
#define MOST_THRESHOLD (1u << 24)
/* The kernels are long where they are inlined: once is enough. */
#define JRG_ONLINE_ONCE __attribute__((noinline))

/* A bit for each of so many outputs. */
static uint64_t every(uint32_t outputs)
{
    return outputs < JRG_ONLINE_MOST_OUTPUTS ? (1ull << outputs) - 1u : UINT64_MAX;
}

static bool has_begun(const jrg_online *online)
{
    return online->head.weights != NULL;
}

static bool has_statistics(const jrg_online_settings *settings)
{
    return settings->horizon_log2 != 0u;
}

static bool are_good(const jrg_online_settings *settings)
{
    const bool horizon = has_statistics(settings) ? settings->horizon_log2 >= LEAST_HORIZON_LOG2 &&
                                                        settings->horizon_log2 <= MOST_HORIZON_LOG2
                                                  : !settings->standardise;
    return horizon && settings->replays <= MOST_REPLAYS && settings->threshold <= MOST_THRESHOLD;
}

/* A3.3, A5.2: outside them a shift of a kernel would be none. */
static bool can_step(const jrg_online_step *step)
{
    return step->exponents.forward_shift >= LEAST_SHIFT && step->exponents.forward_shift <= MOST_SHIFT &&
           step->rate.mantissa >= LEAST_MANTISSA;
}

jrg_online_status jrg_online_check(const jrg_online_settings *settings, const jrg_online_step *step, uint32_t outputs,
                                   bool fresh)
{
    if (!are_good(settings) || !can_step(step) || outputs > JRG_ONLINE_MOST_OUTPUTS)
        return JRG_ONLINE_BAD_SETTINGS;
    return fresh && (settings->known & every(outputs)) == 0u ? JRG_ONLINE_BAD_SETTINGS : JRG_ONLINE_OK;
}

static uint32_t stride_of(const jrg_nn_dense *head)
{
    return head->inputs + (head->inputs & 1u);
}

static bool is_known(const jrg_online *online, uint32_t label)
{
    return (online->report.known >> label & 1u) != 0u;
}

/* O5.1 and O8: the part of a new sample in an average over count, Q15. */
static int32_t small_gain(uint32_t count)
{
    return (int32_t)((32768u + count / 2u) / count);
}

/* O4.1. */
static void close_rows(jrg_online *online)
{
    const uint32_t row_bytes = 2u * stride_of(&online->head);
    for (uint32_t j = 0; j < online->head.outputs; j++) {
        online->memory.ages[j] = YOUNG_SAMPLES;
        if (is_known(online, j))
            continue;
        memset((uint8_t *)online->head.weights + j * row_bytes, 0, row_bytes);
        online->head.biases[j] = -(1 << 30);
    }
}

static void forget(jrg_online *online)
{
    const uint32_t outputs = online->head.outputs;
    memset(online->memory.prototypes, 0, 2u * outputs * stride_of(&online->head));
    memset(online->memory.counts, 0, outputs);
    memset(online->memory.features, 0, 2u * stride_of(&online->head));
    memset(online->memory.stats, 0, online->network.inputs * sizeof *online->memory.stats);
}

static void follow(jrg_online *online, const jrg_online_settings *settings, const jrg_online_step *step)
{
    online->settings = *settings;
    online->exponents = step->exponents;
    online->rate = step->rate;
}

jrg_online_status jrg_online_begin(jrg_online *online, const jrg_nn_dense *head, const jrg_online_network *network,
                                   const jrg_online_memory *memory, const jrg_online_settings *settings,
                                   const jrg_online_step *step)
{
    const jrg_online_status status = jrg_online_check(settings, step, head->outputs, true);
    if (status != JRG_ONLINE_OK)
        return status;
    *online = (jrg_online){.head = *head, .network = *network, .memory = *memory};
    follow(online, settings, step);
    online->report.known = settings->known & every(head->outputs);
    forget(online);
    close_rows(online);
    return JRG_ONLINE_OK;
}

jrg_online_status jrg_online_change(jrg_online *online, const jrg_nn_dense *head, const jrg_online_settings *settings,
                                    const jrg_online_step *step)
{
    if (!has_begun(online))
        return JRG_ONLINE_NOT_BEGUN;
    const jrg_online_status status = jrg_online_check(settings, step, head->outputs, false);
    if (status != JRG_ONLINE_OK)
        return status;
    online->head = *head;
    follow(online, settings, step);
    return JRG_ONLINE_OK;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------- */

jrg_online_status jrg_online_prepare(jrg_online *online, int16_t *x)
{
    const jrg_online_network *network = &online->network;
    if (!has_begun(online))
        return JRG_ONLINE_NOT_BEGUN;
    if (!has_statistics(&online->settings))
        return JRG_ONLINE_OK;
    const uint32_t horizon = 1u << online->settings.horizon_log2;
    const uint32_t count = online->seen < horizon ? online->seen + 1u : horizon;
    jrg_online_stats_add(online->memory.stats, x, network->inputs, jrg_online_gain(count));
    online->seen = count;
    if (!online->settings.standardise)
        return JRG_ONLINE_OK;
    jrg_online_standardise(online->memory.stats, x, network->inputs, network->input_width, network->input_exponent);
    return count > online->settings.warm_up ? JRG_ONLINE_OK : JRG_ONLINE_WARMING_UP;
}

/* ---- the head ----------------------------------------------------------------------------------------------------- */

/* The logits of memory.features (A3.3); sums take 64 bits where 32 do not hold them (A3.4). */
static JRG_ONLINE_ONCE void work_out_logits(jrg_online *online)
{
    const jrg_nn_dense *head = &online->head;
    const int16_t *features = online->memory.features;
    const uint32_t shift = (uint32_t)online->exponents.forward_shift;
    const uint32_t part = jrg_nn_wide_part(head->input_width);
    if (head->inputs <= part)
        jrg_nn_dense_forward(features, head->weights, head->biases, online->memory.logits, head->inputs, head->outputs,
                             shift, LOGIT_WIDTH, false);
    else
        jrg_nn_wide_forward(features, head->weights, head->biases, online->memory.logits, head->inputs, head->outputs,
                            part, shift, LOGIT_WIDTH, false);
}

/* O4.2 for memory.features; the list of errors is written. */
static JRG_ONLINE_ONCE jrg_nn_error evaluate_head(jrg_online *online, uint32_t label, jrg_nn_result *result)
{
    const jrg_nn_dense *head = &online->head;
    work_out_logits(online);
    return jrg_nn_softmax_error(online->memory.logits, head->outputs, (int16_t)label, online->memory.errors, result);
}

/* A5.1, A5.4. error_width: a constant, which the kernels' saturating instructions need. */
JRG_NN_INLINE uint32_t list_rows(jrg_online *online, uint32_t key, jrg_nn_error *error, uint32_t error_width)
{
    jrg_nn_dense head = online->head;
    head.error_width = error_width;
    return jrg_nn_active_rows(&head, online->exponents, online->rate, key, online->memory.errors, error,
                              online->memory.rows);
}

/* A5.5: 15 - ceil(log2 outputs), of 1 to 64 outputs. */
static uint32_t active_rows(jrg_online *online, uint32_t key, jrg_nn_error *error)
{
    switch (online->head.error_width) {
    case 9:
        return list_rows(online, key, error, 9);
    case 10:
        return list_rows(online, key, error, 10);
    case 11:
        return list_rows(online, key, error, 11);
    case 12:
        return list_rows(online, key, error, 12);
    case 13:
        return list_rows(online, key, error, 13);
    case 14:
        return list_rows(online, key, error, 14);
    default:
        return list_rows(online, key, error, 15);
    }
}

/* O4.3. */
static JRG_ONLINE_ONCE void step(jrg_online *online, jrg_nn_error error)
{
    const uint32_t key = jrg_nn_dither_step(0, online->steps++);
    if (error.magnitude == 0u)
        return;
    const uint32_t count = active_rows(online, key, &error);
    jrg_nn_dense_update(&online->head, online->memory.rows, count, online->memory.features, key);
}

/* ---- prototypes --------------------------------------------------------------------------------------------------- */

static int16_t *prototype_of(const jrg_online *online, uint32_t label)
{
    return online->memory.prototypes + label * stride_of(&online->head);
}

/* O5.1. x: the sample's features. */
static void remember(jrg_online *online, const int16_t *x, uint32_t label)
{
    int16_t *prototype = prototype_of(online, label);
    uint8_t *count = &online->memory.counts[label];
    const uint32_t left = FULL_WIDTH - online->head.input_width;
    if (*count == STALE)
        *count = 0;
    if (*count < PROTOTYPE_SAMPLES)
        (*count)++;
    const int32_t gain = small_gain(*count);
    for (uint32_t i = 0; i < online->head.inputs; i++) {
        const int32_t distance = (int32_t)((uint32_t)x[i] << left) - prototype[i];
        prototype[i] = (int16_t)(prototype[i] + jrg_nn_rshift(distance * gain, SMALL_GAIN_EXPONENT));
    }
}

/* O5.2: memory.features become the class's prototype. */
static void recall(jrg_online *online, uint32_t label)
{
    const int16_t *prototype = prototype_of(online, label);
    const uint32_t right = FULL_WIDTH - online->head.input_width;
    const int32_t most = (int32_t)(1u << online->head.input_width) - 1;
    for (uint32_t i = 0; i < online->head.inputs; i++) {
        const int32_t value = right == 0u ? prototype[i] : jrg_nn_rshift(prototype[i], right);
        online->memory.features[i] = (int16_t)(value < most ? value : most);
    }
}

/* O5.2: there is always one with a prototype, the class of this sample. */
static uint32_t next_in_ring(jrg_online *online)
{
    do
        online->ring = online->ring + 1u < online->head.outputs ? online->ring + 1u : 0u;
    while (online->memory.counts[online->ring] == 0u);
    return online->ring;
}

static void replay(jrg_online *online)
{
    jrg_nn_result ignored;
    const uint32_t label = next_in_ring(online);
    recall(online, label);
    step(online, evaluate_head(online, label, &ignored));
}

/* ---- events ------------------------------------------------------------------------------------------------------- */

/* O6. memory.features and memory.logits are the sample's. */
static void open_class(jrg_online *online, uint32_t label)
{
    jrg_online_open_row(&online->head, online->report.known, label, online->memory.features,
                        (uint32_t)online->exponents.forward_shift, online->memory.logits);
    online->report.known |= 1ull << label;
    online->report.opened++;
    online->report.opened_at = online->report.samples;
    online->report.opened_label = (uint16_t)label;
    online->memory.ages[label] = 0;
}

/* O7.3. */
static void note_drift(jrg_online *online)
{
    online->drift = (jrg_online_drift){0};
    for (uint32_t j = 0; j < online->head.outputs; j++)
        online->memory.counts[j] = online->memory.counts[j] != 0u ? STALE : 0;
    if (online->seen > SEEN_AFTER_DRIFT)
        online->seen = SEEN_AFTER_DRIFT;
    online->report.drifts++;
    online->report.drift_at = online->report.samples;
}

/* O7.2. */
static bool watch(jrg_online *online, uint32_t label, uint32_t loss)
{
    if (online->memory.ages[label] < YOUNG_SAMPLES) {
        online->memory.ages[label]++;
        return false;
    }
    const bool drift = jrg_online_drift_add(&online->drift, loss, online->settings.slack, online->settings.threshold);
    if (drift)
        note_drift(online);
    return drift;
}

/* O8. */
static void count(jrg_online_report *report, bool correct)
{
    const uint32_t samples = report->samples < RECENT_SAMPLES ? report->samples + 1u : RECENT_SAMPLES;
    const int32_t distance = (correct ? 32768 : 0) - (int32_t)report->recent;
    report->recent =
        (uint16_t)((int32_t)report->recent + jrg_nn_rshift(distance * small_gain(samples), SMALL_GAIN_EXPONENT));
    report->samples++;
    report->correct += correct;
}

static jrg_online_outcome learn(jrg_online *online, const int16_t *features, uint32_t label)
{
    jrg_nn_result result;
    memcpy(online->memory.features, features, 2u * online->head.inputs);
    jrg_nn_error error = evaluate_head(online, label, &result);
    count(&online->report, result.correct);
    jrg_online_outcome outcome = {.correct = result.correct, .loss = result.loss, .opened = !is_known(online, label)};
    if (outcome.opened) {
        open_class(online, label);
        error = evaluate_head(online, label, &result);
    } else {
        outcome.drift = watch(online, label, result.loss);
    }
    step(online, error);
    remember(online, features, label);
    for (uint32_t i = 0; i < online->settings.replays; i++)
        replay(online);
    return outcome;
}

jrg_online_status jrg_online_learn(jrg_online *online, const int16_t *features, uint32_t label,
                                   jrg_online_outcome *outcome)
{
    if (!has_begun(online))
        return JRG_ONLINE_NOT_BEGUN;
    if (label >= online->head.outputs)
        return JRG_ONLINE_BAD_LABEL;
    *outcome = learn(online, features, label);
    return JRG_ONLINE_OK;
}
