/* Many virtual devices in float32, in one call: plain stochastic gradient descent on any network of the zoo.
 *
 * What jaragua_compiler.floating.engine does sample by sample in NumPy, for a whole client task at a time. A network is a
 * table of layers; all memory belongs to the caller, so threads share nothing. Images are height, width, channel.
 *
 * Every sum has an order that does not depend on the processor, and no compiler flag may change it: a long sum is that of
 * JRG_FLOAT_LANES lanes, lane k of which takes the terms k, k + 8, k + 16, ..., and the lanes are added in a tree.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    JRG_FLOAT_WEIGHTED,
    JRG_FLOAT_DEPTHWISE,
    JRG_FLOAT_MAX_POOL,
    JRG_FLOAT_AVERAGE_POOL,
    JRG_FLOAT_ADD,
    JRG_FLOAT_SAME
};
/* Prototypes at most (A12), and the logit of a class that has none. */
enum { JRG_FLOAT_MOST_CLASSES = 512 };
#define JRG_FLOAT_NEVER (-1e30f)
enum { JRG_FLOAT_LINEAR, JRG_FLOAT_RELU, JRG_FLOAT_RELU6, JRG_FLOAT_LEAKY_RELU, JRG_FLOAT_TANH, JRG_FLOAT_SIGMOID };

typedef struct {
    int32_t kind;
    int32_t activation;
    float slope;
    int32_t source, skip, output; /* where the tensors are in `values` and `errors`; skip: of an addition */
    int32_t in_rows, in_columns, in_channels;
    int32_t out_rows, out_columns, out_channels;
    int32_t kernel_rows, kernel_columns;
    int32_t stride_rows, stride_columns;
    int32_t pad_top, pad_left;
    int32_t weights, biases; /* in the vector of weights: W [out][taps][in], or [channel][taps] */
    int32_t patches;         /* in `patches`: what the window sees at each position; of a dense layer not used */
    int32_t learns;
    int32_t passes_error, skip_passes_error;
} jrg_float_layer;

typedef struct {
    const jrg_float_layer *layers;
    int32_t layers_count;
    int32_t inputs, outputs;
    int32_t output; /* of the last tensor, in `values` */
    int32_t values_count, parameters;
    int32_t classifier;
} jrg_float_network;

typedef struct {
    float *weights, *start, *gradients; /* [parameters] each */
    float *values, *errors;             /* [values_count] each */
    float *patches;
    float *row; /* as long as the longest row of weights */
} jrg_float_memory;

typedef struct {
    int32_t passes, batch; /* samples a step; 0: all of a pass */
    float rate;
    float proximal_decay;  /* of the way from the start that is kept after a pass; 1: all */
    double loss_threshold; /* no update below it; 0 disables */
    float temperature;     /* above 0: prototypes take the place of the last layer (A12) */
    int32_t gradients;     /* 1: enrolled samples teach, too (A12.10) */
} jrg_float_work;

typedef struct {
    int32_t clients;
    const int32_t *counts;
    const int32_t *episodes; /* of a pass; 1 without prototypes */
    const int32_t *enrolled; /* of each episode, samples that are enrolled and not trained on; 0: all (A12) */
    const int32_t *trained;  /* of each episode, samples behind those that are trained on */
    const float *inputs;
    const float *targets; /* a label, or one number an output */
} jrg_float_samples;

typedef struct {
    double correct, loss;
} jrg_float_figures;

typedef struct {
    const jrg_float_network *network;
    jrg_float_memory memory;
    bool prototypes; /* are in the last layer, which does not learn */
    bool gradients;  /* of the last layer are summed (A12.9) */
} jrg_float_engine;

/* ---- rows ---- */

/* A part of the lanes of a sum: as many as the processor's vectors hold, at any address of floats. */
#if defined(__AVX__)
#define JRG_FLOAT_PART_LANES 8
#else
#define JRG_FLOAT_PART_LANES 4
#endif
enum { JRG_FLOAT_LANES = 8, JRG_FLOAT_PARTS = JRG_FLOAT_LANES / JRG_FLOAT_PART_LANES };
typedef float jrg_float_part __attribute__((vector_size(4 * JRG_FLOAT_PART_LANES), aligned(4), may_alias));

/* Sums in lanes, as many as dots are made at once. */
typedef struct {
    jrg_float_part parts[JRG_FLOAT_PARTS];
} jrg_float_sum_lanes;

/* Adds the terms that fill no more lanes to them, then all lanes. rest: how many terms, of a[i] * b[i]. */
static float jrg_float_total(const jrg_float_sum_lanes *sum, const float *a, const float *b, int32_t rest)
{
    float l[JRG_FLOAT_LANES];
    memcpy(l, sum, sizeof l);
    for (int32_t k = 0; k < rest; k++) {
        l[k] += a[k] * b[k];
    }
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

static float jrg_float_dot(const float *restrict a, const float *restrict b, int32_t n)
{
    jrg_float_sum_lanes sum = {0};
    int32_t i = 0;
    for (; i + JRG_FLOAT_LANES <= n; i += JRG_FLOAT_LANES) {
        for (int32_t p = 0; p < JRG_FLOAT_PARTS; p++) {
            const int32_t at = i + p * JRG_FLOAT_PART_LANES;
            sum.parts[p] += *(const jrg_float_part *)(a + at) * *(const jrg_float_part *)(b + at);
        }
    }
    return jrg_float_total(&sum, a + i, b + i, n - i);
}

static void jrg_float_add(float *restrict to, float factor, const float *restrict row, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        to[i] += factor * row[i];
    }
}

/* 16 channels side by side; whatever vectors a processor has, the compiler makes of it. */
typedef float jrg_float_block __attribute__((vector_size(64)));

