/* The self-test of a compiled network; it needs nothing of the C library but memcmp and memcpy.
 * It has a main if JRG_MODEL_SELFTEST_MAIN is defined; a firmware calls jrg_model_selftest(). */
#include <string.h>

#include "jrg_model.h"       // the interface
#include "selftest_vector.h" // selftest_steps

static uint8_t selftest_weights[JRG_MODEL_BLOB_BYTES] __attribute__((aligned(4)));
static int16_t selftest_outputs[JRG_MODEL_OUTPUTS];

/* CRC-32 as in zlib: 0x04C11DB7, bits reflected. */
static uint32_t selftest_crc32(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static uint32_t selftest_weights_crc32(void)
{
    return selftest_crc32(selftest_weights, sizeof selftest_weights);
}

static bool selftest_start(void)
{
    jrg_model_set_seed(SELFTEST_SEED);
    return jrg_model_start(selftest_weights) == JRG_NN_OK && selftest_weights_crc32() == SELFTEST_BLOB_CRC32 &&
           jrg_model_check(selftest_weights, sizeof selftest_weights) == JRG_NN_OK &&
           jrg_model_set_rate(selftest_rate) == JRG_NN_OK;
}

#ifdef SELFTEST_READINGS
static bool selftest_readings_are_right(void)
{
    bool right = true;
    for (uint32_t i = 0; right && i < SELFTEST_READINGS; i++) {
        int16_t *input = jrg_model_input();
        right = jrg_model_input_from_raw(selftest_raw[i], input) == JRG_NN_OK &&
                memcmp(input, selftest_raw_inputs[i], sizeof selftest_raw_inputs[i]) == 0;
    }
    return right;
}
#endif

/* A call of the model that gives a result: its status, and what it found, against what is stored. */
static bool selftest_is_expected(jrg_nn_status status, const jrg_nn_result *result, const selftest_step *step)
{
    return status == JRG_NN_OK && result->correct == step->correct && result->loss == step->loss;
}

static bool selftest_step_is_right(const selftest_step *step)
{
    jrg_nn_result result = {false, 0u};
    const int16_t *input = selftest_inputs[step->sample];
    return jrg_model_forward(input, selftest_outputs) == JRG_NN_OK &&
           memcmp(selftest_outputs, step->outputs, sizeof selftest_outputs) == 0 &&
           selftest_is_expected(jrg_model_evaluate(input, step->target, &result), &result, step) &&
           selftest_is_expected(jrg_model_train(input, step->target, &result), &result, step) &&
           selftest_weights_crc32() == step->weights_crc32;
}

#ifdef SELFTEST_CLASSES
static int16_t selftest_prototype[JRG_MODEL_FEATURES];
static uint8_t selftest_enrolment[JRG_MODEL_ENROLMENT_BYTES];

static bool selftest_enrol(void)
{
    bool right = true;
    jrg_model_forget_all();
    for (uint32_t i = 0; right && i < SELFTEST_SAMPLES; i++) {
        right = jrg_model_enrol(selftest_inputs[i], i % SELFTEST_CLASSES) == JRG_NN_OK;
    }
    return right;
}

static bool selftest_matches_are_right(void)
{
    bool right = true;
    jrg_model_set_rejection(SELFTEST_REJECTION);
    for (uint32_t i = 0; right && i < SELFTEST_SAMPLES; i++) {
        const jrg_nn_match *expected = &selftest_matches[i];
        jrg_nn_match match = {0u, 0u, false, 0u, 0u};
        right = jrg_model_recognise(selftest_inputs[i], &match) == JRG_NN_OK && match.label == expected->label &&
                match.relative == expected->relative && match.accepted == expected->accepted &&
                match.distance == expected->distance && match.runner_up == expected->runner_up;
    }
    return right;
}

/* Classes are told as they were enrolled, kept, forgotten, and there again when they are restored. */
static bool selftest_enrolment_is_right(void)
{
    return jrg_model_prototype(0u, selftest_prototype) == JRG_NN_OK &&
           selftest_crc32((const uint8_t *)selftest_prototype, sizeof selftest_prototype) == SELFTEST_PROTOTYPE_CRC32 &&
           jrg_model_save_enrolment(selftest_enrolment) == JRG_NN_OK && jrg_model_forget(0u) == JRG_NN_OK &&
           jrg_model_enrolled(0u) == 0u && jrg_model_prototype(0u, selftest_prototype) == JRG_NN_NO_PROTOTYPE &&
           jrg_model_restore_enrolment(selftest_enrolment, sizeof selftest_enrolment) == JRG_NN_OK &&
           selftest_matches_are_right();
}

static bool selftest_prototype_step_is_right(const selftest_prototype_step *step)
{
    jrg_nn_result result = {false, 0u};
    const int16_t target[1] = {(int16_t)(step->sample % SELFTEST_CLASSES)};
    return jrg_model_train_prototypes(selftest_inputs[step->sample], target, &result) == JRG_NN_OK &&
           result.correct == step->correct && result.loss == step->loss &&
           selftest_weights_crc32() == step->weights_crc32;
}

#ifdef SELFTEST_ENROLLED_CRC32
static bool selftest_enrolled_steps_are_right(void)
{
    bool right = true;
    for (uint32_t i = 0; right && i < SELFTEST_SAMPLES; i++) {
        right = jrg_model_train_enrolled(selftest_inputs[i], i % SELFTEST_CLASSES) == JRG_NN_OK;
    }
    return right && selftest_weights_crc32() == SELFTEST_ENROLLED_CRC32;
}
#else
static bool selftest_enrolled_steps_are_right(void)
{
    return true;
}
#endif

static bool selftest_prototypes_are_right(void)
{
    bool right = selftest_start() && selftest_enrol() && selftest_matches_are_right() &&
                 selftest_enrolment_is_right() && jrg_model_set_temperature(selftest_temperature) == JRG_NN_OK;
    for (uint32_t i = 0; right && i < SELFTEST_PROTOTYPE_STEPS; i++) {
        right = selftest_prototype_step_is_right(&selftest_prototype_steps[i]);
    }
    right = right && selftest_enrolled_steps_are_right();
    jrg_model_forget_all();
    return right && selftest_start(); /* the threshold of the header holds again */
}
#endif

int jrg_model_selftest(void)
{
    bool right = selftest_start();
#ifdef SELFTEST_READINGS
    right = right && selftest_readings_are_right();
#endif
    for (uint32_t i = 0; right && i < SELFTEST_STEPS; i++) {
        right = selftest_step_is_right(&selftest_steps[i]);
    }
#ifdef SELFTEST_CLASSES
    right = right && selftest_prototypes_are_right();
#endif
    return right ? 0 : 1;
}

#ifdef JRG_MODEL_SELFTEST_MAIN
int main(void)
{
    return jrg_model_selftest();
}
#endif
