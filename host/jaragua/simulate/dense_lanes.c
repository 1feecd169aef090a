/* Many virtual devices in step: each training step of dense int16 layers is done for JRG_LANES devices at once.
 *
 * The same integers as jrg_nn_dense_*.h (A3 to A5; tests compare every bit), laid out so that the same weight of all
 * devices stands side by side and a compiler makes vector instructions of every inner loop; the two that matter most are
 * written with those of AVX-512, where it is there. A network is a table, so one library serves all. All memory is the caller's:
 * threads share nothing. Layers have at most 256 inputs and outputs, so
 * sums fit 32 bits (A3.4, A5.5).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512BW__) && !defined(JRG_LANES_PORTABLE)
#include <immintrin.h>
#define JRG_LANES_AVX512 1
#else
#define JRG_LANES_AVX512 0
#endif

#include "jrg_model.h"        // jrg_nn_result
#include "jrg_nn_arith.h"     // jrg_nn_rshift
#include "jrg_nn_layer.h"     // jrg_nn_row_error
#include "jrg_nn_live_rows.h" // jrg_nn_error_shift
#include "jrg_nn_softmax.h"   // jrg_nn_softmax_error

#define JRG_LANES 32u
#define JRG_LANES_MOST_OUTPUTS 256u

typedef int16_t jrg_lanes_half[JRG_LANES];
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

/* A rounded shift (A1.1) of each lane, by what differs from lane to lane: 0 or more to the right, or to the left. */
typedef struct {
    jrg_lanes_word right, before, one, left, keep;
} jrg_lanes_shift;

static void jrg_lanes_set_shift(jrg_lanes_shift *shift, uint32_t lane, int32_t by, bool keep)
{
    shift->right[lane] = by > 0 ? by : 0;
    shift->before[lane] = by > 0 ? by - 1 : 0;
    shift->one[lane] = by > 0 ? 1 : 0;
    shift->left[lane] = by < 0 ? -by : 0;
    shift->keep[lane] = keep ? -1 : 0;
}

static inline int32_t jrg_lanes_shifted(const jrg_lanes_shift *shift, uint32_t lane, int32_t v)
{
    const int32_t rounded = (v >> shift->right[lane]) + ((v >> shift->before[lane]) & shift->one[lane]);
    return (int32_t)((uint32_t)rounded << shift->left[lane]) & shift->keep[lane];
}

/* ---- the inner loops ---- */

/* A5.6 of one weight in all lanes. */
static inline void jrg_lanes_step_weight(uint32_t width, const int16_t *restrict factor, const int16_t *restrict x,
                                         int16_t *restrict w)
{
    const int32_t half = (int32_t)(1u << width);
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        const int32_t step = ((int32_t)factor[l] * x[l] + half) >> (width + 1u);
        w[l] = (int16_t)jrg_nn_clamp((int32_t)w[l] - step, -32768, 32767);
    }
}

#if JRG_LANES_AVX512

/* Neighbours interleaved lane by lane, as VPMADDWD multiplies them: of tensors 2p and 2p + 1 the places pairs[2p] and
 * pairs[2p + 1]. Behind an odd count stands a zero. */
static void jrg_lanes_interleave(const jrg_lanes_half *x, uint32_t count, jrg_lanes_half *pairs)
{
    for (uint32_t i = 0; i < count; i += 2u) {
        const __m512i a = _mm512_load_si512(x[i]);
        const __m512i b = i + 1u < count ? _mm512_load_si512(x[i + 1u]) : _mm512_setzero_si512();
        _mm512_store_si512(pairs[i], _mm512_unpacklo_epi16(a, b));
        _mm512_store_si512(pairs[i + 1u], _mm512_unpackhi_epi16(a, b));
    }
}

/* Sums of the lower and the upper halves of each 128 bits, as interleaving leaves them, in the order of the lanes. */
static inline void jrg_lanes_in_order(__m512i low, __m512i high, int32_t *sums)
{
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    _mm512_store_si512(sums, _mm512_permutex2var_epi32(low, first, high));
    _mm512_store_si512(sums + 16, _mm512_permutex2var_epi32(low, second, high));
}

/* sums = products of w and x, added up; pairs: of x. */
static void jrg_lanes_dot(const jrg_lanes_half *w, const jrg_lanes_half *x, const jrg_lanes_half *pairs, uint32_t count,
                          int32_t *sums)
{
    __m512i low = _mm512_setzero_si512();
    __m512i high = low;
    (void)x;
    for (uint32_t i = 0; i < count; i += 2u) {
        const __m512i a = _mm512_load_si512(w[i]);
        const __m512i b = i + 1u < count ? _mm512_load_si512(w[i + 1u]) : _mm512_setzero_si512();
        low = _mm512_add_epi32(low, _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), _mm512_load_si512(pairs[i])));
        high = _mm512_add_epi32(high, _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), _mm512_load_si512(pairs[i + 1u])));
    }
    jrg_lanes_in_order(low, high, sums);
}

