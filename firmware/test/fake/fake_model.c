/* Stands in for generated C: a blob is "FAKE" and int16 weights; a step adds the input to the first of them. */
#include <string.h>

#include "jrg_model.h"
#include "jrg_model_config.h"

enum { WEIGHTS_AT = 4 };

static int16_t *weights;
static uint32_t weights_seed;
static uint32_t step_samples = 1; /* the fake moves at once, and counts */
static uint32_t summed_samples;
static uint32_t clip_limit;
static uint32_t loss_threshold_limit;

const jrg_model_info jrg_model = {
    .name = JRG_MODEL_NAME,
    .architecture = {1, 2, 3, 4, 5, 6, 7, 8},
    .blob_bytes = JRG_MODEL_BLOB_BYTES,
    .inputs = JRG_MODEL_INPUTS,
    .outputs = JRG_MODEL_OUTPUTS,
    .targets = JRG_MODEL_TARGETS,
    .classifier = true,
    .arena_bytes = JRG_MODEL_ARENA_BYTES,
    .operators = 5u | JRG_MODEL_OPERATOR_ACCUMULATION,
};

jrg_nn_status jrg_model_check(const void *blob, uint32_t len_bytes)
{
    if (len_bytes != JRG_MODEL_BLOB_BYTES)
        return JRG_NN_BAD_LENGTH;
    return memcmp(blob, "FAKE", 4) == 0 ? JRG_NN_OK : JRG_NN_BAD_MAGIC;
}

jrg_nn_status jrg_model_bind(void *blob)
{
    weights = (int16_t *)((uint8_t *)blob + WEIGHTS_AT);
    return jrg_model_check(blob, JRG_MODEL_BLOB_BYTES);
}

jrg_nn_status jrg_model_set_rate(jrg_nn_rate rate)
{
    return rate.mantissa >= 16384 ? JRG_NN_OK : JRG_NN_BAD_RATE;
}

void jrg_model_set_seed(uint32_t seed)
{
    weights_seed = seed;
}

jrg_nn_status jrg_model_set_accumulation(uint32_t samples)
{
    if (samples < 1u)
        return JRG_NN_BAD_BATCH;
    step_samples = samples;
    summed_samples = 0;
    return JRG_NN_OK;
}

jrg_nn_status jrg_model_apply(void)
{
    summed_samples = 0;
    return JRG_NN_OK;
}

void jrg_model_set_clip(uint32_t limit)
{
    clip_limit = limit;
}

void jrg_model_set_loss_threshold(uint32_t least)
{
    loss_threshold_limit = least;
}

uint32_t fake_model_summed(void);
uint32_t fake_model_clip(void);
uint32_t fake_model_loss_threshold(void);

uint32_t fake_model_summed(void)
{
    return summed_samples;
}

uint32_t fake_model_clip(void)
{
    return clip_limit;
}

uint32_t fake_model_loss_threshold(void)
{
    return loss_threshold_limit;
}

uint32_t fake_model_seed(void);

uint32_t fake_model_seed(void)
{
    return weights_seed;
}

int16_t *jrg_model_input(void)
{
    static int16_t input[JRG_MODEL_INPUTS];
    return input;
}

jrg_nn_status jrg_model_forward(const int16_t *x, int16_t *outputs)
{
    outputs[0] = (int16_t)(x[0] + weights[0]);
    outputs[1] = x[1];
    return JRG_NN_OK;
}

jrg_nn_status jrg_model_evaluate(const int16_t *x, const int16_t *target, jrg_nn_result *result)
{
    *result = (jrg_nn_result){.correct = target[0] == 0, .loss = (uint32_t)(uint16_t)x[2]};
    return JRG_NN_OK;
}

jrg_nn_status jrg_model_train(const int16_t *x, const int16_t *target, jrg_nn_result *result)
{
    for (unsigned i = 0; i < JRG_MODEL_INPUTS; i++)
        weights[i] = (int16_t)(weights[i] + x[i]);
    summed_samples = (summed_samples + 1u) % step_samples;
    return jrg_model_evaluate(x, target, result);
}

int8_t jrg_model_loss_exponent(void)
{
    return 11;
}