/* Several rows are met at once: what they are added to, or multiplied with, is then read once for all of them. */
enum { JRG_FLOAT_TOGETHER = 4, JRG_FLOAT_SHORT = 16, JRG_FLOAT_BLOCK = 16 };

/* sums[k] = rows[k] . a and sums[4 + k] = rows[k] . b, of four rows that lie one after the other. */
static void jrg_float_eight_dots(const float *restrict rows, const float *restrict a, const float *restrict b,
                                 int32_t n, float *restrict sums)
{
    jrg_float_sum_lanes of_a[JRG_FLOAT_TOGETHER] = {{{{0}}}}, of_b[JRG_FLOAT_TOGETHER] = {{{{0}}}};
    int32_t i = 0;
    for (; i + JRG_FLOAT_LANES <= n; i += JRG_FLOAT_LANES) {
        for (int32_t p = 0; p < JRG_FLOAT_PARTS; p++) {
            const int32_t at = i + p * JRG_FLOAT_PART_LANES;
            const jrg_float_part some_a = *(const jrg_float_part *)(a + at);
            const jrg_float_part some_b = *(const jrg_float_part *)(b + at);
            for (int32_t k = 0; k < JRG_FLOAT_TOGETHER; k++) {
                const jrg_float_part row = *(const jrg_float_part *)(rows + k * n + at);
                of_a[k].parts[p] += row * some_a;
                of_b[k].parts[p] += row * some_b;
            }
        }
    }
    for (int32_t k = 0; k < JRG_FLOAT_TOGETHER; k++) {
        const float *row = rows + k * n + i;
        sums[k] = jrg_float_total(&of_a[k], row, a + i, n - i);
        sums[JRG_FLOAT_TOGETHER + k] = jrg_float_total(&of_b[k], row, b + i, n - i);
    }
}

/* Rows that wait to be added to `to`, each times its factor. */
typedef struct {
    float *to;
    int32_t length;
    int32_t count;
    float factors[JRG_FLOAT_TOGETHER];
    const float *rows[JRG_FLOAT_TOGETHER];
} jrg_float_terms;

static void jrg_float_add_four(float *restrict to, const jrg_float_terms *terms)
{
    const float *restrict a = terms->rows[0];
    const float *restrict b = terms->rows[1];
    const float *restrict c = terms->rows[2];
    const float *restrict d = terms->rows[3];
    const float fa = terms->factors[0], fb = terms->factors[1], fc = terms->factors[2], fd = terms->factors[3];
    for (int32_t i = 0; i < terms->length; i++) {
        to[i] += fa * a[i] + fb * b[i] + fc * c[i] + fd * d[i];
    }
}

/* Adds whatever waits. */
static void jrg_float_settle(jrg_float_terms *terms)
{
    for (int32_t i = 0; i < terms->count; i++) {
        jrg_float_add(terms->to, terms->factors[i], terms->rows[i], terms->length);
    }
    terms->count = 0;
}

/* to += factor * row, now or with the next ones; nothing for a factor of 0. */
static void jrg_float_add_later(jrg_float_terms *terms, float factor, const float *row)
{
    if (factor == 0.0f) {
        return;
    }
    terms->factors[terms->count] = factor;
    terms->rows[terms->count++] = row;
    if (terms->count == JRG_FLOAT_TOGETHER) {
        jrg_float_add_four(terms->to, terms);
        terms->count = 0;
    }
}

static int32_t jrg_float_taps(const jrg_float_layer *layer)
{
    return layer->kernel_rows * layer->kernel_columns;
}

static int32_t jrg_float_positions(const jrg_float_layer *layer)
{
    return layer->out_rows * layer->out_columns;
}

static int32_t jrg_float_output_size(const jrg_float_layer *layer)
{
    return jrg_float_positions(layer) * layer->out_channels;
}

/* Whether a row of weights fills no vector, and there are positions enough to turn them on their side. */
static bool jrg_float_is_short(const jrg_float_layer *layer)
{
    return jrg_float_taps(layer) * layer->in_channels <= JRG_FLOAT_SHORT && jrg_float_positions(layer) > 1;
}

/* How many channels there are from `first` on, at most a block of them. */
static int32_t jrg_float_block_size(const jrg_float_layer *layer, int32_t first)
{
    const int32_t left = layer->out_channels - first;
    return left < JRG_FLOAT_BLOCK ? left : JRG_FLOAT_BLOCK;
}

/* Where in the input image the tap of a window is, as an offset, or -1 in the padding. */
static int32_t jrg_float_pixel(const jrg_float_layer *layer, int32_t position, int32_t tap)
{
    const int32_t row =
        position / layer->out_columns * layer->stride_rows + tap / layer->kernel_columns - layer->pad_top;
    const int32_t column =
        position % layer->out_columns * layer->stride_columns + tap % layer->kernel_columns - layer->pad_left;
    const bool is_inside = row >= 0 && row < layer->in_rows && column >= 0 && column < layer->in_columns;
    return is_inside ? (row * layer->in_columns + column) * layer->in_channels : -1;
}

/* ---- forward ---- */

/* What the window sees at a position, taps after each other; of a dense layer its whole input. */
static const float *jrg_float_patch(const jrg_float_layer *layer, const jrg_float_memory *memory, int32_t position)
{
    const int32_t length = jrg_float_taps(layer) * layer->in_channels;
    return layer->patches < 0 ? memory->values + layer->source : memory->patches + layer->patches + position * length;
}

static void jrg_float_gather(const jrg_float_layer *layer, const jrg_float_memory *memory, int32_t position)
{
    const int32_t taps = jrg_float_taps(layer);
    const size_t bytes = (size_t)layer->in_channels * sizeof(float);
    float *patch = memory->patches + layer->patches + position * taps * layer->in_channels;
    for (int32_t tap = 0; tap < taps; tap++, patch += layer->in_channels) {
        const int32_t pixel = jrg_float_pixel(layer, position, tap);
        if (pixel < 0) {
            memset(patch, 0, bytes);
        } else {
            memcpy(patch, memory->values + layer->source + pixel, bytes);
        }
    }
}

