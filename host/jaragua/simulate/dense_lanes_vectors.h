/* The inner loops of dense_lanes.c with AVX2, and what of AVX-512 is there for vectors of that length: one vector holds a
 * number of 16 bits of all lanes, two hold one of 32 bits. Twice as long ones are slower: the weights of a network like
 * that of the sines then are more than the nearest cache holds.
 *
 * Two tensors interleaved are two vectors, of the lower and of the upper half of each 128 bits; sums of their products
 * (VPMADDWD), like all numbers of 32 bits here, keep the order of lanes that follows from it, and packing turns it back.
 */
#ifndef JRG_LANES_VECTORS_H
#define JRG_LANES_VECTORS_H

typedef __m256i jrg_lanes_vector;
#define JRG_LANES_OP(name) _mm256_##name
#define JRG_LANES_ALL(name) _mm256_##name##_si256

/* A number of 32 bits in each lane. */
typedef struct {
    jrg_lanes_vector low, high;
} jrg_lanes_words;

static inline uint32_t jrg_lanes_place(uint32_t lane)
{
    return (lane & 4u ? JRG_LANES / 2u : 0u) + lane / 8u * 4u + lane % 4u;
}

static inline jrg_lanes_vector jrg_lanes_get(const int16_t *place)
{
    return JRG_LANES_ALL(load)((const void *)place);
}

static inline void jrg_lanes_put(int16_t *place, jrg_lanes_vector v)
{
    JRG_LANES_ALL(store)((void *)place, v);
}

static inline jrg_lanes_words jrg_lanes_get_words(const int32_t *place)
{
    return (jrg_lanes_words){JRG_LANES_ALL(load)((const void *)place),
                             JRG_LANES_ALL(load)((const void *)(place + JRG_LANES / 2u))};
}

static inline void jrg_lanes_put_words(int32_t *place, jrg_lanes_words v)
{
    JRG_LANES_ALL(store)((void *)place, v.low);
    JRG_LANES_ALL(store)((void *)(place + JRG_LANES / 2u), v.high);
}

static inline jrg_lanes_words jrg_lanes_interleaved(jrg_lanes_vector a, jrg_lanes_vector b)
{
    return (jrg_lanes_words){JRG_LANES_OP(unpacklo_epi16)(a, b), JRG_LANES_OP(unpackhi_epi16)(a, b)};
}

/* All ones where a number of 16 bits is not 0. */
static inline jrg_lanes_vector jrg_lanes_is_set(jrg_lanes_vector v)
{
    return _mm256_xor_si256(_mm256_cmpeq_epi16(v, _mm256_setzero_si256()), _mm256_set1_epi16(-1));
}

/* sum + products of neighbours. */
static inline jrg_lanes_vector jrg_lanes_plus_products(jrg_lanes_vector sum, jrg_lanes_vector a, jrg_lanes_vector b)
{
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return JRG_LANES_OP(dpwssd_epi32)(sum, a, b);
#else
    return JRG_LANES_OP(add_epi32)(sum, JRG_LANES_OP(madd_epi16)(a, b));
#endif
}

static inline jrg_lanes_words jrg_lanes_plus_pairs(jrg_lanes_words sum, jrg_lanes_words a, jrg_lanes_words b)
{
    return (jrg_lanes_words){jrg_lanes_plus_products(sum.low, a.low, b.low),
                             jrg_lanes_plus_products(sum.high, a.high, b.high)};
}

static inline jrg_lanes_vector jrg_lanes_clamped(jrg_lanes_vector v, int32_t least, int32_t most)
{
    const jrg_lanes_vector up = JRG_LANES_OP(max_epi32)(v, JRG_LANES_OP(set1_epi32)(least));
    return JRG_LANES_OP(min_epi32)(up, JRG_LANES_OP(set1_epi32)(most));
}

/* A1.1 in all lanes. shift: 1..31. */
static inline jrg_lanes_vector jrg_lanes_rshift(jrg_lanes_vector v, uint32_t shift)
{
    const jrg_lanes_vector before = JRG_LANES_OP(sra_epi32)(v, _mm_cvtsi32_si128((int32_t)shift - 1));
    return JRG_LANES_OP(srai_epi32)(JRG_LANES_OP(add_epi32)(before, JRG_LANES_OP(set1_epi32)(1)), 1);
}

