/* Many virtual devices in step: each training step of dense int16 layers is done for JRG_LANES devices at once.
 *
 * The same integers as jrg_nn_dense_*.h (A3 to A5; tests compare every bit), laid out so that the same weight of all
 * devices stands side by side. The inner loops are there twice: written with the instructions of AVX-512 or AVX2, and
 * plainly, for a compiler to make of them what it can. A network is a table, so one library serves all. All memory is the
 * caller's. Groups of lanes are taken by threads as each has time, and one thread's memory is no other's. Layers have at
 * most 256 inputs and outputs, so sums fit 32 bits (A3.4, A5.5). What devices learned stays in integers until a matrix of
 * it is wanted, or only the sum of its rows and their lengths.
 *
 * Numbers of 16 bits go in pairs: two neighbours of a lane fill its 32 bits, and one instruction adds both products of such
 * a pair to the lane's sum (VPDPWSSD, VPMADDWD). Behind an odd count stands a 0, which no step moves.
 */
#include <math.h>
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

#include "core/jrg_nn_arith.h"           // jrg_nn_rshift
#include "core/jrg_nn_dither.h"          // jrg_nn_dither_step
#include "core/jrg_nn_types.h"           // jrg_nn_result
#include "dense/jrg_nn_dense_update.h"   // jrg_nn_stepped_weight
#include "weighted/jrg_nn_layer.h"       // jrg_nn_row_error
#include "weighted/jrg_nn_active_rows.h" // jrg_nn_error_shift
#include "loss/jrg_nn_softmax.h"         // jrg_nn_softmax_error

#if JRG_LANES_VECTORS && defined(__AVX512BW__)
#define JRG_LANES 16u /* of 32 bits fill a vector */
#elif JRG_LANES_VECTORS
#define JRG_LANES 8u
#else
#define JRG_LANES 32u
#endif
#define JRG_LANES_MOST_OUTPUTS 256u
#define JRG_LANES_MOST_THREADS 64u
#define JRG_LANES_BLOCK_PAIRS 8u /* of weights that are handed back at a time */
#define JRG_LANES_BLOCK (2u * JRG_LANES_BLOCK_PAIRS)

typedef int16_t jrg_lanes_pair[2u * JRG_LANES]; /* of each lane two numbers, where jrg_lanes_place says */
typedef int32_t jrg_lanes_word[JRG_LANES];

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
    uint32_t loss_threshold;              /* no update below it (A11.8); 0 disables */
} jrg_lanes_work;

/* What a thread needs for a group of devices. */
typedef struct {
    jrg_lanes_pair *values;         /* of all tensors: the input, then the outputs of each layer */
    jrg_lanes_word *errors, *below; /* each of one tensor, the widest, and one more */
    jrg_lanes_pair *factors;        /* of one layer's rows, in both numbers of a pair */
} jrg_lanes_memory;

/* The weights of devices while they learn and when they have: a group of lanes after the other. */
typedef struct {
    jrg_lanes_pair *weights; /* of all layers, row by row */
    jrg_lanes_word *biases;
    uint32_t weights_count, biases_count; /* of a group */
} jrg_lanes_devices;

typedef struct {
    uint32_t clients;
    uint32_t samples;      /* of each */
    const uint32_t *seeds; /* [clients] of the dither (A8.5) */
    const int16_t *inputs;
    const int16_t *targets;
} jrg_lanes_samples;

typedef struct {
    uint32_t correct;
    uint64_t loss;
} jrg_lanes_figures;

/* What differs from lane to lane. Of errors: shifted `right` or `left`, which leaves one bit too many, and A1.1 takes it away;
 * of factors (A5.4): the mantissa, the shift to the right, and by how much half of rho is shifted before it is added; the
 * layer's key (A5.9). */
typedef struct {
    jrg_lanes_word right, left;
    jrg_lanes_word mantissa, factor, dither;
    jrg_lanes_word key;
} jrg_lanes_shifts;