static void jrg_float_gather_all(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    for (int32_t position = 0; layer->patches >= 0 && position < jrg_float_positions(layer); position++) {
        jrg_float_gather(layer, memory, position);
    }
}

/* All outputs of one or two positions (first == second: of one); rows of weights four at a time. */
static void jrg_float_outputs_of_two(const jrg_float_layer *layer, const jrg_float_memory *memory, int32_t first,
                                     int32_t second)
{
    const int32_t length = jrg_float_taps(layer) * layer->in_channels;
    const float *a = jrg_float_patch(layer, memory, first);
    const float *b = jrg_float_patch(layer, memory, second);
    const float *row = memory->weights + layer->weights;
    const float *bias = memory->weights + layer->biases;
    float *of_first = memory->values + layer->output + first * layer->out_channels;
    float *of_second = memory->values + layer->output + second * layer->out_channels;
    int32_t channel = 0;
    for (; channel + JRG_FLOAT_TOGETHER <= layer->out_channels; channel += JRG_FLOAT_TOGETHER) {
        float sums[2 * JRG_FLOAT_TOGETHER];
        jrg_float_eight_dots(row, a, b, length, sums);
        for (int32_t k = 0; k < JRG_FLOAT_TOGETHER; k++) {
            of_first[channel + k] = bias[channel + k] + sums[k];
            of_second[channel + k] = bias[channel + k] + sums[JRG_FLOAT_TOGETHER + k];
        }
        row += JRG_FLOAT_TOGETHER * length;
    }
    for (; channel < layer->out_channels; channel++, row += length) {
        of_first[channel] = bias[channel] + jrg_float_dot(row, a, length);
        of_second[channel] = bias[channel] + jrg_float_dot(row, b, length);
    }
}

/* The same for rows too short to fill a vector: of up to 16 channels at a time the weights are turned on their side. */
static void jrg_float_outputs_of_block(const jrg_float_layer *layer, const jrg_float_memory *memory, int32_t first)
{
    const int32_t length = jrg_float_taps(layer) * layer->in_channels;
    const int32_t positions = jrg_float_positions(layer);
    const int32_t channels = jrg_float_block_size(layer, first);
    const size_t bytes = (size_t)channels * sizeof(float);
    jrg_float_block biases = {0.0f};
    memcpy(&biases, memory->weights + layer->biases + first, bytes);
    jrg_float_block columns[JRG_FLOAT_SHORT] = {{0.0f}};
    for (int32_t k = 0; k < channels * length; k++) {
        columns[k % length][k / length] = memory->weights[layer->weights + first * length + k];
    }
    float *output = memory->values + layer->output + first;
    for (int32_t position = 0; position < positions; position += JRG_FLOAT_TOGETHER) {
        const int32_t last = positions - 1;
        const float *a = jrg_float_patch(layer, memory, position);
        const float *b = jrg_float_patch(layer, memory, position + 1 < last ? position + 1 : last);
        const float *c = jrg_float_patch(layer, memory, position + 2 < last ? position + 2 : last);
        const float *d = jrg_float_patch(layer, memory, position + 3 < last ? position + 3 : last);
        jrg_float_block sums[JRG_FLOAT_TOGETHER] = {biases, biases, biases, biases};
        for (int32_t i = 0; i < length; i++) {
            sums[0] += a[i] * columns[i];
            sums[1] += b[i] * columns[i];
            sums[2] += c[i] * columns[i];
            sums[3] += d[i] * columns[i];
        }
        for (int32_t k = 0; k < JRG_FLOAT_TOGETHER && position + k < positions; k++) {
            memcpy(output + (position + k) * layer->out_channels, &sums[k], bytes);
        }
    }
}

static void jrg_float_weighted(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const int32_t positions = jrg_float_positions(layer);
    jrg_float_gather_all(layer, memory);
    if (jrg_float_is_short(layer)) {
        for (int32_t channel = 0; channel < layer->out_channels; channel += JRG_FLOAT_BLOCK) {
            jrg_float_outputs_of_block(layer, memory, channel);
        }
        return;
    }
    for (int32_t position = 0; position < positions; position += 2) {
        jrg_float_outputs_of_two(layer, memory, position, position + 1 < positions ? position + 1 : position);
    }
}

static void jrg_float_depthwise(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const int32_t taps = jrg_float_taps(layer);
    float *output = memory->values + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++, output += layer->out_channels) {
        memcpy(output, memory->weights + layer->biases, (size_t)layer->out_channels * sizeof(float));
        for (int32_t tap = 0; tap < taps; tap++) {
            const int32_t pixel = jrg_float_pixel(layer, position, tap);
            for (int32_t channel = 0; pixel >= 0 && channel < layer->out_channels; channel++) {
                const float weight = memory->weights[layer->weights + channel * taps + tap];
                output[channel] += weight * memory->values[layer->source + pixel + channel];
            }
        }
    }
}

/* The first largest tap of a window in one channel. */
static int32_t jrg_float_winner(const jrg_float_layer *layer, const float *values, int32_t position, int32_t channel)
{
    int32_t winner = -1;
    for (int32_t tap = 0; tap < jrg_float_taps(layer); tap++) {
        const int32_t pixel = jrg_float_pixel(layer, position, tap);
        if (pixel >= 0 && (winner < 0 || values[pixel + channel] > values[winner + channel])) {
            winner = pixel;
        }
    }
    return winner;
}