/* A5.6: (d x + 2^width) >> (width + 1) is VPMULHRSW of d and x 2^(14 - width), for a width of at most 14. */
static inline __m512i jrg_lanes_stepped(__m512i w, __m512i factor, __m512i x_scaled)
{
    return _mm512_subs_epi16(w, _mm512_mulhrs_epi16(factor, x_scaled));
}

/* A5.7 and A5.6 of rows j and j + 1 (`two`: there is a second); pairs: of their errors. Sums are in the order in which
 * interleaving leaves them. */
static void jrg_lanes_step_rows(const jrg_lanes_layer *layer, bool two, const jrg_lanes_half *pairs,
                                const jrg_lanes_half *factors, const jrg_lanes_half *x, jrg_lanes_half *w,
                                jrg_lanes_word *below)
{
    const __m512i low_error = _mm512_load_si512(pairs[0]);
    const __m512i high_error = _mm512_load_si512(pairs[1]);
    const __m512i first_factor = _mm512_load_si512(factors[0]);
    const __m512i second_factor = two ? _mm512_load_si512(factors[1]) : _mm512_setzero_si512();
    const __m128i up = _mm_cvtsi32_si128(14 - (int32_t)layer->input_width);
    jrg_lanes_half *next = w + layer->inputs;
    for (uint32_t i = 0; i < layer->inputs; i++) {
        const __m512i a = _mm512_load_si512(w[i]);
        const __m512i b = two ? _mm512_load_si512(next[i]) : _mm512_setzero_si512();
        const __m512i scaled = _mm512_sll_epi16(_mm512_load_si512(x[i]), up);
        const __m512i low = _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), low_error);
        const __m512i high = _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), high_error);
        _mm512_store_si512(below[i], _mm512_add_epi32(_mm512_load_si512(below[i]), low));
        _mm512_store_si512(below[i] + 16, _mm512_add_epi32(_mm512_load_si512(below[i] + 16), high));
        _mm512_store_si512(w[i], jrg_lanes_stepped(a, first_factor, scaled));
        if (two) {
            _mm512_store_si512(next[i], jrg_lanes_stepped(b, second_factor, scaled));
        }
    }
}

/* A5.6 of one row of weights. */
static void jrg_lanes_step_row(const jrg_lanes_layer *layer, const int16_t *factor, const jrg_lanes_half *x,
                               jrg_lanes_half *w)
{
    const __m512i factors = _mm512_load_si512(factor);
    const __m128i up = _mm_cvtsi32_si128(14 - (int32_t)layer->input_width);
    for (uint32_t i = 0; layer->input_width > 14u && i < layer->inputs; i++) {
        jrg_lanes_step_weight(layer->input_width, factor, x[i], w[i]);
    }
    for (uint32_t i = 0; layer->input_width <= 14u && i < layer->inputs; i++) {
        const __m512i scaled = _mm512_sll_epi16(_mm512_load_si512(x[i]), up);
        _mm512_store_si512(w[i], jrg_lanes_stepped(_mm512_load_si512(w[i]), factors, scaled));
    }
}

static void jrg_lanes_sums_in_order(jrg_lanes_word *sums, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        jrg_lanes_in_order(_mm512_load_si512(sums[i]), _mm512_load_si512(sums[i] + 16), sums[i]);
    }
}

#else

static void jrg_lanes_interleave(const jrg_lanes_half *x, uint32_t count, jrg_lanes_half *pairs)
{
    memcpy(pairs, x, count * sizeof *x);
}

static void jrg_lanes_dot(const jrg_lanes_half *w, const jrg_lanes_half *x, const jrg_lanes_half *pairs, uint32_t count,
                          int32_t *sums)
{
    (void)pairs;
    memset(sums, 0, sizeof(jrg_lanes_word));
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            sums[l] += (int32_t)w[i][l] * x[i][l];
        }
    }
}