/* Tensors 2p and 2p + 1 interleaved stand at pairs[2p] and pairs[2p + 1]; behind an odd count stands a zero. */
static void jrg_lanes_interleave(const jrg_lanes_half *x, uint32_t count, jrg_lanes_half *pairs)
{
    for (uint32_t i = 0; i < count; i += 2u) {
        const jrg_lanes_vector b = i + 1u < count ? jrg_lanes_get(x[i + 1u]) : JRG_LANES_ALL(setzero)();
        const jrg_lanes_words both = jrg_lanes_interleaved(jrg_lanes_get(x[i]), b);
        jrg_lanes_put(pairs[i], both.low);
        jrg_lanes_put(pairs[i + 1u], both.high);
    }
}

static inline jrg_lanes_words jrg_lanes_pair(const jrg_lanes_half *pairs)
{
    return (jrg_lanes_words){jrg_lanes_get(pairs[0]), jrg_lanes_get(pairs[1])};
}

/* Eight lanes of weights n and n + 8. */
static inline jrg_lanes_vector jrg_lanes_halves(const jrg_lanes_half *w, uint32_t n, uint32_t first_lane)
{
    const __m128i low = _mm_load_si128((const void *)(w[n] + first_lane));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm_load_si128((const void *)(w[n + 8u] + first_lane)), 1);
}

/* The block of weights of each lane, one after the other: in each half of 128 bits a matrix of eight by eight is turned by
 * interleaving its rows with those four further on, three times. */
static void jrg_lanes_turn(const jrg_lanes_half *w, int16_t own[JRG_LANES][JRG_LANES_BLOCK])
{
    for (uint32_t first_lane = 0; first_lane < JRG_LANES; first_lane += 8u) {
        jrg_lanes_vector rows[8];
        for (uint32_t n = 0; n < 8u; n++) {
            rows[n] = jrg_lanes_halves(w, n, first_lane);
        }
        for (uint32_t time = 0; time < 3u; time++) {
            jrg_lanes_vector turned[8];
            for (uint32_t n = 0; n < 4u; n++) {
                const jrg_lanes_words both = jrg_lanes_interleaved(rows[n], rows[n + 4u]);
                turned[2u * n] = both.low;
                turned[2u * n + 1u] = both.high;
            }
            memcpy(rows, turned, sizeof rows);
        }
        for (uint32_t lane = 0; lane < 8u; lane++) {
            jrg_lanes_put(own[first_lane + lane], rows[lane]);
        }
    }
}

/* ---- forward (A3) ---- */

static inline jrg_lanes_vector jrg_lanes_activated(const jrg_lanes_layer *layer, jrg_lanes_words sum)
{
    const int32_t limit = (int32_t)(1u << layer->output_width);
    const int32_t least = layer->relu ? 0 : -limit;
    const jrg_lanes_vector low = jrg_lanes_rshift(sum.low, (uint32_t)layer->forward_shift);
    const jrg_lanes_vector high = jrg_lanes_rshift(sum.high, (uint32_t)layer->forward_shift);
    return JRG_LANES_OP(packs_epi32)(jrg_lanes_clamped(low, least, limit - 1), jrg_lanes_clamped(high, least, limit - 1));
}