/* How many lanes there are, and how many threads at most, for who gives the memory. */
const uint32_t jrg_lanes_count = JRG_LANES;
const uint32_t jrg_lanes_most_threads = JRG_LANES_MOST_THREADS;

/* How many pairs hold so many numbers. */
static inline uint32_t jrg_lanes_pairs(uint32_t count)
{
    return (count + 1u) / 2u;
}

#if JRG_LANES_VECTORS
#include "batched_dense_vectors.h"
#else
#include "batched_dense_scalar.h"
#endif

/* Number n of a lane, of those that stand in pairs. */
static inline int16_t *jrg_lanes_number(jrg_lanes_pair *pairs, uint32_t n, uint32_t lane)
{
    return &pairs[n / 2u][jrg_lanes_place(n, lane)];
}

/* ---- forward (A3) ---- */

static void jrg_lanes_forward(const jrg_lanes_work *work, const jrg_lanes_pair *weights, const jrg_lanes_word *biases,
                              const jrg_lanes_memory *memory)
{
    jrg_lanes_pair *x = memory->values;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        const uint32_t row_pairs = jrg_lanes_pairs(layer->inputs);
        jrg_lanes_outputs(layer, weights, biases, x, x + row_pairs);
        weights += row_pairs * layer->outputs;
        biases += layer->outputs;
        x += row_pairs;
    }
}

/* ---- loss (A4) ---- */

/* The errors of one lane; what does not stand in the list is 0. The loss. */
static uint32_t jrg_lanes_classifier_error(jrg_lanes_pair *z, uint32_t count, uint32_t lane, int16_t label,
                                           jrg_lanes_word *errors, jrg_lanes_figures *figures)
{
    int16_t logits[JRG_LANES_MOST_OUTPUTS];
    jrg_nn_row_error list[JRG_LANES_MOST_OUTPUTS];
    jrg_nn_result result;
    for (uint32_t j = 0; j < count; j++) {
        logits[j] = *jrg_lanes_number(z, j, lane);
        errors[j][lane] = 0;
    }
    const jrg_nn_error error = jrg_nn_softmax_error(logits, count, label, list, &result);
    for (uint32_t n = 0; n < error.count; n++) {
        errors[list[n].row][lane] = list[n].value;
    }
    figures->correct += result.correct ? 1u : 0u;
    return result.loss;
}

/* The same of a regression. */
static uint32_t jrg_lanes_squared_error(jrg_lanes_pair *z, uint32_t count, uint32_t lane, const int16_t *target,
                                        jrg_lanes_word *errors)
{
    uint64_t sum = 0;
    for (uint32_t j = 0; j < count; j++) {
        const int32_t difference = (int32_t)*jrg_lanes_number(z, j, lane) - target[j];
        const uint32_t size = (uint32_t)(difference < 0 ? -difference : difference);
        sum += size * size;
        errors[j][lane] = difference;
    }
    return sum > 0x7FFFFFFFu ? 0x7FFFFFFFu : (uint32_t)sum;
}

/* The errors of one lane, all 0 if its loss is too small to teach anything (A11.8): then no weight of the lane moves.
 * outputs: of the network. False for such a lane. */
static bool jrg_lanes_error(const jrg_lanes_work *work, jrg_lanes_pair *outputs, uint32_t lane, const int16_t *target,
                            jrg_lanes_word *errors, jrg_lanes_figures *figures)
{
    const uint32_t count = work->layers[work->layers_count - 1u].outputs;
    const uint32_t loss = work->is_classifier
                              ? jrg_lanes_classifier_error(outputs, count, lane, target[0], errors, figures)
                              : jrg_lanes_squared_error(outputs, count, lane, target, errors);
    figures->loss += loss;
    if (loss >= work->loss_threshold) {
        return true;
    }
    for (uint32_t j = 0; j < count; j++) {
        errors[j][lane] = 0;
    }
    return false;
}

/* ---- backward (A5) ---- */

/* A5.1, A5.4: of each lane how its errors and factors are shifted; exponents become those of the scaled errors. Without
 * magnitude bits all errors are 0 or -1, and none is learned from: 32 to the right leaves 0 of both. */