static void jrg_float_max_pool(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const float *values = memory->values + layer->source;
    float *output = memory->values + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++) {
        for (int32_t channel = 0; channel < layer->out_channels; channel++) {
            *output++ = values[jrg_float_winner(layer, values, position, channel) + channel];
        }
    }
}

/* How many pixels of the image a window holds. */
static float jrg_float_seen(const jrg_float_layer *layer, int32_t position)
{
    float count = 0.0f;
    for (int32_t tap = 0; tap < jrg_float_taps(layer); tap++) {
        count += jrg_float_pixel(layer, position, tap) >= 0 ? 1.0f : 0.0f;
    }
    return count;
}

static void jrg_float_average_pool(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    float *output = memory->values + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++, output += layer->out_channels) {
        const float share = 1.0f / jrg_float_seen(layer, position);
        memset(output, 0, (size_t)layer->out_channels * sizeof(float));
        for (int32_t tap = 0; tap < jrg_float_taps(layer); tap++) {
            const int32_t pixel = jrg_float_pixel(layer, position, tap);
            if (pixel >= 0) {
                jrg_float_add(output, share, memory->values + layer->source + pixel, layer->out_channels);
            }
        }
    }
}

static void jrg_float_sum(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const size_t bytes = (size_t)jrg_float_output_size(layer) * sizeof(float);
    memcpy(memory->values + layer->output, memory->values + layer->source, bytes);
    if (layer->kind == JRG_FLOAT_ADD) {
        jrg_float_add(memory->values + layer->output, 1.0f, memory->values + layer->skip, jrg_float_output_size(layer));
    }
}

static float jrg_float_activated(const jrg_float_layer *layer, float value)
{
    switch (layer->activation) {
    case JRG_FLOAT_RELU:
        return value > 0.0f ? value : 0.0f;
    case JRG_FLOAT_RELU6:
        return value > 0.0f ? (value < 6.0f ? value : 6.0f) : 0.0f;
    case JRG_FLOAT_LEAKY_RELU:
        return value >= 0.0f ? value : value * layer->slope;
    case JRG_FLOAT_TANH:
        return tanhf(value);
    case JRG_FLOAT_SIGMOID:
        return 0.5f * (1.0f + tanhf(0.5f * value));
    default:
        return value;
    }
}

/* ReLU has a loop of its own, which is done in vectors. */
static void jrg_float_activate(const jrg_float_layer *layer, float *restrict output)
{
    const int32_t size = jrg_float_output_size(layer);
    if (layer->activation == JRG_FLOAT_RELU) {
        for (int32_t i = 0; i < size; i++) {
            output[i] = output[i] > 0.0f ? output[i] : 0.0f;
        }
        return;
    }
    for (int32_t i = 0; layer->activation != JRG_FLOAT_LINEAR && i < size; i++) {
        output[i] = jrg_float_activated(layer, output[i]);
    }
}

static void jrg_float_layer_forward(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    switch (layer->kind) {
    case JRG_FLOAT_WEIGHTED:
        jrg_float_weighted(layer, memory);
        break;
    case JRG_FLOAT_DEPTHWISE:
        jrg_float_depthwise(layer, memory);
        break;
    case JRG_FLOAT_MAX_POOL:
        jrg_float_max_pool(layer, memory);
        break;
    case JRG_FLOAT_AVERAGE_POOL:
        jrg_float_average_pool(layer, memory);
        break;
    default:
        jrg_float_sum(layer, memory);
        break;
    }
    jrg_float_activate(layer, memory->values + layer->output);
}

static void jrg_float_forward(const jrg_float_engine *engine, const float *input)
{
    memcpy(engine->memory.values, input, (size_t)engine->network->inputs * sizeof(float));
    for (int32_t i = 0; i < engine->network->layers_count; i++) {
        jrg_float_layer_forward(&engine->network->layers[i], &engine->memory);
    }
}

/* ---- loss ---- */

static bool jrg_float_softmax(const float *outputs, int32_t n, int32_t label, float *error, double *loss)
{
    int32_t first = 0;
    float sum = 0.0f;
    for (int32_t i = 1; i < n; i++) {
        first = outputs[i] > outputs[first] ? i : first;
    }
    for (int32_t i = 0; i < n; i++) {
        error[i] = expf(outputs[i] - outputs[first]);
        sum += error[i];
    }
    for (int32_t i = 0; i < n; i++) {
        error[i] /= sum;
    }
    error[label] -= 1.0f;
    *loss = (double)(logf(sum) + outputs[first] - outputs[label]);
    return first == label;
}

static void jrg_float_squares(const float *outputs, int32_t n, const float *targets, float *error, double *loss)
{
    double sum = 0.0;
    for (int32_t i = 0; i < n; i++) {
        const float difference = outputs[i] - targets[i];
        sum += (double)difference * (double)difference;
        error[i] = difference * (2.0f / (float)n);
    }
    *loss = sum / n;
}

/* The outputs' loss, which is counted; its gradient is left in `errors`. */
static double jrg_float_loss(const jrg_float_engine *engine, const float *target, jrg_float_figures *figures)
{
    const jrg_float_network *network = engine->network;
    const float *outputs = engine->memory.values + network->output;
    float *error = engine->memory.errors + network->output;
    double loss = 0.0;
    if (network->classifier) {
        const bool is_right = jrg_float_softmax(outputs, network->outputs, (int32_t)target[0], error, &loss);
        figures->correct += is_right ? 1.0 : 0.0;
    } else {
        jrg_float_squares(outputs, network->outputs, target, error, &loss);
    }
    figures->loss += loss;
    return loss;
}

/* ---- backward ---- */

