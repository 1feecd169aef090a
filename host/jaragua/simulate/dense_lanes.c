/* Many virtual devices in step: each training step of dense int16 layers is done for JRG_LANES devices at once.
 *
 * The same integers as jrg_nn_dense_*.h (A3 to A5; tests compare every bit), laid out so that the same weight of all
 * devices stands side by side. The inner loops are there twice: written with the instructions of AVX2, and
 * plainly, for a compiler to make of them what it can. A network is a table, so one library serves all. All memory is the
 * caller's. Groups of lanes are taken by threads as each has time, and one thread's memory is no other's. Layers have at most 256 inputs and outputs, so sums fit 32 bits (A3.4, A5.5).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__) && !defined(JRG_LANES_PORTABLE)
#include <immintrin.h>
#define JRG_LANES_VECTORS 1
#else
#define JRG_LANES_VECTORS 0
#endif

#include "jrg_model.h"        // jrg_nn_result
#include "jrg_nn_arith.h"     // jrg_nn_rshift
#include "jrg_nn_layer.h"     // jrg_nn_row_error
#include "jrg_nn_live_rows.h" // jrg_nn_error_shift
#include "jrg_nn_softmax.h"   // jrg_nn_softmax_error

#if JRG_LANES_VECTORS
#define JRG_LANES 16u /* of 16 bits fill a vector */
#else
#define JRG_LANES 32u
#endif
#define JRG_LANES_MOST_OUTPUTS 256u
#define JRG_LANES_MOST_THREADS 64u
#define JRG_LANES_BLOCK 16u /* weights that are handed back at a time */

typedef int16_t jrg_lanes_half[JRG_LANES];
typedef int32_t jrg_lanes_word[JRG_LANES]; /* of lane l at jrg_lanes_place(l) */

typedef struct {
    uint32_t inputs, outputs;
    uint32_t input_width, output_width, error_width;
    uint32_t relu;
    int32_t forward_shift, bias_shift;
    int32_t weight_exponent, input_exponent;
    uint32_t weights_offset, biases_offset, row_bytes; /* in the blob */
} jrg_lanes_layer;

typedef struct {
    const jrg_lanes_layer *layers;
    const double *units; /* real value of one: of each row of weights of a layer, then of each of its biases */
    uint32_t layers_count;
    uint32_t passes;
    uint32_t is_classifier;
    int32_t output_exponent;
    int32_t rate_mantissa, rate_exponent; /* with the loss factor in it (A5.3) */
} jrg_lanes_work;

typedef struct {
    jrg_lanes_half *weights; /* of all layers, row by row without padding */
    jrg_lanes_word *biases;
    jrg_lanes_half *values;               /* of all tensors: the input, then the outputs of each layer */
    jrg_lanes_word *errors;               /* of one tensor, the widest */
    jrg_lanes_half *scaled, *factors;     /* of one layer's rows */
    jrg_lanes_half *pairs;                /* room for the widest tensor, its neighbours interleaved */
} jrg_lanes_memory;

typedef struct {
    uint32_t clients;
    uint32_t samples; /* of each */
    const int16_t *inputs;
    const int16_t *targets;
} jrg_lanes_samples;

typedef struct {
    uint32_t correct;
    uint64_t loss;
} jrg_lanes_figures;

/* Shifts that differ from lane to lane. Of errors: `before` and `rounds` together to the right with A1.1, or to the left;
 * of factors: to the right after `half` is added, which for them rounds as A1.1. */
typedef struct {
    jrg_lanes_word before, rounds, left;
    jrg_lanes_word half, factor;
} jrg_lanes_shifts;

/* How many lanes there are, and how many threads at most, for who gives the memory. */
const uint32_t jrg_lanes_count = JRG_LANES;
const uint32_t jrg_lanes_most_threads = JRG_LANES_MOST_THREADS;

#if JRG_LANES_VECTORS
#include "dense_lanes_vectors.h"
#else
#include "dense_lanes_plain.h"
#endif