static void jrg_lanes_find_shifts(const jrg_lanes_work *work, const jrg_lanes_layer *layer, const int32_t *magnitude,
                                  int32_t *restrict exponents, jrg_lanes_shifts *restrict shifts)
{
    const int32_t rest =
        work->rate_exponent + layer->input_exponent - layer->weight_exponent - (int32_t)layer->input_width - 1;
    for (uint32_t p = 0; p < JRG_LANES; p++) {
        const int32_t found = jrg_nn_error_shift((uint32_t)magnitude[p] | 1u, layer->error_width);
        const int32_t shift = magnitude[p] != 0 ? found : 32;
        exponents[p] -= magnitude[p] != 0 ? found : 0;
        const int32_t factor_shift = jrg_nn_clamp(rest + exponents[p], 0, JRG_NN_FACTOR_SHIFT_MAX);
        const int32_t whole = jrg_nn_clamp(factor_shift, 0, (int32_t)JRG_NN_FACTOR_SHIFT_WHOLE);
        shifts->right[p] = shift > 0 ? shift - 1 : 0;
        shifts->left[p] = shift > 0 ? 0 : 1 - shift;
        shifts->mantissa[p] = work->rate_mantissa >> (factor_shift - whole);
        shifts->factor[p] = whole;
        shifts->dither[p] = 31 - whole;
    }
}

/* memory->errors: of the output; its exponents in each lane are those of A4. step_keys: of the dither (A8.5). */
static void jrg_lanes_backward(const jrg_lanes_work *work, const jrg_lanes_memory *memory, jrg_lanes_pair *weights_end,
                               jrg_lanes_word *biases_end, const jrg_lanes_pair *outputs, const uint32_t *step_keys)
{
    _Alignas(64) jrg_lanes_word exponents;
    _Alignas(64) jrg_lanes_word magnitude;
    _Alignas(64) jrg_lanes_shifts shifts;
    const jrg_lanes_pair *x = outputs;
    jrg_lanes_word *errors = memory->errors;
    jrg_lanes_word *below = memory->below;
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        exponents[l] = work->output_exponent;
    }
    for (uint32_t k = work->layers_count; k-- > 0u;) {
        const jrg_lanes_layer *layer = &work->layers[k];
        const bool rectified = layer->relu && k + 1u < work->layers_count; /* that of the output is none (A4) */
        jrg_lanes_magnitude(errors, layer->outputs, rectified ? x : NULL, magnitude);
        jrg_lanes_find_shifts(work, layer, magnitude, exponents, &shifts);
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            shifts.key[l] = (int32_t)jrg_nn_dither_layer(step_keys[l], k);
        }
        x -= jrg_lanes_pairs(layer->inputs);
        weights_end -= jrg_lanes_pairs(layer->inputs) * layer->outputs;
        biases_end -= layer->outputs;
        jrg_lanes_scale(layer, &shifts, errors, memory->factors, biases_end);
        if (k == 0u) { /* no error goes further down */
            jrg_lanes_step_first(layer, memory->factors, x, shifts.key, weights_end);
            return;
        }
        jrg_lanes_step_rows(layer, errors, memory->factors, x, shifts.key, weights_end, below);
        jrg_lanes_word *const used = errors;
        errors = below;
        below = used;
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            exponents[l] += layer->weight_exponent;
        }
    }
}

/* ---- client tasks ---- */

static int16_t jrg_lanes_half_at(const uint8_t *place)
{
    int16_t half;
    memcpy(&half, place, sizeof half);
    return half;
}

static int32_t jrg_lanes_word_at(const uint8_t *place)
{
    int32_t word;
    memcpy(&word, place, sizeof word);
    return word;
}

/* A row of weights of a blob in every lane. */
static void jrg_lanes_load_row(const uint8_t *row, uint32_t inputs, jrg_lanes_pair *w)
{
    for (uint32_t i = 0; i < inputs; i += 2u) {
        const int16_t first = jrg_lanes_half_at(row + 2u * i);
        const int16_t second = i + 1u < inputs ? jrg_lanes_half_at(row + 2u * i + 2u) : 0;
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            w[i / 2u][jrg_lanes_place(i, l)] = first;
            w[i / 2u][jrg_lanes_place(i + 1u, l)] = second;
        }
    }
}

