/* The float32 baseline: the same network in plain loops, batch 1: forward, loss gradient, backward, SGD update.
 * bench_float32_network.h is made by jaragua_compiler.bench.float32 and holds the arrays and the two passes of one network,
 * with constant dimensions, as calls of the loops below.
 *
 * in.bin:  magic u32 | steps u32 | rate float | per layer: weights float[out][in], biases float[out] | per step: input float[], target float[]
 * out.bin: per step: forward_instructions u32, train_instructions u32, stack_bytes u32, loss float */
#include <math.h>

#include "bench_board.h"

#define MAGIC 0x32334642u /* "BF32" */

static void float32_dense_forward(const float *x, const float *weights, const float *biases, float *y, int inputs, int outputs,
                                  bool relu)
{
    for (int j = 0; j < outputs; j++) {
        const float *row = weights + j * inputs;
        float sum = biases[j];
        for (int i = 0; i < inputs; i++) {
            sum += row[i] * x[i];
        }
        y[j] = relu && sum < 0.0f ? 0.0f : sum;
    }
}

static void float32_dense_backward(const float *dy, const float *weights, float *dx, int inputs, int outputs)
{
    for (int i = 0; i < inputs; i++) {
        dx[i] = 0.0f;
    }
    for (int j = 0; j < outputs; j++) {
        const float *row = weights + j * inputs;
        const float error = dy[j];
        for (int i = 0; i < inputs; i++) {
            dx[i] += error * row[i];
        }
    }
}

static void float32_dense_update(const float *x, const float *dy, float *weights, float *biases, int inputs, int outputs, float rate)
{
    for (int j = 0; j < outputs; j++) {
        float *row = weights + j * inputs;
        const float step = rate * dy[j];
        for (int i = 0; i < inputs; i++) {
            row[i] -= step * x[i];
        }
        biases[j] -= step;
    }
}

static void float32_relu_backward(const float *y, float *dy, int count)
{
    for (int i = 0; i < count; i++) {
        if (!(y[i] > 0.0f)) {
            dy[i] = 0.0f;
        }
    }
}

#if FLOAT32_CLASSIFIER
/* Softmax cross-entropy of logits z against the class *target; its gradient goes to dz. */
static float float32_loss(const float *z, const float *target, float *dz, int count)
{
    const int label = (int)target[0];
    float largest = z[0];
    float sum = 0.0f;
    for (int j = 1; j < count; j++) {
        largest = z[j] > largest ? z[j] : largest;
    }
    for (int j = 0; j < count; j++) {
        dz[j] = expf(z[j] - largest);
        sum += dz[j];
    }
    for (int j = 0; j < count; j++) {
        dz[j] /= sum;
    }
    const float loss = -logf(dz[label]);
    dz[label] -= 1.0f;
    return loss;
}
#else
/* Mean squared error of y against target; its gradient goes to dy. */
static float float32_loss(const float *y, const float *target, float *dy, int count)
{
    float sum = 0.0f;
    for (int j = 0; j < count; j++) {
        const float error = y[j] - target[j];
        dy[j] = error * (2.0f / (float)count);
        sum += error * error;
    }
    return sum / (float)count;
}
#endif

#include "bench_float32_network.h"

struct step_record {
    uint32_t forward_instructions;
    uint32_t train_instructions;
    uint32_t stack_bytes;
    float loss;
};

static float float32_rate;

static void count_step(struct step_record *record)
{
    const uint32_t before_forward = bench_board_ticks();
    float32_forward();
    const uint32_t after_forward = bench_board_ticks();
    bench_board_paint_stack();
    const uint32_t before_train = bench_board_ticks();
    float32_forward();
    record->loss = float32_backward(float32_rate);
    const uint32_t after_train = bench_board_ticks();
    record->stack_bytes = bench_board_stack_bytes(bench_board_stack_pointer());
    record->forward_instructions = bench_board_instructions(before_forward, after_forward);
    record->train_instructions = bench_board_instructions(before_train, after_train);
}

int main(void)
{
    uint32_t head[2];
    bench_board_open();
    bench_board_read(head, sizeof head);
    if (head[0] != MAGIC) {
        bench_board_exit(BENCH_EXIT_INPUT);
    }
    bench_board_read(&float32_rate, sizeof float32_rate);
    float32_read_weights();
    for (uint32_t step = 0; step < head[1]; step++) {
        struct step_record record;
        bench_board_read(float32_input, sizeof float32_input);
        bench_board_read(float32_target, sizeof float32_target);
        count_step(&record);
        bench_board_write(&record, sizeof record);
    }
    return BENCH_EXIT_OK;
}