static float jrg_float_slope_at(const jrg_float_layer *layer, float output)
{
    switch (layer->activation) {
    case JRG_FLOAT_RELU:
        return output > 0.0f ? 1.0f : 0.0f;
    case JRG_FLOAT_RELU6:
        return output > 0.0f && output < 6.0f ? 1.0f : 0.0f;
    case JRG_FLOAT_LEAKY_RELU:
        return output >= 0.0f ? 1.0f : layer->slope;
    case JRG_FLOAT_TANH:
        return 1.0f - output * output;
    case JRG_FLOAT_SIGMOID:
        return output * (1.0f - output);
    default:
        return 1.0f;
    }
}

/* errors *= the activation's slope there. */
static void jrg_float_slopes(const jrg_float_layer *layer, const float *restrict outputs, float *restrict errors)
{
    const int32_t size = jrg_float_output_size(layer);
    if (layer->activation == JRG_FLOAT_RELU) {
        for (int32_t i = 0; i < size; i++) {
            errors[i] = outputs[i] > 0.0f ? errors[i] : 0.0f;
        }
        return;
    }
    for (int32_t i = 0; layer->activation != JRG_FLOAT_LINEAR && i < size; i++) {
        errors[i] *= jrg_float_slope_at(layer, outputs[i]);
    }
}

/* Adds a row of errors, taps after each other, to the pixels that a window saw. */
static void jrg_float_scatter(const jrg_float_layer *layer, float *errors, const float *row, int32_t position)
{
    for (int32_t tap = 0; tap < jrg_float_taps(layer); tap++, row += layer->in_channels) {
        const int32_t pixel = jrg_float_pixel(layer, position, tap);
        if (pixel >= 0) {
            jrg_float_add(errors + pixel, 1.0f, row, layer->in_channels);
        }
    }
}

static void jrg_float_weighted_errors(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const int32_t length = jrg_float_taps(layer) * layer->in_channels;
    const float *error = memory->errors + layer->output;
    jrg_float_terms terms = {.to = memory->row, .length = length};
    for (int32_t position = 0; position < jrg_float_positions(layer); position++) {
        const float *row = memory->weights + layer->weights;
        memset(memory->row, 0, (size_t)length * sizeof(float));
        for (int32_t channel = 0; channel < layer->out_channels; channel++, error++, row += length) {
            jrg_float_add_later(&terms, *error, row);
        }
        jrg_float_settle(&terms);
        jrg_float_scatter(layer, memory->errors + layer->source, memory->row, position);
    }
}

/* to += factor * gradient of up to 16 channels whose rows are too short to fill a vector; four taps at a time. */
static void jrg_float_step_of_block(const jrg_float_layer *layer, const jrg_float_memory *memory, float *to,
                                    float factor, int32_t first)
{
    const int32_t length = jrg_float_taps(layer) * layer->in_channels;
    const int32_t channels = jrg_float_block_size(layer, first);
    const size_t bytes = (size_t)channels * sizeof(float);
    const float *error = memory->errors + layer->output + first;
    jrg_float_block biases = {0.0f};
    for (int32_t position = 0; position < jrg_float_positions(layer); position++) {
        jrg_float_block errors = {0.0f};
        memcpy(&errors, error + position * layer->out_channels, bytes);
        biases += errors;
    }
    for (int32_t channel = 0; channel < channels; channel++) {
        to[layer->biases + first + channel] += factor * biases[channel];
    }
    for (int32_t i = 0; i < length; i += JRG_FLOAT_TOGETHER) {
        const int32_t taps = length - i < JRG_FLOAT_TOGETHER ? length - i : JRG_FLOAT_TOGETHER;
        jrg_float_block columns[JRG_FLOAT_TOGETHER] = {{0.0f}};
        for (int32_t position = 0; position < jrg_float_positions(layer); position++) {
            jrg_float_block errors = {0.0f};
            memcpy(&errors, error + position * layer->out_channels, bytes);
            const float *patch = jrg_float_patch(layer, memory, position) + i;
            columns[0] += patch[0] * errors;
            columns[1] += patch[taps > 1 ? 1 : 0] * errors;
            columns[2] += patch[taps > 2 ? 2 : 0] * errors;
            columns[3] += patch[taps > 3 ? 3 : 0] * errors;
        }
        for (int32_t k = 0; k < channels * taps; k++) {
            to[layer->weights + (first + k / taps) * length + i + k % taps] += factor * columns[k % taps][k / taps];
        }
    }
}

/* to += factor * gradient, of weights and biases. */
static void jrg_float_weighted_step(const jrg_float_layer *layer, const jrg_float_memory *memory, float *to,
                                    float factor)
{
    const int32_t length = jrg_float_taps(layer) * layer->in_channels;
    if (jrg_float_is_short(layer)) {
        for (int32_t channel = 0; channel < layer->out_channels; channel += JRG_FLOAT_BLOCK) {
            jrg_float_step_of_block(layer, memory, to, factor, channel);
        }
        return;
    }
    for (int32_t channel = 0; channel < layer->out_channels; channel++) {
        jrg_float_terms terms = {.to = to + layer->weights + channel * length, .length = length};
        for (int32_t position = 0; position < jrg_float_positions(layer); position++) {
            const float step = factor * memory->errors[layer->output + position * layer->out_channels + channel];
            jrg_float_add_later(&terms, step, jrg_float_patch(layer, memory, position));
            to[layer->biases + channel] += step;
        }
        jrg_float_settle(&terms);
    }
}

static void jrg_float_depthwise_errors(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const int32_t taps = jrg_float_taps(layer);
    const float *error = memory->errors + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++, error += layer->out_channels) {
        for (int32_t tap = 0; tap < taps; tap++) {
            const int32_t pixel = jrg_float_pixel(layer, position, tap);
            for (int32_t channel = 0; pixel >= 0 && channel < layer->out_channels; channel++) {
                const float weight = memory->weights[layer->weights + channel * taps + tap];
                memory->errors[layer->source + pixel + channel] += weight * error[channel];
            }
        }
    }
}