static void jrg_lanes_step_rows(const jrg_lanes_layer *layer, bool two, const jrg_lanes_half *pairs,
                                const jrg_lanes_half *factors, const jrg_lanes_half *x, jrg_lanes_half *w,
                                jrg_lanes_word *below)
{
    for (uint32_t row = 0; row < (two ? 2u : 1u); row++) {
        for (uint32_t i = 0; i < layer->inputs; i++, w++) {
            for (uint32_t l = 0; l < JRG_LANES; l++) {
                below[i][l] += (int32_t)(*w)[l] * pairs[row][l];
            }
            jrg_lanes_step_weight(layer->input_width, factors[row], x[i], *w);
        }
    }
}

static void jrg_lanes_step_row(const jrg_lanes_layer *layer, const int16_t *factor, const jrg_lanes_half *x,
                               jrg_lanes_half *w)
{
    for (uint32_t i = 0; i < layer->inputs; i++) {
        jrg_lanes_step_weight(layer->input_width, factor, x[i], w[i]);
    }
}

static void jrg_lanes_sums_in_order(jrg_lanes_word *sums, uint32_t count)
{
    (void)sums;
    (void)count;
}

#endif

/* ---- forward (A3) ---- */

static void jrg_lanes_activate(const jrg_lanes_layer *layer, const int32_t *restrict sum, const int32_t *restrict bias,
                               int16_t *restrict y)
{
    const int32_t limit = (int32_t)(1u << layer->output_width);
    const int32_t least = layer->relu ? 0 : -limit;
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        const int32_t v = jrg_nn_rshift(sum[l] + bias[l], (uint32_t)layer->forward_shift);
        y[l] = (int16_t)jrg_nn_clamp(v, least, limit - 1);
    }
}

static void jrg_lanes_forward(const jrg_lanes_work *work, const jrg_lanes_memory *memory)
{
    _Alignas(64) jrg_lanes_word sum;
    const jrg_lanes_half *w = memory->weights;
    const jrg_lanes_word *bias = memory->biases;
    jrg_lanes_half *x = memory->values;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        jrg_lanes_half *y = x + layer->inputs;
        jrg_lanes_interleave(x, layer->inputs, memory->pairs);
        for (uint32_t j = 0; j < layer->outputs; j++, w += layer->inputs, bias++) {
            jrg_lanes_dot(w, x, memory->pairs, layer->inputs, sum);
            jrg_lanes_activate(layer, sum, *bias, y[j]);
        }
        x = y;
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
        errors[j][lane] = 0;
    }
    const jrg_nn_error error = jrg_nn_softmax_error(logits, count, label, list, &result);
    for (uint32_t n = 0; n < error.count; n++) {
        errors[list[n].row][lane] = list[n].value;
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
        errors[j][lane] = difference;
    }
    figures->loss += sum > 0x7FFFFFFFu ? 0x7FFFFFFFu : sum;
}

/* ---- backward (A5) ---- */

/* A5.1, A5.4: scaled errors and factors of a layer's rows; exponents become those of the scaled errors. */
static void jrg_lanes_scale(const jrg_lanes_work *work, const jrg_lanes_layer *layer, const jrg_lanes_memory *memory,
                            int32_t *exponents)
{
    jrg_lanes_word magnitude = {0};
    jrg_lanes_shift by;
    jrg_lanes_shift factor_by;
    const int32_t limit = (int32_t)(1u << layer->error_width);
    for (uint32_t j = 0; j < layer->outputs; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            magnitude[l] |= memory->errors[j][l] ^ (memory->errors[j][l] >> 31);
        }
    }
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        const bool learns = magnitude[l] != 0;
        const int32_t shift = learns ? jrg_nn_error_shift((uint32_t)magnitude[l], layer->error_width) : 0;
        exponents[l] -= shift;
        const int32_t wanted = work->rate_exponent + exponents[l] + layer->input_exponent - layer->weight_exponent -
                               (int32_t)layer->input_width - 1;
        const int32_t factor_shift = jrg_nn_clamp(wanted, 0, 31);
        jrg_lanes_set_shift(&by, l, shift, learns);
        jrg_lanes_set_shift(&factor_by, l, factor_shift, factor_shift < 31);
    }
    for (uint32_t j = 0; j < layer->outputs; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const int32_t e = jrg_nn_clamp(jrg_lanes_shifted(&by, l, memory->errors[j][l]), -limit, limit - 1);
            const int32_t d = jrg_lanes_shifted(&factor_by, l, e * work->rate_mantissa);
            memory->scaled[j][l] = (int16_t)e;
            memory->factors[j][l] = (int16_t)jrg_nn_clamp(d, -32768, 32767);
        }
    }
}