/* ---- forward (A3) ---- */

static void jrg_lanes_forward(const jrg_lanes_work *work, const jrg_lanes_memory *memory)
{
    const jrg_lanes_half *w = memory->weights;
    const jrg_lanes_word *bias = memory->biases;
    jrg_lanes_half *x = memory->values;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        jrg_lanes_interleave(x, layer->inputs, memory->pairs);
        jrg_lanes_outputs(layer, w, bias, memory->pairs, x + layer->inputs);
        w += layer->inputs * layer->outputs;
        bias += layer->outputs;
        x += layer->inputs;
    }
}

/* ---- loss (A4) ---- */

/* The errors of one lane, and its exponent; what does not stand in the list is 0. */
static void jrg_lanes_classifier_error(const jrg_lanes_half *z, uint32_t count, uint32_t lane, int16_t label,
                                       jrg_lanes_word *errors, jrg_lanes_figures *figures)
{
    int16_t logits[JRG_LANES_MOST_OUTPUTS];
    jrg_nn_row_error list[JRG_LANES_MOST_OUTPUTS];
    jrg_nn_result result;
    for (uint32_t j = 0; j < count; j++) {
        logits[j] = z[j][lane];
        errors[j][jrg_lanes_place(lane)] = 0;
    }
    const jrg_nn_error error = jrg_nn_softmax_error(logits, count, label, list, &result);
    for (uint32_t n = 0; n < error.count; n++) {
        errors[list[n].row][jrg_lanes_place(lane)] = list[n].value;
    }
    figures->correct += result.correct ? 1u : 0u;
    figures->loss += result.loss;
}

static void jrg_lanes_squared_error(const jrg_lanes_half *z, uint32_t count, uint32_t lane, const int16_t *target,
                                    jrg_lanes_word *errors, jrg_lanes_figures *figures)
{
    uint64_t sum = 0;
    for (uint32_t j = 0; j < count; j++) {
        const int32_t difference = (int32_t)z[j][lane] - target[j];
        const uint32_t size = (uint32_t)(difference < 0 ? -difference : difference);
        sum += size * size;
        errors[j][jrg_lanes_place(lane)] = difference;
    }
    figures->loss += sum > 0x7FFFFFFFu ? 0x7FFFFFFFu : sum;
}

/* ---- backward (A5) ---- */

/* A5.1, A5.4: of each lane how its errors and factors are shifted; exponents become those of the scaled errors. Without
 * magnitude bits all errors are 0 or -1, and none is learned from: 32 to the right leaves 0 of both. */
static void jrg_lanes_find_shifts(const jrg_lanes_work *work, const jrg_lanes_layer *layer, const int32_t *magnitude,
                                  int32_t *restrict exponents, jrg_lanes_shifts *restrict shifts)
{
    const int32_t rest = work->rate_exponent + layer->input_exponent - layer->weight_exponent - (int32_t)layer->input_width - 1;
    for (uint32_t p = 0; p < JRG_LANES; p++) {
        const int32_t found = jrg_nn_error_shift((uint32_t)magnitude[p] | 1u, layer->error_width);
        const int32_t shift = magnitude[p] != 0 ? found : 32;
        exponents[p] -= magnitude[p] != 0 ? found : 0;
        const int32_t factor_shift = jrg_nn_clamp(rest + exponents[p], 0, 31);
        shifts->before[p] = shift > 0 ? shift - 1 : 0;
        shifts->rounds[p] = shift > 0 ? 1 : 0;
        shifts->left[p] = shift < 0 ? -shift : 0;
        shifts->half[p] = (int32_t)((1u << factor_shift) >> 1);
        shifts->factor[p] = factor_shift;
    }
}