static void jrg_float_depthwise_step(const jrg_float_layer *layer, const jrg_float_memory *memory, float *to,
                                     float factor)
{
    const int32_t taps = jrg_float_taps(layer);
    const float *error = memory->errors + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++, error += layer->out_channels) {
        jrg_float_add(to + layer->biases, factor, error, layer->out_channels);
        for (int32_t tap = 0; tap < taps; tap++) {
            const int32_t pixel = jrg_float_pixel(layer, position, tap);
            for (int32_t channel = 0; pixel >= 0 && channel < layer->out_channels; channel++) {
                const float value = memory->values[layer->source + pixel + channel];
                to[layer->weights + channel * taps + tap] += factor * error[channel] * value;
            }
        }
    }
}

static void jrg_float_max_pool_errors(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const float *values = memory->values + layer->source;
    const float *error = memory->errors + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++) {
        for (int32_t channel = 0; channel < layer->out_channels; channel++) {
            const int32_t pixel = jrg_float_winner(layer, values, position, channel);
            memory->errors[layer->source + pixel + channel] += *error++;
        }
    }
}

static void jrg_float_average_pool_errors(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const float *error = memory->errors + layer->output;
    for (int32_t position = 0; position < jrg_float_positions(layer); position++, error += layer->out_channels) {
        const float share = 1.0f / jrg_float_seen(layer, position);
        for (int32_t tap = 0; tap < jrg_float_taps(layer); tap++) {
            const int32_t pixel = jrg_float_pixel(layer, position, tap);
            if (pixel >= 0) {
                jrg_float_add(memory->errors + layer->source + pixel, share, error, layer->out_channels);
            }
        }
    }
}

static void jrg_float_sum_errors(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    const float *error = memory->errors + layer->output;
    if (layer->passes_error) {
        jrg_float_add(memory->errors + layer->source, 1.0f, error, jrg_float_output_size(layer));
    }
    if (layer->kind == JRG_FLOAT_ADD && layer->skip_passes_error) {
        jrg_float_add(memory->errors + layer->skip, 1.0f, error, jrg_float_output_size(layer));
    }
}

/* Adds to the errors of what a layer read, all with the weights as they are. */
static void jrg_float_layer_errors(const jrg_float_layer *layer, const jrg_float_memory *memory)
{
    if (layer->kind == JRG_FLOAT_ADD || layer->kind == JRG_FLOAT_SAME) {
        jrg_float_sum_errors(layer, memory);
    } else if (!layer->passes_error) {
        return;
    } else if (layer->kind == JRG_FLOAT_WEIGHTED) {
        jrg_float_weighted_errors(layer, memory);
    } else if (layer->kind == JRG_FLOAT_DEPTHWISE) {
        jrg_float_depthwise_errors(layer, memory);
    } else if (layer->kind == JRG_FLOAT_MAX_POOL) {
        jrg_float_max_pool_errors(layer, memory);
    } else {
        jrg_float_average_pool_errors(layer, memory);
    }
}

/* The way back through layers `last` to 0, whose errors are written; to += factor * gradient, layer by layer: `to` may be
 * the weights. Of prototypes the gradient is summed, if it is wanted (A12.9). */
static void jrg_float_way_back(const jrg_float_engine *engine, int32_t last, float *to, float factor)
{
    const jrg_float_memory *memory = &engine->memory;
    for (int32_t i = last; i >= 0; i--) {
        const jrg_float_layer *layer = &engine->network->layers[i];
        jrg_float_slopes(layer, memory->values + layer->output, memory->errors + layer->output);
        jrg_float_layer_errors(layer, memory);
        const bool held = engine->prototypes && i == engine->network->layers_count - 1;
        if (held && engine->gradients) {
            jrg_float_weighted_step(layer, memory, memory->gradients, 1.0f);
        } else if (layer->learns && layer->kind == JRG_FLOAT_WEIGHTED && !held) {
            jrg_float_weighted_step(layer, memory, to, factor);
        } else if (layer->learns && !held) {
            jrg_float_depthwise_step(layer, memory, to, factor);
        }
    }
}

/* The same from the errors of the outputs. */
static void jrg_float_backward(const jrg_float_engine *engine, float *to, float factor)
{
    memset(engine->memory.errors, 0, (size_t)engine->network->output * sizeof(float));
    jrg_float_way_back(engine, engine->network->layers_count - 1, to, factor);
}

/* ---- a client task ---- */

/* A sample below the loss threshold makes no update (A11.8). */
static void jrg_float_learn_sample(const jrg_float_engine *engine, const jrg_float_work *work, const float *x,
                                   const float *y, float *to, float factor, jrg_float_figures *figures)
{
    jrg_float_forward(engine, x);
    if (!(jrg_float_loss(engine, y, figures) < work->loss_threshold)) { /* what is no number is not passed over */
        jrg_float_backward(engine, to, factor);
    }
}

static void jrg_float_batch(const jrg_float_engine *engine, const jrg_float_work *work, const float *x, const float *y,
                            int32_t n, jrg_float_figures *figures)
{
    const jrg_float_network *network = engine->network;
    const int32_t targets = network->classifier ? 1 : network->outputs;
    memset(engine->memory.gradients, 0, (size_t)network->parameters * sizeof(float));
    for (int32_t i = 0; i < n; i++) {
        const float *input = x + i * network->inputs;
        jrg_float_learn_sample(engine, work, input, y + i * targets, engine->memory.gradients, 1.0f, figures);
    }
    jrg_float_add(engine->memory.weights, -work->rate / (float)n, engine->memory.gradients, network->parameters);
}

