#include "jrg_online_model.h"

#include "jrg_nn_rate.h" // jrg_nn_rate_is_valid

#ifdef JRG_MODEL_HEAD_INPUTS
enum { LOGIT_EXPONENT = 11 };

static jrg_online online;
static jrg_online_stat stats[JRG_MODEL_INPUTS];
static _Alignas(4) int16_t prototypes[JRG_MODEL_OUTPUTS * JRG_ONLINE_MODEL_STRIDE];
static uint8_t counts[JRG_MODEL_OUTPUTS];
static uint8_t ages[JRG_MODEL_OUTPUTS];
static _Alignas(4) int16_t features[JRG_ONLINE_MODEL_STRIDE];
static _Alignas(4) int16_t logits[JRG_MODEL_OUTPUTS];
static jrg_nn_row_error errors[JRG_MODEL_OUTPUTS];
static jrg_nn_live_row rows[JRG_MODEL_OUTPUTS + 2u];

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

/* A6.1 has been checked of this blob. */
static void follow(uint8_t *blob, jrg_nn_rate rate)
{
    jrg_online_set_exponents(&online, exponents_of(blob));
    jrg_online_set_rate(&online, (jrg_nn_step_rate){(int16_t)rate.mantissa, (int16_t)rate.exponent});
}

jrg_online_status jrg_online_model_begin(void *blob, const jrg_online_settings *settings, jrg_nn_rate rate)
{
    const jrg_online_memory memory = {stats, prototypes, counts, ages, features, logits, errors, rows};
    const jrg_nn_dense head = head_of(blob);
    const jrg_online_network network = network_of(blob);
    if (!jrg_nn_rate_is_valid(rate))
        return JRG_ONLINE_BAD_SETTINGS;
    const jrg_online_status status = jrg_online_begin(&online, &head, &network, &memory, settings);
    if (status == JRG_ONLINE_OK)
        follow(blob, rate);
    return status;
}

jrg_online_status jrg_online_model_resume(void *blob, const jrg_online_settings *settings, jrg_nn_rate rate)
{
    if (!jrg_nn_rate_is_valid(rate))
        return JRG_ONLINE_BAD_SETTINGS;
    const jrg_online_status status = jrg_online_change(&online, settings);
    if (status == JRG_ONLINE_OK)
        follow(blob, rate);
    return status;
}

bool jrg_online_model_learn(int16_t *x, uint32_t label, jrg_online_outcome *outcome)
{
    if (!jrg_online_prepare(&online, x))
        return false;
    jrg_model_forward(x, logits);
    *outcome = jrg_online_learn(&online, jrg_model_features(), label);
    return true;
}

const jrg_online *jrg_online_model_state(void)
{
    return &online;
}
#endif