/* A5.6 of the first layer's weights; no error goes further down. */
static void jrg_lanes_step_first(const jrg_lanes_layer *layer, const jrg_lanes_half *factors, const jrg_lanes_half *x,
                                 jrg_lanes_half *w)
{
    for (uint32_t j = 0; j < layer->outputs; j++) {
        jrg_lanes_step_row(layer, factors[j], x, w + j * layer->inputs);
    }
}

/* A5.7 and A5.6 of the weights of any other layer; below: [inputs], which are more than one: widths are at most 14. */
static void jrg_lanes_step_weights(const jrg_lanes_layer *layer, const jrg_lanes_memory *memory,
                                   const jrg_lanes_half *x, jrg_lanes_half *w, jrg_lanes_word *below)
{
    jrg_lanes_interleave(memory->scaled, layer->outputs, memory->pairs);
    jrg_lanes_step_rows(layer, memory, x, w, below);
}

/* memory->errors: of the output; its exponents in each lane are those of A4. */
static void jrg_lanes_backward(const jrg_lanes_work *work, const jrg_lanes_memory *memory, jrg_lanes_half *weights_end,
                               jrg_lanes_word *biases_end, const jrg_lanes_half *outputs)
{
    _Alignas(64) jrg_lanes_word exponents;
    _Alignas(64) jrg_lanes_word magnitude;
    _Alignas(64) jrg_lanes_shifts shifts;
    const jrg_lanes_half *x = outputs;
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        exponents[l] = work->output_exponent;
    }
    for (uint32_t k = work->layers_count; k-- > 0u;) {
        const jrg_lanes_layer *layer = &work->layers[k];
        const bool rectified = layer->relu && k + 1u < work->layers_count; /* that of the output is none (A4) */
        jrg_lanes_magnitude(memory->errors, layer->outputs, rectified ? x : NULL, magnitude);
        jrg_lanes_find_shifts(work, layer, magnitude, exponents, &shifts);
        x -= layer->inputs;
        weights_end -= layer->inputs * layer->outputs;
        biases_end -= layer->outputs;
        jrg_lanes_scale(layer, work->rate_mantissa, &shifts, memory, biases_end);
        if (k == 0u) {
            jrg_lanes_step_first(layer, memory->factors, x, weights_end);
            return;
        }
        jrg_lanes_step_weights(layer, memory, x, weights_end, memory->errors);
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            exponents[l] += layer->weight_exponent;
        }
    }
}

/* ---- client tasks ---- */

/* The weights of a blob in every lane. */
static void jrg_lanes_load(const jrg_lanes_work *work, const uint8_t *blob, const jrg_lanes_memory *memory)
{
    jrg_lanes_half *w = memory->weights;
    jrg_lanes_word *bias = memory->biases;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        for (uint32_t j = 0; j < layer->outputs; j++, bias++) {
            int32_t word;
            memcpy(&word, blob + layer->biases_offset + 4u * j, sizeof word);
            for (uint32_t l = 0; l < JRG_LANES; l++) {
                (*bias)[l] = word;
            }
            for (uint32_t i = 0; i < layer->inputs; i++, w++) {
                int16_t half;
                memcpy(&half, blob + layer->weights_offset + j * layer->row_bytes + 2u * i, sizeof half);
                for (uint32_t l = 0; l < JRG_LANES; l++) {
                    (*w)[l] = half;
                }
            }
        }
    }
}