static void jrg_float_pass(const jrg_float_engine *engine, const jrg_float_work *work, const float *x, const float *y,
                           int32_t n, jrg_float_figures *figures)
{
    const int32_t targets = engine->network->classifier ? 1 : engine->network->outputs;
    const int32_t batch = work->batch == 0 || work->batch > n ? n : work->batch;
    for (int32_t i = 0; i < n; i += batch) {
        const float *inputs = x + i * engine->network->inputs;
        if (batch == 1) {
            jrg_float_learn_sample(engine, work, inputs, y + i * targets, engine->memory.weights, -work->rate, figures);
        } else {
            jrg_float_batch(engine, work, inputs, y + i * targets, n - i < batch ? n - i : batch, figures);
        }
    }
}

static const jrg_float_layer *jrg_float_last(const jrg_float_engine *engine)
{
    return &engine->network->layers[engine->network->layers_count - 1];
}

/* A12.1: sums of the features of each class, in the last layer's part of the gradients. counts: [outputs] of samples. */
static void jrg_float_sum_features(const jrg_float_engine *engine, const float *x, const float *y, int32_t n,
                                   int32_t *counts)
{
    const jrg_float_layer *last = jrg_float_last(engine);
    float *sums = engine->memory.gradients + last->weights;
    memset(sums, 0, (size_t)engine->network->outputs * (size_t)last->in_channels * sizeof(float));
    memset(counts, 0, (size_t)engine->network->outputs * sizeof *counts);
    for (int32_t i = 0; i < n; i++) {
        const int32_t label = (int32_t)y[i];
        jrg_float_forward(engine, x + i * engine->network->inputs);
        jrg_float_add(sums + label * last->in_channels, 1.0f, engine->memory.values + last->source, last->in_channels);
        counts[label]++;
    }
}

/* A12: the means of n samples become the last layer: weights 2 T P, biases -T |P|^2; a class without samples never wins. */
static void jrg_float_enrol(const jrg_float_engine *engine, float temperature, const float *x, const float *y,
                            int32_t n)
{
    const jrg_float_layer *last = jrg_float_last(engine);
    int32_t counts[JRG_FLOAT_MOST_CLASSES];
    jrg_float_sum_features(engine, x, y, n, counts);
    for (int32_t c = 0; c < engine->network->outputs; c++) {
        float *row = engine->memory.weights + last->weights + c * last->in_channels;
        const float *sums = engine->memory.gradients + last->weights + c * last->in_channels;
        for (int32_t i = 0; i < last->in_channels; i++) {
            row[i] = counts[c] == 0 ? 0.0f : sums[i] / (float)counts[c];
        }
        const float size = jrg_float_dot(row, row, last->in_channels);
        engine->memory.weights[last->biases + c] = counts[c] == 0 ? JRG_FLOAT_NEVER : -temperature * size;
        for (int32_t i = 0; i < last->in_channels; i++) {
            row[i] *= 2.0f * temperature;
        }
    }
}

/* The gradients of the last layer are 0 again (A12.9). */
static void jrg_float_clear_gradients(const jrg_float_engine *engine)
{
    const jrg_float_layer *last = jrg_float_last(engine);
    const size_t numbers = (size_t)engine->network->outputs * (size_t)last->in_channels;
    memset(engine->memory.gradients + last->weights, 0, numbers * sizeof(float));
    memset(engine->memory.gradients + last->biases, 0, (size_t)engine->network->outputs * sizeof(float));
}

static int32_t jrg_float_count(const float *y, int32_t n, int32_t label)
{
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++) {
        count += (int32_t)y[i] == label;
    }
    return count;
}

/* A12.10: a step on each of n enrolled samples. W = 2 T p and b = -T |p|^2, so dL/dp = 2 T dL/dW - W dL/db. */
static void jrg_float_teach_enrolled(const jrg_float_engine *engine, const jrg_float_work *work, const float *x,
                                     const float *y, int32_t n)
{
    const jrg_float_layer *last = jrg_float_last(engine);
    const jrg_float_memory *memory = &engine->memory;
    for (int32_t i = 0; i < n; i++) {
        const int32_t label = (int32_t)y[i];
        const int32_t row = last->weights + label * last->in_channels;
        const float share = 1.0f / (float)jrg_float_count(y, n, label);
        const float bias = memory->gradients[last->biases + label];
        jrg_float_forward(engine, x + i * engine->network->inputs);
        memset(memory->errors, 0, (size_t)engine->network->output * sizeof(float));
        for (int32_t k = 0; k < last->in_channels; k++) {
            const float gradient = 2.0f * work->temperature * memory->gradients[row + k];
            memory->errors[last->source + k] = share * (gradient - memory->weights[row + k] * bias);
        }
        jrg_float_way_back(engine, engine->network->layers_count - 2, memory->weights, -work->rate);
    }
}

/* Prototypes of the first samples, or of all if none is set apart (A12). */
static void jrg_float_enrol_support(const jrg_float_engine *engine, const jrg_float_work *work, const float *x,
                                    const float *y, int32_t n, int32_t enrolled)
{
    if (engine->prototypes) {
        jrg_float_enrol(engine, work->temperature, x, y, enrolled == 0 ? n : enrolled);
    }
}

/* One client's samples, in the order of its episodes. */
typedef struct {
    const float *x;
    const float *y;
    const int32_t *enrolled; /* [episodes], and `trained` too */
    const int32_t *trained;
    int32_t episodes;
    int32_t count;
} jrg_float_support;

static jrg_float_support jrg_float_support_of(const jrg_float_samples *samples, int32_t c, const float *x,
                                              const float *y, size_t episode)
{
    return (jrg_float_support){
        x, y, samples->enrolled + episode, samples->trained + episode, samples->episodes[c], samples->counts[c]};
}