/* A5.6 of the biases. */
static void jrg_lanes_step_biases(const jrg_lanes_layer *layer, const jrg_lanes_half *factors, jrg_lanes_word *biases)
{
    const int32_t limit = 1 << 30;
    for (uint32_t j = 0; j < layer->outputs; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const int32_t step = layer->bias_shift >= 0 ? (int32_t)((uint32_t)factors[j][l] << layer->bias_shift)
                                                        : jrg_nn_rshift(factors[j][l], (uint32_t)-layer->bias_shift);
            biases[j][l] = jrg_nn_clamp(biases[j][l] - step, -limit, limit - 1);
        }
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
    memset(below, 0, layer->inputs * sizeof *below);
    jrg_lanes_interleave(memory->scaled, layer->outputs, memory->pairs);
    for (uint32_t j = 0; j < layer->outputs; j += 2u) {
        const bool two = j + 1u < layer->outputs;
        jrg_lanes_step_rows(layer, two, memory->pairs + j, memory->factors + j, x, w + j * layer->inputs, below);
    }
    jrg_lanes_sums_in_order(below, layer->inputs);
}

/* No error passes where a ReLU was shut (A5.7). */
static void jrg_lanes_mask(const jrg_lanes_layer *layer, const jrg_lanes_half *x, jrg_lanes_word *errors)
{
    for (uint32_t i = 0; i < layer->inputs; i++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            errors[i][l] = x[i][l] == 0 ? 0 : errors[i][l];
        }
    }
}

/* memory->errors: of the output; its exponents in each lane are those of A4. */
static void jrg_lanes_backward(const jrg_lanes_work *work, const jrg_lanes_memory *memory, jrg_lanes_half *weights_end,
                               jrg_lanes_word *biases_end, const jrg_lanes_half *outputs)
{
    int32_t exponents[JRG_LANES];
    const jrg_lanes_half *x = outputs;
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        exponents[l] = work->output_exponent;
    }
    for (uint32_t k = work->layers_count; k-- > 0u;) {
        const jrg_lanes_layer *layer = &work->layers[k];
        x -= layer->inputs;
        weights_end -= layer->inputs * layer->outputs;
        biases_end -= layer->outputs;
        jrg_lanes_scale(work, layer, memory, exponents);
        jrg_lanes_step_biases(layer, memory->factors, biases_end);
        if (k == 0u) {
            jrg_lanes_step_first(layer, memory->factors, x, weights_end);
            return;
        }
        jrg_lanes_step_weights(layer, memory, x, weights_end, memory->errors);
        if (work->layers[k - 1u].relu) {
            jrg_lanes_mask(layer, x, memory->errors);
        }
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

/* What a lane's device learned, in real numbers: per layer the weights row by row, then the biases. */
static void jrg_lanes_read(const jrg_lanes_work *work, const jrg_lanes_memory *memory, const uint8_t *blob, uint32_t lane,
                           double *learned)
{
    const jrg_lanes_half *w = memory->weights;
    const jrg_lanes_word *bias = memory->biases;
    const double *unit = work->units;
    for (uint32_t k = 0; k < work->layers_count; k++) {
        const jrg_lanes_layer *layer = &work->layers[k];
        for (uint32_t j = 0; j < layer->outputs; j++, unit++) {
            for (uint32_t i = 0; i < layer->inputs; i++, w++) {
                int16_t was;
                memcpy(&was, blob + layer->weights_offset + j * layer->row_bytes + 2u * i, sizeof was);
                *learned++ = (double)((*w)[lane] - was) * *unit;
            }
        }
        for (uint32_t j = 0; j < layer->outputs; j++, unit++, bias++) {
            int32_t was;
            memcpy(&was, blob + layer->biases_offset + 4u * j, sizeof was);
            *learned++ = (double)((int64_t)(*bias)[lane] - was) * *unit;
        }
    }
}

/* Trains every client from `start`, a step a sample; what it learned goes to `learned`, a vector after the other. */
void jrg_lanes_train(const jrg_lanes_work *work, const jrg_lanes_memory *memory, const void *start,
                     const jrg_lanes_samples *support, double *learned, uint32_t parameters, jrg_lanes_figures *figures)
{
    for (uint32_t first = 0; first < support->clients; first += JRG_LANES) {
        const uint32_t left = support->clients - first;
        const uint32_t used = left < JRG_LANES ? left : JRG_LANES;
        jrg_lanes_load(work, start, memory);
        for (uint32_t step = 0; step < work->passes * support->samples; step++) {
            jrg_lanes_learn(work, memory, support, first, used, step % support->samples, &figures[first]);
        }
        for (uint32_t l = 0; l < used; l++) {
            jrg_lanes_read(work, memory, start, l, learned + (size_t)(first + l) * parameters);
        }
    }
}