/* The weights of a blob in every lane. */
static void jrg_lanes_load(const jrg_lanes_work *work, const uint8_t *blob, jrg_lanes_pair *w, jrg_lanes_word *bias)
{
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        for (uint32_t j = 0; j < layer->outputs; j++, bias++, w += jrg_lanes_pairs(layer->inputs)) {
            const int32_t word = jrg_lanes_word_at(blob + layer->biases_offset + 4u * j);
            for (uint32_t l = 0; l < JRG_LANES; l++) {
                (*bias)[l] = word;
            }
            jrg_lanes_load_row(blob + layer->weights_offset + j * layer->row_bytes, layer->inputs, w);
        }
    }
}

/* A sample of each lane's device; lanes beyond `used` take the first one's. weights, biases: of the group. step: counts the
 * samples of all passes. */
static void jrg_lanes_learn(const jrg_lanes_work *work, const jrg_lanes_memory *memory, jrg_lanes_pair *weights,
                            jrg_lanes_word *biases, const jrg_lanes_samples *support, uint32_t first, uint32_t used,
                            uint32_t step, jrg_lanes_figures *figures)
{
    const uint32_t sample = step % support->samples;
    uint32_t step_keys[JRG_LANES];
    const jrg_lanes_layer *top = &work->layers[work->layers_count - 1u];
    const uint32_t inputs = work->layers[0].inputs;
    const uint32_t width = work->layers[0].input_width;
    const uint32_t targets = work->is_classifier ? 1u : top->outputs;
    jrg_lanes_pair *outputs = memory->values;
    bool learns = false; /* any lane */
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        const size_t at = (size_t)(first + (l < used ? l : 0u)) * support->samples + sample;
        step_keys[l] = jrg_nn_dither_step(support->seeds[first + (l < used ? l : 0u)], step);
        for (uint32_t i = 0; i < inputs; i++) {
            *jrg_lanes_number(outputs, i, l) = (int16_t)jrg_nn_sats(support->inputs[at * inputs + i], width);
        }
    }
    jrg_lanes_forward(work, weights, biases, memory);
    for (uint32_t k = 0; k < work->layers_count; k++) {
        outputs += jrg_lanes_pairs(work->layers[k].inputs);
        weights += jrg_lanes_pairs(work->layers[k].inputs) * work->layers[k].outputs;
        biases += work->layers[k].outputs;
    }
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        jrg_lanes_figures unused = {0};
        jrg_lanes_figures *own = l < used ? &figures[l] : &unused;
        const int16_t *target =
            support->targets + ((size_t)(first + (l < used ? l : 0u)) * support->samples + sample) * targets;
        learns |= jrg_lanes_error(work, outputs, l, target, memory->errors, own);
    }
    if (learns) {
        jrg_lanes_backward(work, memory, weights, biases, outputs, step_keys);
    }
}

/* ---- what was learned ---- */

/* Some weights of a row, one after the other: what they were, what one unit of them stands for, and what each lane made of
 * them. Lanes are turned while they are near, so that a lane's weights come to stand side by side. */
typedef struct {
    double unit;
    uint32_t count;
    int32_t was[JRG_LANES_BLOCK];
    _Alignas(64) int16_t own[JRG_LANES][JRG_LANES_BLOCK];
} jrg_lanes_block;

static void jrg_lanes_find_block(const uint8_t *row, const jrg_lanes_pair *w, uint32_t count, jrg_lanes_block *block)
{
    block->count = count;
    for (uint32_t n = 0; n < JRG_LANES_BLOCK; n++) {
        block->was[n] = n < count ? jrg_lanes_half_at(row + 2u * n) : 0;
    }
    jrg_lanes_turn(w, jrg_lanes_pairs(count), block->own);
}