/* One episode; x, y: its samples. */
static void jrg_float_episode(const jrg_float_engine *engine, const jrg_float_work *work, const float *x,
                              const float *y, int32_t enrolled, int32_t trained, jrg_float_figures *figures)
{
    const int32_t targets = engine->network->classifier ? 1 : engine->network->outputs;
    jrg_float_enrol_support(engine, work, x, y, enrolled + trained, enrolled);
    if (engine->gradients) {
        jrg_float_clear_gradients(engine);
    }
    jrg_float_pass(engine, work, x + enrolled * engine->network->inputs, y + enrolled * targets, trained, figures);
    if (engine->gradients) {
        jrg_float_teach_enrolled(engine, work, x, y, enrolled);
    }
}

static void jrg_float_learn(const jrg_float_engine *engine, const jrg_float_work *work,
                            const jrg_float_support *support, jrg_float_figures *figures)
{
    const size_t bytes = (size_t)engine->network->parameters * sizeof(float);
    const int32_t targets = engine->network->classifier ? 1 : engine->network->outputs;
    memcpy(engine->memory.weights, engine->memory.start, bytes);
    for (int32_t pass = 0; pass < work->passes; pass++) {
        int32_t first = 0;
        for (int32_t e = 0; e < support->episodes; e++) {
            const float *x = support->x + first * engine->network->inputs;
            jrg_float_episode(engine, work, x, support->y + first * targets, support->enrolled[e], support->trained[e],
                              figures);
            first += support->enrolled[e] + support->trained[e];
        }
        for (int32_t i = 0; work->proximal_decay < 1.0f && i < engine->network->parameters; i++) {
            const float start = engine->memory.start[i];
            engine->memory.weights[i] = start + work->proximal_decay * (engine->memory.weights[i] - start);
        }
    }
    jrg_float_enrol_support(engine, work, support->x, support->y, support->count, support->enrolled[0]);
}

/* The last layer as it was at the start: what a device learned with prototypes is all but it. */
static void jrg_float_restore_last(const jrg_float_engine *engine)
{
    if (engine->prototypes) {
        const size_t first = (size_t)jrg_float_last(engine)->weights;
        const size_t bytes = ((size_t)engine->network->parameters - first) * sizeof(float);
        memcpy(engine->memory.weights + first, engine->memory.start + first, bytes);
    }
}

static void jrg_float_evaluate(const jrg_float_engine *engine, const float *x, const float *y, int32_t n,
                               jrg_float_figures *figures)
{
    const int32_t targets = engine->network->classifier ? 1 : engine->network->outputs;
    for (int32_t i = 0; i < n; i++) {
        jrg_float_forward(engine, x + i * engine->network->inputs);
        jrg_float_loss(engine, y + i * targets, figures);
    }
}

/* The first largest output of each query sample. */
static void jrg_float_answer(const jrg_float_engine *engine, const float *x, int32_t n, int32_t *answers)
{
    const jrg_float_network *network = engine->network;
    const float *outputs = engine->memory.values + network->output;
    for (int32_t i = 0; i < n; i++) {
        jrg_float_forward(engine, x + i * network->inputs);
        answers[i] = 0;
        for (int32_t j = 1; j < network->outputs; j++) {
            answers[i] = outputs[j] > outputs[answers[i]] ? j : answers[i];
        }
    }
}

/* Trains every client from memory->start; its weights go to `trained`, [clients][parameters]. */
void jrg_float_train(const jrg_float_network *network, const jrg_float_memory *memory, const jrg_float_work *work,
                     const jrg_float_samples *support, float *trained, jrg_float_figures *figures)
{
    const jrg_float_engine engine = {network, *memory, work->temperature > 0.0f, work->gradients != 0};
    const size_t parameters = (size_t)network->parameters;
    const float *x = support->inputs;
    const float *y = support->targets;
    size_t episode = 0;
    for (int32_t c = 0; c < support->clients; c++) {
        const jrg_float_support own = jrg_float_support_of(support, c, x, y, episode);
        jrg_float_learn(&engine, work, &own, &figures[c]);
        jrg_float_restore_last(&engine);
        memcpy(trained + (size_t)c * parameters, memory->weights, parameters * sizeof(float));
        x += (size_t)support->counts[c] * (size_t)network->inputs;
        y += (size_t)support->counts[c] * (size_t)(network->classifier ? 1 : network->outputs);
        episode += (size_t)support->episodes[c];
    }
}

/* Evaluates every client on its query samples before and after it learns its support samples.
 * answers: [query samples], what is answered after. */
void jrg_float_adapt(const jrg_float_network *network, const jrg_float_memory *memory, const jrg_float_work *work,
                     const jrg_float_samples *support, const jrg_float_samples *query, jrg_float_figures *before,
                     jrg_float_figures *after, int32_t *answers)
{
    const jrg_float_engine engine = {network, *memory, work->temperature > 0.0f, work->gradients != 0};
    const size_t inputs = (size_t)network->inputs;
    const size_t targets = (size_t)(network->classifier ? 1 : network->outputs);
    jrg_float_figures unused = {0};
    size_t first = 0;
    size_t asked = 0;
    size_t episode = 0;
    for (int32_t c = 0; c < support->clients; c++) {
        memcpy(memory->weights, memory->start, (size_t)network->parameters * sizeof(float));
        const float *x = query->inputs + asked * inputs;
        const jrg_float_support own = jrg_float_support_of(support, c, support->inputs + first * inputs,
                                                           support->targets + first * targets, episode);
        jrg_float_evaluate(&engine, x, query->targets + asked * targets, query->counts[c], &before[c]);
        jrg_float_learn(&engine, work, &own, &unused);
        jrg_float_evaluate(&engine, x, query->targets + asked * targets, query->counts[c], &after[c]);
        jrg_float_answer(&engine, x, query->counts[c], answers + asked);
        first += (size_t)support->counts[c];
        asked += (size_t)query->counts[c];
        episode += (size_t)support->episodes[c];
    }
}
