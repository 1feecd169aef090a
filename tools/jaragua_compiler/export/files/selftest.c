/* The self-test of a compiled network; it needs nothing of the C library but memcmp and memcpy.
 * In a firmware leave this file out, or define JRG_MODEL_SELFTEST_NO_MAIN and call jrg_model_selftest(). */
#include "selftest.h"

#include <string.h>

#include "jrg_model.h"         // the interface
#include "jrg_model_config.h"  // sizes
#include "jrg_model_weights.h" // jrg_model_initial_weights
#include "selftest_vector.h"   // selftest_steps

static _Alignas(4) uint8_t weights[JRG_MODEL_BLOB_BYTES];
static int16_t outputs[JRG_MODEL_OUTPUTS];

/* CRC-32 as in zlib: 0x04C11DB7, bits reflected. */
static uint32_t crc32(const uint8_t *bytes, uint32_t count)
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

static bool start(void)
{
    memcpy(weights, jrg_model_initial_weights, sizeof weights);
    jrg_model_set_seed(SELFTEST_SEED);
    return crc32(weights, sizeof weights) == SELFTEST_BLOB_CRC32 &&
           jrg_model_check(weights, sizeof weights) == JRG_NN_OK && jrg_model_bind(weights) == JRG_NN_OK &&
           jrg_model_set_rate(selftest_rate) == JRG_NN_OK;
}

/* A call of the model that gives a result: its status, and what it found, against what is stored. */
static bool is_expected(jrg_nn_status status, const jrg_nn_result *result, const selftest_step *step)
{
    return status == JRG_NN_OK && result->correct == step->correct && result->loss == step->loss;
}

static bool step_is_right(const selftest_step *step)
{
    jrg_nn_result result = {0};
    const int16_t *input = selftest_inputs[step->sample];
    return jrg_model_forward(input, outputs) == JRG_NN_OK && memcmp(outputs, step->outputs, sizeof outputs) == 0 &&
           is_expected(jrg_model_evaluate(input, step->target, &result), &result, step) &&
           is_expected(jrg_model_train(input, step->target, &result), &result, step) &&
           crc32(weights, sizeof weights) == step->weights_crc32;
}

int jrg_model_selftest(void)
{
    bool right = start();
    for (uint32_t i = 0; right && i < SELFTEST_STEPS; i++) {
        right = step_is_right(&selftest_steps[i]);
    }
    return right ? 0 : 1;
}

#ifndef JRG_MODEL_SELFTEST_NO_MAIN
int main(void)
{
    return jrg_model_selftest();
}
#endif