/* What is done with such weights of a group; `place`: of the first one in a vector. */
typedef struct {
    uint32_t used;       /* lanes of the group */
    uint32_t parameters; /* of a vector */
    const double *start; /* what is added to each term of a sum, or NULL: no sum is wanted */
    double *result;      /* a vector for each lane, or the sum */
} jrg_lanes_reader;

static void jrg_lanes_read_block(const jrg_lanes_reader *reader, const jrg_lanes_block *block, uint32_t place)
{
    for (uint32_t l = 0; l < reader->used; l++) {
        double *moved = reader->result + (size_t)l * reader->parameters + place;
        for (uint32_t n = 0; n < block->count; n++) {
            moved[n] = (double)(block->own[l][n] - block->was[n]) * block->unit;
        }
    }
}

/* Eight numbers; vectors are those of GCC and Clang, for any processor. */
typedef int32_t jrg_lanes_words_8 __attribute__((vector_size(32)));
typedef double jrg_lanes_reals_8 __attribute__((vector_size(64)));

/* One instruction where there is one: a compiler may make several of it. */
#if JRG_LANES_VECTORS && defined(__AVX512F__)
#define JRG_LANES_REALS(words) ((jrg_lanes_reals_8)_mm512_cvtepi32_pd((__m256i)(words)))
#else
#define JRG_LANES_REALS(words) __builtin_convertvector(words, jrg_lanes_reals_8)
#endif

/* All numbers of a full block, in the order of lanes, as a sum over the rows of a matrix has it. */
static void jrg_lanes_add_full(const jrg_lanes_reader *reader, const jrg_lanes_block *block, uint32_t place)
{
    jrg_lanes_words_8 was[2];
    jrg_lanes_reals_8 sum[2];
    jrg_lanes_reals_8 start[2];
    memcpy(was, block->was, sizeof was);
    memcpy(sum, reader->result + place, sizeof sum);
    memcpy(start, reader->start + place, sizeof start);
    for (uint32_t l = 0; l < reader->used; l++) {
        int32_t own[JRG_LANES_BLOCK];
        for (uint32_t n = 0; n < JRG_LANES_BLOCK; n++) {
            own[n] = block->own[l][n];
        }
        for (uint32_t half = 0; half < 2u; half++) {
            jrg_lanes_words_8 words;
            memcpy(&words, own + 8u * half, sizeof words);
            const jrg_lanes_reals_8 moved = JRG_LANES_REALS(words - was[half]) * block->unit; /* exact */
            sum[half] += moved + start[half];
        }
    }
    memcpy(reader->result + place, sum, sizeof sum);
}

static void jrg_lanes_add_block(const jrg_lanes_reader *reader, const jrg_lanes_block *block, uint32_t place)
{
    if (block->count == JRG_LANES_BLOCK) {
        jrg_lanes_add_full(reader, block, place);
        return;
    }
    for (uint32_t n = 0; n < block->count; n++) {
        double sum = reader->result[place + n];
        for (uint32_t l = 0; l < reader->used; l++) {
            sum += (double)(block->own[l][n] - block->was[n]) * block->unit + reader->start[place + n];
        }
        reader->result[place + n] = sum;
    }
}

static void jrg_lanes_read_bias(const jrg_lanes_reader *reader, const int32_t *bias, int32_t was, double unit,
                                uint32_t place)
{
    for (uint32_t l = 0; l < reader->used; l++) {
        reader->result[(size_t)l * reader->parameters + place] = (double)((int64_t)bias[l] - was) * unit;
    }
}

static void jrg_lanes_add_bias(const jrg_lanes_reader *reader, const int32_t *bias, int32_t was, double unit,
                               uint32_t place)
{
    double sum = reader->result[place];
    for (uint32_t l = 0; l < reader->used; l++) {
        sum += (double)((int64_t)bias[l] - was) * unit + reader->start[place];
    }
    reader->result[place] = sum;
}

