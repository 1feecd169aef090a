/* For test_blob_fuzz.py, built with sanitizers: reads `u32 length | blob` until the end of its input, and writes one
 * status byte each. A good blob is also trained on a few samples, extremes among them. */
#include <stdio.h>
#include <stdlib.h>

#include "jrg_model.h"
#include "jrg_model_config.h"

static uint32_t random_state = 1u;

static int16_t random_number(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (int16_t)(random_state >> 16);
}

static void train(void *blob)
{
    int16_t x[JRG_MODEL_INPUTS];
    int16_t target[JRG_MODEL_TARGETS];
    int16_t outputs[JRG_MODEL_OUTPUTS];
    for (int step = 0; step < 20; step++) {
        for (unsigned i = 0; i < JRG_MODEL_INPUTS; i++) {
            x[i] = random_number();
        }
        for (unsigned i = 0; i < JRG_MODEL_TARGETS; i++) {
            target[i] = jrg_model.classifier ? (int16_t)(step % 12 - 1) : random_number();
        }
        const jrg_nn_rate rate = {(uint16_t)(16384 + 700 * step), (uint8_t)(15 + step)};
        if (jrg_model_bind(blob) != JRG_NN_OK || jrg_model_set_rate(rate) != JRG_NN_OK) {
            abort();
        }
        jrg_nn_result result;
        if (jrg_model_forward(x, outputs) != JRG_NN_OK || jrg_model_evaluate(x, target, &result) != JRG_NN_OK ||
            jrg_model_train(x, target, &result) != JRG_NN_OK) {
            abort();
        }
    }
}

int main(void)
{
    uint32_t length;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        uint8_t *blob = malloc(length + (length == 0u));
        if (blob == NULL || fread(blob, 1, length, stdin) != length) {
            return 2;
        }
        const jrg_nn_status status = jrg_model_check(blob, length);
        if (status == JRG_NN_OK) {
            train(blob);
        }
        putchar((int)status);
        free(blob);
    }
    return 0;
}