/* A3 of one layer, two rows at a time; pairs: of its inputs. A last row that is alone is its own second. */
static void jrg_lanes_outputs(const jrg_lanes_layer *layer, const jrg_lanes_half *w, const jrg_lanes_word *biases,
                              const jrg_lanes_half *pairs, jrg_lanes_half *y)
{
    const uint32_t inputs = layer->inputs;
    const uint32_t even = inputs & ~1u;
    for (uint32_t j = 0; j < layer->outputs; j += 2u) {
        const uint32_t second = j + 1u < layer->outputs ? j + 1u : j;
        const jrg_lanes_half *row = w + j * inputs;
        const jrg_lanes_half *next = w + second * inputs;
        jrg_lanes_words sum = jrg_lanes_get_words(biases[j]);
        jrg_lanes_words next_sum = jrg_lanes_get_words(biases[second]);
        for (uint32_t i = 0; i < even; i += 2u) {
            const jrg_lanes_words x = jrg_lanes_pair(pairs + i);
            const jrg_lanes_words a = jrg_lanes_interleaved(jrg_lanes_get(row[i]), jrg_lanes_get(row[i + 1u]));
            const jrg_lanes_words b = jrg_lanes_interleaved(jrg_lanes_get(next[i]), jrg_lanes_get(next[i + 1u]));
            sum = jrg_lanes_plus_pairs(sum, a, x);
            next_sum = jrg_lanes_plus_pairs(next_sum, b, x);
        }
        if (even < inputs) {
            const jrg_lanes_words x = jrg_lanes_pair(pairs + even);
            const jrg_lanes_vector none = JRG_LANES_ALL(setzero)();
            sum = jrg_lanes_plus_pairs(sum, jrg_lanes_interleaved(jrg_lanes_get(row[even]), none), x);
            next_sum = jrg_lanes_plus_pairs(next_sum, jrg_lanes_interleaved(jrg_lanes_get(next[even]), none), x);
        }
        jrg_lanes_put(y[j], jrg_lanes_activated(layer, sum));
        jrg_lanes_put(y[second], jrg_lanes_activated(layer, next_sum));
    }
}

/* ---- backward (A5) ---- */

static inline jrg_lanes_vector jrg_lanes_or_magnitude(jrg_lanes_vector found, jrg_lanes_vector error)
{
    return JRG_LANES_ALL(or)(found, JRG_LANES_ALL(xor)(error, JRG_LANES_OP(srai_epi32)(error, 31)));
}

/* The OR of A5.1 in each lane. outputs, if not NULL: of the layer, whose ReLU lets no error pass where it was shut (A5.7). */
static void jrg_lanes_magnitude(jrg_lanes_word *errors, uint32_t count, const jrg_lanes_half *outputs, int32_t *magnitude)
{
    jrg_lanes_words found = {JRG_LANES_ALL(setzero)(), JRG_LANES_ALL(setzero)()};
    for (uint32_t j = 0; j < count; j++) {
        jrg_lanes_words error = jrg_lanes_get_words(errors[j]);
        if (outputs) {
            const jrg_lanes_vector open = jrg_lanes_is_set(jrg_lanes_get(outputs[j]));
            const jrg_lanes_words wide = jrg_lanes_interleaved(open, open);
            error = (jrg_lanes_words){JRG_LANES_ALL(and)(error.low, wide.low), JRG_LANES_ALL(and)(error.high, wide.high)};
            jrg_lanes_put_words(errors[j], error);
        }
        found.low = jrg_lanes_or_magnitude(found.low, error.low);
        found.high = jrg_lanes_or_magnitude(found.high, error.high);
    }
    jrg_lanes_put_words(magnitude, found);
}

/* One half of the lanes' shifts, limits and rate. */
typedef struct {
    jrg_lanes_vector before, rounds, left, half, factor, mantissa;
    int32_t limit;
} jrg_lanes_scaling;

static inline jrg_lanes_scaling jrg_lanes_scaling_of(const jrg_lanes_shifts *shifts, uint32_t first, int32_t mantissa,
                                                     int32_t limit)
{
    return (jrg_lanes_scaling){JRG_LANES_ALL(load)((const void *)(shifts->before + first)),
                               JRG_LANES_ALL(load)((const void *)(shifts->rounds + first)),
                               JRG_LANES_ALL(load)((const void *)(shifts->left + first)),
                               JRG_LANES_ALL(load)((const void *)(shifts->half + first)),
                               JRG_LANES_ALL(load)((const void *)(shifts->factor + first)),
                               JRG_LANES_OP(set1_epi32)(mantissa),
                               limit};
}

/* A5.1 */
static inline jrg_lanes_vector jrg_lanes_scaled_error(const jrg_lanes_scaling *by, jrg_lanes_vector error)
{
    const jrg_lanes_vector before = JRG_LANES_OP(add_epi32)(JRG_LANES_OP(srav_epi32)(error, by->before), by->rounds);
    const jrg_lanes_vector right = JRG_LANES_OP(srav_epi32)(before, by->rounds);
    return jrg_lanes_clamped(JRG_LANES_OP(sllv_epi32)(right, by->left), -by->limit, by->limit - 1);
}