/* The weights of a layer, row by row. */
static void jrg_lanes_take_weights(const jrg_lanes_layer *layer, const uint8_t *blob, const double *units,
                                   const jrg_lanes_pair *w, const jrg_lanes_reader *reader, uint32_t place)
{
    jrg_lanes_block block;
    for (uint32_t j = 0; j < layer->outputs; j++, w += jrg_lanes_pairs(layer->inputs)) {
        const uint8_t *row = blob + layer->weights_offset + j * layer->row_bytes;
        block.unit = units[j];
        for (uint32_t i = 0; i < layer->inputs; i += JRG_LANES_BLOCK, place += block.count) {
            const uint32_t left = layer->inputs - i;
            jrg_lanes_find_block(row + 2u * i, w + i / 2u, left < JRG_LANES_BLOCK ? left : JRG_LANES_BLOCK, &block);
            (reader->start ? jrg_lanes_add_block : jrg_lanes_read_block)(reader, &block, place);
        }
    }
}

/* What the devices of a group learned, in real numbers: per layer the weights row by row, then the biases. */
static void jrg_lanes_take(const jrg_lanes_work *work, const uint8_t *blob, const jrg_lanes_pair *w,
                           const jrg_lanes_word *bias, const jrg_lanes_reader *reader)
{
    const double *units = work->units;
    uint32_t place = 0;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        jrg_lanes_take_weights(layer, blob, units, w, reader, place);
        place += layer->inputs * layer->outputs;
        for (uint32_t j = 0; j < layer->outputs; j++, place++) {
            const int32_t was = jrg_lanes_word_at(blob + layer->biases_offset + 4u * j);
            (reader->start ? jrg_lanes_add_bias : jrg_lanes_read_bias)(reader, bias[j], was, units[layer->outputs + j],
                                                                       place);
        }
        units += 2u * layer->outputs;
        w += jrg_lanes_pairs(layer->inputs) * layer->outputs;
        bias += layer->outputs;
    }
}

static uint32_t jrg_lanes_used(uint32_t clients, uint32_t first)
{
    return clients - first < JRG_LANES ? clients - first : JRG_LANES;
}

/* The group that begins with client `first`. */
static void jrg_lanes_take_group(const jrg_lanes_work *work, const void *start, const jrg_lanes_devices *devices,
                                 uint32_t first, const jrg_lanes_reader *reader)
{
    const size_t group = first / JRG_LANES;
    jrg_lanes_take(work, start, devices->weights + group * devices->weights_count,
                   devices->biases + group * devices->biases_count, reader);
}

/* A vector for each client, one after the other. */
void jrg_lanes_read(const jrg_lanes_work *work, const void *start, const jrg_lanes_devices *devices, uint32_t clients,
                    uint32_t parameters, double *learned)
{
    for (uint32_t first = 0; first < clients; first += JRG_LANES) {
        double *own = learned + (size_t)first * parameters;
        const jrg_lanes_reader reader = {jrg_lanes_used(clients, first), parameters, NULL, own};
        jrg_lanes_take_group(work, start, devices, first, &reader);
    }
}

/* The sum over all clients of `vector` and what each learned: each term is rounded, and added in the clients' order. */
void jrg_lanes_sum(const jrg_lanes_work *work, const void *start, const jrg_lanes_devices *devices, uint32_t clients,
                   uint32_t parameters, const double *vector, double *sum)
{
    for (uint32_t n = 0; n < parameters; n++) {
        sum[n] = 0;
    }
    for (uint32_t first = 0; first < clients; first += JRG_LANES) {
        const jrg_lanes_reader reader = {jrg_lanes_used(clients, first), parameters, vector, sum};
        jrg_lanes_take_group(work, start, devices, first, &reader);
    }
}

/* ---- how far devices came ---- */

/* Each lane's row of weights: the square of what it moved by, added to `squares`. In units the sum is exact, at most
 * 256 (2^16 - 1)^2 < 2^53, so it has one result whichever way a compiler adds. */
static void jrg_lanes_square_row(const uint8_t *row, const jrg_lanes_pair *w, uint32_t inputs, double unit,
                                 double *squares)
{
    double sum[JRG_LANES] = {0};
    for (uint32_t i = 0; i < inputs; i++) {
        const int32_t was = jrg_lanes_half_at(row + 2u * i);
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const double moved = (double)(w[i / 2u][jrg_lanes_place(i, l)] - was);
            sum[l] += moved * moved;
        }
    }
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        squares[l] += sum[l] * (unit * unit);
    }
}

