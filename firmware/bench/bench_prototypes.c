/* Runs the calls of in.bin on a model with prototypes (A12) and writes what each gave to out.bin.
 * One program serves the measurement and the bit-exactness test, so what is counted is what is checked.
 *
 * in.bin:  header | blob | per call: call_head | input int16[]
 * out.bin: per call: call_record; then the blob, and all sums int32[] as prototypes int16[] of classes with samples
 * (little endian, nothing padded; jaragua_bench.steps.prototype_calls writes and reads them) */
#include <string.h>

#include "bench_board.h"
#include "jrg_model.h"
#include "jrg_model_config.h"

#define MAGIC 0x50474A42u /* "BJGP" */

struct header {
    uint32_t magic;
    uint32_t blob_bytes;
    uint32_t calls;
    uint32_t seed;
    uint16_t inputs;
    uint16_t classes;
    uint16_t temperature_mantissa;
    uint16_t temperature_exponent;
    uint16_t rate_mantissa;
    uint16_t rate_exponent;
    uint16_t rejection;
    uint16_t unused;
};

enum { ENROL = 0, RECOGNISE = 1, TRAIN_PROTOTYPES = 2, TRAIN = 3, TRAIN_ENROLLED = 4 };

struct call_head {
    uint16_t kind;
    int16_t label;
};

struct call_record {
    uint32_t instructions;
    uint32_t answer; /* the recognised class, or whether the prediction was right */
    uint32_t distance_low;
    uint32_t distance_high;
    uint32_t loss;
    uint16_t relative;
    uint16_t accepted;
};

static _Alignas(4) uint8_t blob[JRG_MODEL_BLOB_BYTES];
static int16_t input[JRG_MODEL_INPUTS];
static int16_t prototype[JRG_MODEL_FEATURES];

static void require(bool condition, uint32_t exit_code)
{
    if (!condition) {
        bench_board_exit(exit_code);
    }
}

static uint32_t begin(void)
{
    struct header header;
    bench_board_read(&header, sizeof header);
    require(header.magic == MAGIC && header.blob_bytes == sizeof blob, BENCH_EXIT_INPUT);
    require(header.inputs == JRG_MODEL_INPUTS && header.classes == JRG_MODEL_PROTOTYPES, BENCH_EXIT_INPUT);
    bench_board_read(blob, sizeof blob);
    require(jrg_model_bind(blob) == JRG_NN_OK, BENCH_EXIT_REFUSED);
    jrg_model_set_seed(header.seed);
    const jrg_nn_rate temperature = {header.temperature_mantissa, (uint8_t)header.temperature_exponent};
    const jrg_nn_rate rate = {header.rate_mantissa, (uint8_t)header.rate_exponent};
    require(jrg_model_set_temperature(temperature) == JRG_NN_OK, BENCH_EXIT_REFUSED);
    require(jrg_model_set_rate(rate) == JRG_NN_OK, BENCH_EXIT_REFUSED);
    jrg_model_set_rejection(header.rejection);
    return header.calls;
}

static jrg_nn_status make_call(struct call_head head, jrg_nn_match *match, jrg_nn_result *result)
{
    switch (head.kind) {
    case ENROL:
        return jrg_model_enrol(input, (uint16_t)head.label);
    case RECOGNISE:
        return jrg_model_recognise(input, match);
    case TRAIN_PROTOTYPES:
        return jrg_model_train_prototypes(input, &head.label, result);
#ifdef JRG_MODEL_PROTOTYPE_GRADIENTS
    case TRAIN_ENROLLED:
        return jrg_model_train_enrolled(input, (uint16_t)head.label);
#endif
    default:
        return jrg_model_train(input, &head.label, result);
    }
}

static void count_call(void)
{
    struct call_head head;
    jrg_nn_match match = {0};
    jrg_nn_result result = {0};
    bench_board_read(&head, sizeof head);
    bench_board_read(input, sizeof input);
    const uint32_t before = bench_board_ticks();
    const jrg_nn_status status = make_call(head, &match, &result);
    const uint32_t after = bench_board_ticks();
    require(status == JRG_NN_OK, BENCH_EXIT_REFUSED);
    const struct call_record record = {
        .instructions = bench_board_instructions(before, after),
        .answer = head.kind == RECOGNISE ? match.label : result.correct,
        .distance_low = (uint32_t)match.distance,
        .distance_high = (uint32_t)(match.distance >> 32),
        .loss = result.loss,
        .relative = match.relative,
        .accepted = match.accepted,
    };
    bench_board_write(&record, sizeof record);
}

int main(void)
{
    bench_board_open();
    for (uint32_t calls = begin(); calls > 0; calls--) {
        count_call();
    }
    bench_board_write(blob, sizeof blob);
    for (uint32_t c = 0; c < JRG_MODEL_PROTOTYPES; c++) {
        memset(prototype, 0, sizeof prototype);
        if (jrg_model_enrolled(c) != 0u) {
            require(jrg_model_prototype(c, prototype) == JRG_NN_OK, BENCH_EXIT_REFUSED);
        }
        bench_board_write(prototype, sizeof prototype);
    }
    return BENCH_EXIT_OK;
}