/* A sample of each lane's device; lanes beyond `used` take the first one's. */
static void jrg_lanes_learn(const jrg_lanes_work *work, const jrg_lanes_memory *memory, const jrg_lanes_samples *support,
                            uint32_t first, uint32_t used, uint32_t sample, jrg_lanes_figures *figures)
{
    const jrg_lanes_layer *top = &work->layers[work->layers_count - 1u];
    const uint32_t inputs = work->layers[0].inputs;
    const uint32_t targets = work->is_classifier ? 1u : top->outputs;
    jrg_lanes_half *outputs = memory->values + inputs;
    jrg_lanes_half *weights_end = memory->weights;
    jrg_lanes_word *biases_end = memory->biases;
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        const size_t at = (size_t)(first + (l < used ? l : 0u)) * support->samples + sample;
        for (uint32_t i = 0; i < inputs; i++) {
            memory->values[i][l] = (int16_t)jrg_nn_sats(support->inputs[at * inputs + i], work->layers[0].input_width);
        }
    }
    jrg_lanes_forward(work, memory);
    for (uint32_t k = 0; k < work->layers_count; k++) {
        outputs += k > 0u ? work->layers[k].inputs : 0u;
        weights_end += work->layers[k].inputs * work->layers[k].outputs;
        biases_end += work->layers[k].outputs;
    }
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        jrg_lanes_figures unused = {0};
        jrg_lanes_figures *own = l < used ? &figures[l] : &unused;
        const int16_t *target = support->targets + ((size_t)(first + (l < used ? l : 0u)) * support->samples + sample) * targets;
        if (work->is_classifier) {
            jrg_lanes_classifier_error(outputs, top->outputs, l, target[0], memory->errors, own);
        } else {
            jrg_lanes_squared_error(outputs, top->outputs, l, target, memory->errors, own);
        }
    }
    jrg_lanes_backward(work, memory, weights_end, biases_end, outputs);
}

/* What a block of weights was, and what one unit of each stands for. */
typedef struct {
    int16_t was[JRG_LANES_BLOCK];
    double unit[JRG_LANES_BLOCK];
} jrg_lanes_origin;

static void jrg_lanes_find_origin(const jrg_lanes_layer *layer, const uint8_t *blob, const double *units, uint32_t first,
                                  uint32_t size, jrg_lanes_origin *origin)
{
    uint32_t j = first / layer->inputs;
    uint32_t i = first % layer->inputs;
    for (uint32_t n = 0; n < size; n++) {
        memcpy(&origin->was[n], blob + layer->weights_offset + j * layer->row_bytes + 2u * i, sizeof origin->was[n]);
        origin->unit[n] = units[j];
        i = i + 1u < layer->inputs ? i + 1u : 0u;
        j += i == 0u ? 1u : 0u;
    }
}

/* Differences of some weights, one after the other, to what they were, as real numbers: of each lane in its vector. In
 * blocks, so that a lane's weights come to stand side by side while they are near. */
static void jrg_lanes_read_weights(const jrg_lanes_layer *layer, const uint8_t *blob, const double *units,
                                   const jrg_lanes_half *w, uint32_t used, double *learned, uint32_t parameters)
{
    const uint32_t count = layer->inputs * layer->outputs;
    _Alignas(64) int16_t own[JRG_LANES][JRG_LANES_BLOCK];
    jrg_lanes_origin origin;
    uint32_t first = 0;
    for (; first + JRG_LANES_BLOCK <= count; first += JRG_LANES_BLOCK) {
        jrg_lanes_find_origin(layer, blob, units, first, JRG_LANES_BLOCK, &origin);
        jrg_lanes_turn(w + first, own);
        for (uint32_t l = 0; l < used; l++) {
            double *moved = learned + (size_t)l * parameters + first;
            for (uint32_t n = 0; n < JRG_LANES_BLOCK; n++) {
                moved[n] = (double)(own[l][n] - origin.was[n]) * origin.unit[n];
            }
        }
    }
    jrg_lanes_find_origin(layer, blob, units, first, count - first, &origin);
    for (uint32_t l = 0; l < used; l++) {
        for (uint32_t n = 0; n < count - first; n++) {
            learned[(size_t)l * parameters + first + n] = (double)(w[first + n][l] - origin.was[n]) * origin.unit[n];
        }
    }
}