/* A5.4. Error and mantissa fit 16 bits, so VPMADDWD multiplies their lower halves; the mantissa's upper one is 0. */
static inline jrg_lanes_vector jrg_lanes_factor(const jrg_lanes_scaling *by, jrg_lanes_vector scaled_error)
{
    const jrg_lanes_vector product = JRG_LANES_OP(madd_epi16)(scaled_error, by->mantissa);
    const jrg_lanes_vector rounded = JRG_LANES_OP(srav_epi32)(JRG_LANES_OP(add_epi32)(product, by->half), by->factor);
    return jrg_lanes_clamped(rounded, -32768, 32767);
}

/* A5.6 of a bias. */
static inline jrg_lanes_vector jrg_lanes_stepped_bias(jrg_lanes_vector bias, jrg_lanes_vector factor, int32_t shift)
{
    const jrg_lanes_vector step = shift >= 0 ? JRG_LANES_OP(sll_epi32)(factor, _mm_cvtsi32_si128(shift))
                                             : jrg_lanes_rshift(factor, (uint32_t)-shift);
    return jrg_lanes_clamped(JRG_LANES_OP(sub_epi32)(bias, step), -(1 << 30), (1 << 30) - 1);
}

/* A5.1 and A5.4: scaled errors and factors of a layer's rows; A5.6 of its biases. */
static void jrg_lanes_scale(const jrg_lanes_layer *layer, int32_t mantissa, const jrg_lanes_shifts *shifts,
                            const jrg_lanes_memory *memory, jrg_lanes_word *biases)
{
    const int32_t limit = (int32_t)(1u << layer->error_width);
    const int32_t bias_shift = layer->bias_shift;
    const jrg_lanes_scaling low = jrg_lanes_scaling_of(shifts, 0, mantissa, limit);
    const jrg_lanes_scaling high = jrg_lanes_scaling_of(shifts, JRG_LANES / 2u, mantissa, limit);
    for (uint32_t j = 0; j < layer->outputs; j++) {
        const jrg_lanes_words error = jrg_lanes_get_words(memory->errors[j]);
        const jrg_lanes_words bias = jrg_lanes_get_words(biases[j]);
        const jrg_lanes_words e = {jrg_lanes_scaled_error(&low, error.low), jrg_lanes_scaled_error(&high, error.high)};
        const jrg_lanes_words d = {jrg_lanes_factor(&low, e.low), jrg_lanes_factor(&high, e.high)};
        jrg_lanes_put(memory->scaled[j], JRG_LANES_OP(packs_epi32)(e.low, e.high));
        jrg_lanes_put(memory->factors[j], JRG_LANES_OP(packs_epi32)(d.low, d.high));
        jrg_lanes_put_words(biases[j], (jrg_lanes_words){jrg_lanes_stepped_bias(bias.low, d.low, bias_shift),
                                                         jrg_lanes_stepped_bias(bias.high, d.high, bias_shift)});
    }
}

/* A5.6: (d x + 2^width) >> (width + 1) is VPMULHRSW of d and x 2^(14 - width), for a width of at most 14. */
static inline jrg_lanes_vector jrg_lanes_stepped(jrg_lanes_vector w, jrg_lanes_vector factor, jrg_lanes_vector x_scaled)
{
    return JRG_LANES_OP(subs_epi16)(w, JRG_LANES_OP(mulhrs_epi16)(factor, x_scaled));
}

/* The same for a width of 15: the upper half of d x, and one more where its lower half is at least 2^15. */
static inline jrg_lanes_vector jrg_lanes_stepped_15(jrg_lanes_vector w, jrg_lanes_vector factor, jrg_lanes_vector x)
{
    const jrg_lanes_vector more = JRG_LANES_OP(srli_epi16)(JRG_LANES_OP(mullo_epi16)(factor, x), 15);
    return JRG_LANES_OP(subs_epi16)(w, JRG_LANES_OP(add_epi16)(JRG_LANES_OP(mulhi_epi16)(factor, x), more));
}