/* The same of a bias. */
static void jrg_lanes_square_bias(const int32_t *bias, int32_t was, double unit, double *squares)
{
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        const double moved = (double)((int64_t)bias[l] - was) * unit;
        squares[l] += moved * moved;
    }
}

/* All layers of a group. squares: of each lane. */
static void jrg_lanes_square_group(const jrg_lanes_work *work, const uint8_t *blob, const jrg_lanes_pair *w,
                                   const jrg_lanes_word *bias, double *squares)
{
    const double *units = work->units;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        for (uint32_t j = 0; j < layer->outputs; j++, bias++, w += jrg_lanes_pairs(layer->inputs)) {
            const int32_t was = jrg_lanes_word_at(blob + layer->biases_offset + 4u * j);
            jrg_lanes_square_row(blob + layer->weights_offset + j * layer->row_bytes, w, layer->inputs, units[j],
                                 squares);
            jrg_lanes_square_bias(*bias, was, units[layer->outputs + j], squares);
        }
        units += 2u * layer->outputs;
    }
}

/* The squared length of what each client learned, one number a client. Rows, each with its bias, are added in their order. */
void jrg_lanes_squares(const jrg_lanes_work *work, const void *start, const jrg_lanes_devices *devices,
                       uint32_t clients, double *squares)
{
    for (uint32_t first = 0; first < clients; first += JRG_LANES) {
        const size_t group = first / JRG_LANES;
        double own[JRG_LANES] = {0};
        jrg_lanes_square_group(work, start, devices->weights + group * devices->weights_count,
                               devices->biases + group * devices->biases_count, own);
        memcpy(squares + first, own, jrg_lanes_used(clients, first) * sizeof own[0]);
    }
}

/* ---- samples ---- */

/* A2.2 of real numbers: to the nearest, and in reach of a width with this limit. False if one of them is larger than `most`,
 * or no number. */
bool jrg_lanes_quantise(const float *numbers, size_t count, double scale, double limit, double most, int16_t *integers)
{
    uint32_t bad = 0;
    for (size_t n = 0; n < count; n++) {
        const double rounded = floor((double)numbers[n] * scale + 0.5);
        const double above = rounded > -limit ? rounded : -limit;
        integers[n] = (int16_t)(int32_t)(above < limit - 1 ? above : limit - 1);
        bad |= fabs((double)numbers[n]) <= most ? 0u : 1u;
    }
    return bad == 0u;
}

/* ---- training ---- */

/* All that the threads of a call share. */
typedef struct {
    const jrg_lanes_work *work;
    const void *start;
    const jrg_lanes_samples *support;
    const jrg_lanes_devices *devices;
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
    const uint32_t used = jrg_lanes_used(support->clients, first);
    jrg_lanes_pair *weights = job->devices->weights + (size_t)(first / JRG_LANES) * job->devices->weights_count;
    jrg_lanes_word *biases = job->devices->biases + (size_t)(first / JRG_LANES) * job->devices->biases_count;
    jrg_lanes_load(job->work, job->start, weights, biases);
    for (uint32_t step = 0; step < job->work->passes * support->samples; step++) {
        jrg_lanes_learn(job->work, memory, weights, biases, support, first, used, step, &job->figures[first]);
    }
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

/* Trains every client from `start`, a step a sample; its weights are left in `devices`. memories: one for each of `threads`,
 * 1 to JRG_LANES_MOST_THREADS. A thread that cannot be started is done without. */
void jrg_lanes_train(const jrg_lanes_work *work, const jrg_lanes_memory *memories, uint32_t threads, const void *start,
                     const jrg_lanes_samples *support, const jrg_lanes_devices *devices, jrg_lanes_figures *figures)
{
    jrg_lanes_job job = {work, start, support, devices, figures, 0};
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