static void jrg_lanes_read_biases(const jrg_lanes_layer *layer, const uint8_t *blob, const double *units,
                                  const jrg_lanes_word *biases, uint32_t used, double *learned, uint32_t parameters)
{
    for (uint32_t l = 0; l < used; l++) {
        double *own = learned + (size_t)l * parameters;
        for (uint32_t j = 0; j < layer->outputs; j++) {
            int32_t was;
            memcpy(&was, blob + layer->biases_offset + 4u * j, sizeof was);
            own[j] = (double)((int64_t)biases[j][jrg_lanes_place(l)] - was) * units[j];
        }
    }
}

/* What the devices of the first lanes learned, in real numbers: per layer the weights row by row, then the biases. */
static void jrg_lanes_read(const jrg_lanes_work *work, const jrg_lanes_memory *memory, const uint8_t *blob, uint32_t used,
                           double *learned, uint32_t parameters)
{
    const jrg_lanes_half *w = memory->weights;
    const jrg_lanes_word *bias = memory->biases;
    const double *units = work->units;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        jrg_lanes_read_weights(layer, blob, units, w, used, learned, parameters);
        learned += layer->inputs * layer->outputs;
        jrg_lanes_read_biases(layer, blob, units + layer->outputs, bias, used, learned, parameters);
        learned += layer->outputs;
        units += 2u * layer->outputs;
        w += layer->inputs * layer->outputs;
        bias += layer->outputs;
    }
}

/* All that the threads of a call share. */
typedef struct {
    const jrg_lanes_work *work;
    const void *start;
    const jrg_lanes_samples *support;
    double *learned;
    uint32_t parameters;
    jrg_lanes_figures *figures;
    atomic_uint next; /* the first client that no thread has taken */
} jrg_lanes_job;

typedef struct {
    jrg_lanes_job *job;
    const jrg_lanes_memory *memory;
    pthread_t thread;
    bool runs;
} jrg_lanes_helper;

static void jrg_lanes_train_group(const jrg_lanes_job *job, const jrg_lanes_memory *memory, uint32_t first)
{
    const jrg_lanes_samples *support = job->support;
    const uint32_t left = support->clients - first;
    const uint32_t used = left < JRG_LANES ? left : JRG_LANES;
    jrg_lanes_load(job->work, job->start, memory);
    for (uint32_t step = 0; step < job->work->passes * support->samples; step++) {
        jrg_lanes_learn(job->work, memory, support, first, used, step % support->samples, &job->figures[first]);
    }
    jrg_lanes_read(job->work, memory, job->start, used, job->learned + (size_t)first * job->parameters, job->parameters);
}

/* Groups of clients until none is left. */
static void *jrg_lanes_help(void *argument)
{
    const jrg_lanes_helper *helper = argument;
    for (;;) {
        const uint32_t first = atomic_fetch_add(&helper->job->next, JRG_LANES);
        if (first >= helper->job->support->clients) {
            return NULL;
        }
        jrg_lanes_train_group(helper->job, helper->memory, first);
    }
}

/* Trains every client from `start`, a step a sample; what it learned goes to `learned`, a vector after the other.
 * memories: one for each of `threads`, 1 to JRG_LANES_MOST_THREADS. A thread that cannot be started is done without. */
void jrg_lanes_train(const jrg_lanes_work *work, const jrg_lanes_memory *memories, uint32_t threads, const void *start,
                     const jrg_lanes_samples *support, double *learned, uint32_t parameters, jrg_lanes_figures *figures)
{
    jrg_lanes_job job = {work, start, support, learned, parameters, figures, 0};
    jrg_lanes_helper helpers[JRG_LANES_MOST_THREADS];
    for (uint32_t t = 0; t < threads; t++) {
        helpers[t] = (jrg_lanes_helper){.job = &job, .memory = &memories[t]};
        helpers[t].runs = t > 0u && pthread_create(&helpers[t].thread, NULL, jrg_lanes_help, &helpers[t]) == 0;
    }
    jrg_lanes_help(&helpers[0]);
    for (uint32_t t = 1; t < threads; t++) {
        if (helpers[t].runs) {
            pthread_join(helpers[t].thread, NULL);
        }
    }
}
