/* One dense w8 layer (INPUTS, OUTPUTS, INPUT_WIDTH, OUTPUT_WIDTH, ERROR_WIDTH, RELU, RECTIFIED, PASSES_DOWN are macros):
 * steps of in.bin through the kernels, results to out.bin. Runs on the bench's board, and on this machine with
 * bench_board_native.c in its place.
 *
 * in.bin:  steps u32, then per step a `struct step`.  out.bin: per step a `struct outcome`. */
#include <string.h>

#include "bench_board.h"
#include "dense_w8/jrg_nn_dense_backward_w8.h"
#include "dense_w8/jrg_nn_dense_forward_w8.h"
#include "dense_w8/jrg_nn_dense_update_w8.h"
#include "weighted/jrg_nn_active_rows_w8.h"

#define STRIDE ((INPUTS + 3) / 4 * 4)

struct step {
    int32_t input_exponent, output_exponent, weight_exponent, bias_shift;
    int32_t mantissa, rate_exponent, error_exponent, layer;
    uint32_t seed, number;
    int32_t errors[OUTPUTS];
    int32_t biases[OUTPUTS];
    int8_t channels[(OUTPUTS + 3) / 4 * 4];
    int8_t weights[OUTPUTS * STRIDE];
    int16_t x[STRIDE];
};

struct outcome {
    uint32_t forward_instructions, learn_instructions;
    int32_t below_exponent;
    int32_t below[INPUTS];
    int32_t biases[OUTPUTS];
    int8_t weights[OUTPUTS * STRIDE];
    int16_t y[(OUTPUTS + 1) / 2 * 2];
};

static struct step step;
static struct outcome outcome;
static jrg_nn_row_error errors[INPUTS > OUTPUTS ? INPUTS : OUTPUTS];
static jrg_nn_active_row_w8 rows[OUTPUTS + 2];

/* The counter is the emulated board's. */
static uint32_t ticks(void)
{
#ifdef __arm__
    return bench_board_ticks();
#else
    return 0;
#endif
}

static jrg_nn_error learn(jrg_nn_error error)
{
    const jrg_nn_dense_w8 layer = {step.weights, step.biases, step.channels, INPUTS, OUTPUTS, INPUT_WIDTH, ERROR_WIDTH};
    const jrg_nn_exponents exponents = {(int8_t)step.weight_exponent, (int8_t)step.input_exponent, 0,
                                        (int8_t)step.bias_shift};
    const jrg_nn_step_rate rate = {(int16_t)step.mantissa, (int16_t)step.rate_exponent};
    const uint32_t key = jrg_nn_dither_layer(jrg_nn_dither_step(step.seed, step.number), (uint32_t)step.layer);
    const uint32_t count = jrg_nn_active_rows_w8(&layer, exponents, rate, key, errors, &error, rows);
#if PASSES_DOWN
    jrg_nn_error below = jrg_nn_dense_backward_w8(&layer, rows, count, step.x, RECTIFIED, errors);
    below.exponent = error.exponent + step.weight_exponent;
    return below;
#else
    jrg_nn_dense_update_w8(&layer, rows, count, step.x);
    return (jrg_nn_error){0};
#endif
}

static void forward(void)
{
    const jrg_nn_dense_w8 layer = {step.weights, step.biases, step.channels, INPUTS, OUTPUTS, INPUT_WIDTH, ERROR_WIDTH};
    jrg_nn_dense_forward_w8(&layer, step.x, outcome.y, step.input_exponent - step.output_exponent, OUTPUT_WIDTH, RELU);
}

static void run(void)
{
    memset(&outcome, 0, sizeof outcome);
    const uint32_t start = ticks();
    forward();
    outcome.forward_instructions = bench_board_instructions(start, ticks());
    jrg_nn_error error = {.exponent = step.error_exponent};
    for (uint32_t j = 0; j < OUTPUTS; j++) {
        jrg_nn_list_error(errors, &error, step.errors[j], j);
    }
    if (error.magnitude != 0u) {
        const uint32_t before = ticks();
        const jrg_nn_error below = learn(error);
        outcome.learn_instructions = bench_board_instructions(before, ticks());
        outcome.below_exponent = below.exponent;
        for (uint32_t i = 0; i < below.count; i++) {
            outcome.below[errors[i].row] = errors[i].value;
        }
    }
    memcpy(outcome.weights, step.weights, sizeof step.weights);
    memcpy(outcome.biases, step.biases, sizeof step.biases);
}

int main(void)
{
    uint32_t steps;
    bench_board_open();
    for (bench_board_read(&steps, sizeof steps); steps > 0u; steps--) {
        bench_board_read(&step, sizeof step);
        run();
        bench_board_write(&outcome, sizeof outcome);
    }
    return BENCH_EXIT_OK;
}