/* A5.6 of one row of weights. Widths are at most 15. */
static void jrg_lanes_step_row(const jrg_lanes_layer *layer, const int16_t *factor, const jrg_lanes_half *x,
                               jrg_lanes_half *w)
{
    const jrg_lanes_vector factors = jrg_lanes_get(factor);
    const __m128i up = _mm_cvtsi32_si128(14 - (int32_t)layer->input_width);
    if (layer->input_width == 15u) {
        for (uint32_t i = 0; i < layer->inputs; i++) {
            jrg_lanes_put(w[i], jrg_lanes_stepped_15(jrg_lanes_get(w[i]), factors, jrg_lanes_get(x[i])));
        }
        return;
    }
    for (uint32_t i = 0; i < layer->inputs; i++) {
        const jrg_lanes_vector scaled = JRG_LANES_OP(sll_epi16)(jrg_lanes_get(x[i]), up);
        jrg_lanes_put(w[i], jrg_lanes_stepped(jrg_lanes_get(w[i]), factors, scaled));
    }
}

#if defined(__AVX512VL__)
#define JRG_LANES_BLOCK_INPUTS 8u /* whose sums stay in registers */
#else
#define JRG_LANES_BLOCK_INPUTS 4u
#endif

/* A5.7 and A5.6 of `count` inputs of a layer, in all its rows; w: of the first row, of the first of these inputs. A last
 * row that is alone is read as its own second, times an error of 0. */
static inline __attribute__((always_inline)) void jrg_lanes_step_inputs(
    const jrg_lanes_layer *layer, uint32_t count, const jrg_lanes_memory *memory, const jrg_lanes_half *x, jrg_lanes_half *w,
    jrg_lanes_word *below)
{
    const __m128i up = _mm_cvtsi32_si128(14 - (int32_t)layer->input_width);
    jrg_lanes_words sum[JRG_LANES_BLOCK_INPUTS];
    jrg_lanes_vector scaled[JRG_LANES_BLOCK_INPUTS];
    for (uint32_t i = 0; i < count; i++) {
        sum[i] = (jrg_lanes_words){JRG_LANES_ALL(setzero)(), JRG_LANES_ALL(setzero)()};
        scaled[i] = JRG_LANES_OP(sll_epi16)(jrg_lanes_get(x[i]), up);
    }
    for (uint32_t j = 0; j < layer->outputs; j += 2u, w += 2u * layer->inputs) {
        const bool two = j + 1u < layer->outputs;
        const jrg_lanes_words error = jrg_lanes_pair(memory->pairs + j);
        const jrg_lanes_vector factor = jrg_lanes_get(memory->factors[j]);
        const jrg_lanes_vector next_factor = two ? jrg_lanes_get(memory->factors[j + 1u]) : JRG_LANES_ALL(setzero)();
        jrg_lanes_half *next = two ? w + layer->inputs : w;
        for (uint32_t i = 0; i < count; i++) {
            const jrg_lanes_vector a = jrg_lanes_get(w[i]);
            const jrg_lanes_vector b = jrg_lanes_get(next[i]);
            sum[i] = jrg_lanes_plus_pairs(sum[i], jrg_lanes_interleaved(a, b), error);
            jrg_lanes_put(next[i], jrg_lanes_stepped(b, next_factor, scaled[i]));
            jrg_lanes_put(w[i], jrg_lanes_stepped(a, factor, scaled[i]));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        jrg_lanes_put_words(below[i], sum[i]);
    }
}

/* A5.7 and A5.6 of all rows of a layer; memory->pairs: of its errors. */
static void jrg_lanes_step_rows(const jrg_lanes_layer *layer, const jrg_lanes_memory *memory, const jrg_lanes_half *x,
                                jrg_lanes_half *w, jrg_lanes_word *below)
{
    uint32_t i = 0;
    for (; i + JRG_LANES_BLOCK_INPUTS <= layer->inputs; i += JRG_LANES_BLOCK_INPUTS) {
        jrg_lanes_step_inputs(layer, JRG_LANES_BLOCK_INPUTS, memory, x + i, w + i, below + i);
    }
    for (; i < layer->inputs; i++) {
        jrg_lanes_step_inputs(layer, 1, memory, x + i, w + i, below + i);
    }
}

#endif
