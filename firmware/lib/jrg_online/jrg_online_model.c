#include "jrg_online_model.h"

#include <stddef.h>

#include "core/jrg_nn_rate.h" // jrg_nn_rate_is_valid

#ifdef JRG_MODEL_HEAD_INPUTS
enum { LOGIT_EXPONENT = 11, ANY_SHIFT = 2 };

static jrg_online online;
static jrg_online_stat stats[JRG_MODEL_INPUTS];
static _Alignas(4) int16_t prototypes[JRG_MODEL_OUTPUTS * JRG_ONLINE_MODEL_STRIDE];
static _Alignas(4) uint8_t counts[(JRG_MODEL_OUTPUTS + 3u) / 4u * 4u];
static _Alignas(4) uint8_t ages[(JRG_MODEL_OUTPUTS + 3u) / 4u * 4u];
static _Alignas(4) int16_t features[JRG_ONLINE_MODEL_STRIDE];
static _Alignas(4) int16_t logits[JRG_MODEL_OUTPUTS];
static jrg_nn_row_error errors[JRG_MODEL_OUTPUTS];
static jrg_nn_active_row rows[JRG_MODEL_OUTPUTS + 2u];
_Static_assert(sizeof online % 4u == 0u && sizeof stats % 4u == 0u && sizeof prototypes % 4u == 0u, "K8");

static jrg_nn_exponents exponents_of(const uint8_t *blob)
{
    const int8_t weight = (int8_t)blob[JRG_MODEL_HEAD_EXPONENTS_OFFSET];
    const int8_t input = (int8_t)blob[JRG_MODEL_HEAD_EXPONENTS_OFFSET + 1u];
    return (jrg_nn_exponents){
        .weight_exponent = weight,
        .input_exponent = input,
        .forward_shift = (int8_t)(weight + input - LOGIT_EXPONENT),
        .bias_shift = (int8_t)(2 * input - (int8_t)JRG_MODEL_HEAD_INPUT_WIDTH - 1),
    };
}

static jrg_nn_dense head_of(uint8_t *blob)
{
    return (jrg_nn_dense){
        .weights = (int16_t *)(void *)(blob + JRG_MODEL_HEAD_WEIGHTS_OFFSET),
        .biases = (int32_t *)(void *)(blob + JRG_MODEL_HEAD_BIASES_OFFSET),
        .inputs = JRG_MODEL_HEAD_INPUTS,
        .outputs = JRG_MODEL_OUTPUTS,
        .input_width = JRG_MODEL_HEAD_INPUT_WIDTH,
        .error_width = JRG_MODEL_HEAD_ERROR_WIDTH,
    };
}

static jrg_online_network network_of(const uint8_t *blob)
{
    return (jrg_online_network){
        .inputs = JRG_MODEL_INPUTS,
        .input_width = JRG_MODEL_NETWORK_INPUT_WIDTH,
        .input_exponent = (int8_t)blob[JRG_MODEL_INPUT_EXPONENT_OFFSET],
    };
}

/* A rate that is none of A5.2 becomes mantissa 0, which no learner takes. */
static jrg_nn_step_rate rate_of(jrg_nn_rate rate)
{
    if (!jrg_nn_rate_is_valid(rate))
        return (jrg_nn_step_rate){0};
    return (jrg_nn_step_rate){(int16_t)rate.mantissa, (int16_t)rate.exponent};
}

static jrg_online_step step_of(const uint8_t *blob, jrg_nn_rate rate)
{
    return (jrg_online_step){exponents_of(blob), rate_of(rate)};
}

/* The exponents are those of weights, which are checked on their own (A6.1): any that can be serve here. */
jrg_online_status jrg_online_model_check(const jrg_online_settings *settings, jrg_nn_rate rate, bool fresh)
{
    const jrg_online_step step = {{.forward_shift = ANY_SHIFT}, rate_of(rate)};
    return jrg_online_check(settings, &step, JRG_MODEL_OUTPUTS, fresh);
}

static jrg_online_memory memory_of_learner(void)
{
    return (jrg_online_memory){stats, prototypes, counts, ages, features, logits, errors, rows};
}

jrg_online_status jrg_online_model_begin(void *blob, const jrg_online_settings *settings, jrg_nn_rate rate)
{
    const jrg_online_memory memory = memory_of_learner();
    const jrg_nn_dense head = head_of(blob);
    const jrg_online_status status = jrg_online_model_check(settings, rate, true);
    if (status != JRG_ONLINE_OK)
        return status;
    if (jrg_model_bind(blob) != JRG_NN_OK)
        return JRG_ONLINE_BAD_WEIGHTS;
    const jrg_online_network network = network_of(blob);
    const jrg_online_step step = step_of(blob, rate);
    return jrg_online_begin(&online, &head, &network, &memory, settings, &step);
}

jrg_online_status jrg_online_model_resume(void *blob, const jrg_online_settings *settings, jrg_nn_rate rate)
{
    const jrg_nn_dense head = head_of(blob);
    const jrg_online_status status = jrg_online_model_check(settings, rate, false);
    if (online.head.weights == NULL)
        return JRG_ONLINE_NOT_BEGUN;
    if (status != JRG_ONLINE_OK)
        return status;
    if (jrg_model_bind(blob) != JRG_NN_OK)
        return JRG_ONLINE_BAD_WEIGHTS;
    const jrg_online_step step = step_of(blob, rate);
    return jrg_online_change(&online, &head, settings, &step);
}

jrg_online_status jrg_online_model_learn(int16_t *x, uint32_t label, jrg_online_outcome *outcome)
{
    if (online.head.weights != NULL && label >= JRG_MODEL_OUTPUTS) /* before the statistics take the sample */
        return JRG_ONLINE_BAD_LABEL;
    const jrg_online_status status = jrg_online_prepare(&online, x);
    if (status != JRG_ONLINE_OK)
        return status;
    if (jrg_model_forward(x, logits) != JRG_NN_OK)
        return JRG_ONLINE_NOT_BEGUN;
    return jrg_online_learn(&online, jrg_model_features(), label, outcome);
}

/* What a sample leaves for the next one; the rest is scratch. */
void *jrg_online_model_part(uint32_t part, uint32_t *len_bytes)
{
    const struct {
        void *bytes;
        uint32_t len_bytes;
    } parts[JRG_ONLINE_MODEL_PARTS] = {
        {&online, sizeof online}, {stats, sizeof stats}, {prototypes, sizeof prototypes},
        {counts, sizeof counts},  {ages, sizeof ages},
    };
    *len_bytes = part < JRG_ONLINE_MODEL_PARTS ? parts[part].len_bytes : 0;
    return part < JRG_ONLINE_MODEL_PARTS ? parts[part].bytes : NULL;
}

/* A process has its memory at another place each time, so no pointer that was kept is followed. */
jrg_online_status jrg_online_model_restored(void *blob)
{
    const bool binds = jrg_model_bind(blob) == JRG_NN_OK;
    online.memory = memory_of_learner();
    online.head = head_of(blob);
    online.network = network_of(blob);
    online.exponents = exponents_of(blob);
    const jrg_online_step step = {online.exponents, online.rate};
    const bool fits = jrg_online_check(&online.settings, &step, JRG_MODEL_OUTPUTS, false) == JRG_ONLINE_OK;
    if (binds && fits && online.ring < JRG_MODEL_OUTPUTS)
        return JRG_ONLINE_OK;
    online = (jrg_online){0};
    return binds ? JRG_ONLINE_BAD_SETTINGS : JRG_ONLINE_BAD_WEIGHTS;
}

const jrg_online *jrg_online_model_state(void)
{
    return &online;
}
#endif
