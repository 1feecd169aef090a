/* The float32 baseline: the same network in plain loops, batch 1: forward, loss gradient, backward, SGD update.
 * bench_float32_network.h is made by jaragua_bench.steps.float32 and holds the arrays and the two passes of one network,
 * with constant dimensions, as calls of the loops below.
 *
 * in.bin:  magic u32 | steps u32 | rate float | per layer: weights float[out][in], biases float[out] | per step: input float[], target float[]
 * out.bin: per step: forward_instructions u32, train_instructions u32, stack_bytes u32, loss float */
#include <math.h>

#include "bench_board.h"

#define MAGIC 0x32334642u /* "BF32" */

static inline void float32_dense_forward(const float *x, const float *weights, const float *biases, float *y,
                                         int inputs, int outputs, bool relu)
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

static inline void float32_dense_backward(const float *dy, const float *weights, float *dx, int inputs, int outputs)
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

static inline void float32_dense_update(const float *x, const float *dy, float *weights, float *biases, int inputs,
                                        int outputs, float rate)
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

/* Geometry of a convolution; images are [height][width][channels], weights [outputs][kernel_y][kernel_x][channels]. */
struct float32_conv {
    int height, width, channels;
    int rows, columns;
    int kernel_y, kernel_x;
    int stride_y, stride_x;
    int pad_top, pad_left;
    int outputs;
};

static inline void float32_conv_forward(struct float32_conv c, const float *x, const float *weights,
                                        const float *biases, float *y, bool relu)
{
    for (int row = 0; row < c.rows; row++) {
        for (int column = 0; column < c.columns; column++) {
            for (int o = 0; o < c.outputs; o++) {
                float sum = biases[o];
                for (int ky = 0; ky < c.kernel_y; ky++) {
                    const int iy = row * c.stride_y + ky - c.pad_top;
                    if (iy < 0 || iy >= c.height) {
                        continue;
                    }
                    for (int kx = 0; kx < c.kernel_x; kx++) {
                        const int ix = column * c.stride_x + kx - c.pad_left;
                        if (ix < 0 || ix >= c.width) {
                            continue;
                        }
                        const float *pixel = x + (iy * c.width + ix) * c.channels;
                        const float *tap = weights + ((o * c.kernel_y + ky) * c.kernel_x + kx) * c.channels;
                        for (int i = 0; i < c.channels; i++) {
                            sum += pixel[i] * tap[i];
                        }
                    }
                }
                y[(row * c.columns + column) * c.outputs + o] = relu && sum < 0.0f ? 0.0f : sum;
            }
        }
    }
}

static inline void float32_conv_backward(struct float32_conv c, const float *dy, const float *weights, float *dx)
{
    for (int i = 0; i < c.height * c.width * c.channels; i++) {
        dx[i] = 0.0f;
    }
    for (int row = 0; row < c.rows; row++) {
        for (int column = 0; column < c.columns; column++) {
            for (int o = 0; o < c.outputs; o++) {
                const float error = dy[(row * c.columns + column) * c.outputs + o];
                for (int ky = 0; ky < c.kernel_y; ky++) {
                    const int iy = row * c.stride_y + ky - c.pad_top;
                    if (iy < 0 || iy >= c.height) {
                        continue;
                    }
                    for (int kx = 0; kx < c.kernel_x; kx++) {
                        const int ix = column * c.stride_x + kx - c.pad_left;
                        if (ix < 0 || ix >= c.width) {
                            continue;
                        }
                        float *pixel = dx + (iy * c.width + ix) * c.channels;
                        const float *tap = weights + ((o * c.kernel_y + ky) * c.kernel_x + kx) * c.channels;
                        for (int i = 0; i < c.channels; i++) {
                            pixel[i] += error * tap[i];
                        }
                    }
                }
            }
        }
    }
}

static inline void float32_conv_update(struct float32_conv c, const float *x, const float *dy, float *weights,
                                       float *biases, float rate)
{
    for (int row = 0; row < c.rows; row++) {
        for (int column = 0; column < c.columns; column++) {
            for (int o = 0; o < c.outputs; o++) {
                const float step = rate * dy[(row * c.columns + column) * c.outputs + o];
                biases[o] -= step;
                for (int ky = 0; ky < c.kernel_y; ky++) {
                    const int iy = row * c.stride_y + ky - c.pad_top;
                    if (iy < 0 || iy >= c.height) {
                        continue;
                    }
                    for (int kx = 0; kx < c.kernel_x; kx++) {
                        const int ix = column * c.stride_x + kx - c.pad_left;
                        if (ix < 0 || ix >= c.width) {
                            continue;
                        }
                        const float *pixel = x + (iy * c.width + ix) * c.channels;
                        float *tap = weights + ((o * c.kernel_y + ky) * c.kernel_x + kx) * c.channels;
                        for (int i = 0; i < c.channels; i++) {
                            tap[i] -= step * pixel[i];
                        }
                    }
                }
            }
        }
    }
}

static inline void float32_relu_backward(const float *y, float *dy, int count)
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
