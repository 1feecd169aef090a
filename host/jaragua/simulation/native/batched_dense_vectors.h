/* The inner loops of batched_dense.c with AVX-512 or AVX2 (and with VNNI where it is there): one vector holds a number of 32
 * bits, or a pair of 16, of all lanes. With twice as many lanes to a group the weights of a network like that of the sines
 * would be more than the nearest cache holds.
 */
#ifndef JRG_LANES_VECTORS_H
#define JRG_LANES_VECTORS_H

#if defined(__AVX512BW__)
typedef __m512i jrg_lanes_vector;
#define JRG_LANES_OP(name) _mm512_##name
#define JRG_LANES_ALL(name) _mm512_##name##_si512
#else
typedef __m256i jrg_lanes_vector;
#define JRG_LANES_OP(name) _mm256_##name
#define JRG_LANES_ALL(name) _mm256_##name##_si256
#endif
#define JRG_LANES_FIRST_HALF 0xFFFF
#define JRG_LANES_SECOND_HALF ((int32_t)0xFFFF0000u)
#define JRG_LANES_INLINE                                                                                               \
    static inline __attribute__((always_inline)) /* counts are constants there: loops are unrolled */

/* Where in its pair number n of a lane stands. */
static inline uint32_t jrg_lanes_place(uint32_t n, uint32_t lane)
{
    return 2u * lane + n % 2u;
}

static inline jrg_lanes_vector jrg_lanes_get(const void *place)
{
    return JRG_LANES_ALL(load)(place);
}

static inline void jrg_lanes_put(void *place, jrg_lanes_vector v)
{
    JRG_LANES_ALL(store)(place, v);
}

/* A number of each lane where a bit of its mask is set among those of `pairs`, else 0. */
static inline jrg_lanes_vector jrg_lanes_where_set(jrg_lanes_vector number, jrg_lanes_vector pairs, int32_t mask)
{
#if defined(__AVX512BW__)
    return _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(pairs, _mm512_set1_epi32(mask)), number);
#else
    const __m256i shut = _mm256_cmpeq_epi32(_mm256_and_si256(pairs, _mm256_set1_epi32(mask)), _mm256_setzero_si256());
    return _mm256_andnot_si256(shut, number);
#endif
}

/* sum + both products of a pair. */
static inline jrg_lanes_vector jrg_lanes_plus_products(jrg_lanes_vector sum, jrg_lanes_vector a, jrg_lanes_vector b)
{
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return JRG_LANES_OP(dpwssd_epi32)(sum, a, b);
#else
    return JRG_LANES_OP(add_epi32)(sum, JRG_LANES_OP(madd_epi16)(a, b));
#endif
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

/* Four lanes of four pairs, of each lane one after the other: a matrix of words is turned by interleaving its rows with those
 * two further on, twice. */
static inline void jrg_lanes_turn_four(const jrg_lanes_pair *w, uint32_t lane, int16_t (*own)[JRG_LANES_BLOCK],
                                       uint32_t n)
{
    __m128i rows[4];
    for (uint32_t p = 0; p < 4u; p++) {
        rows[p] = _mm_load_si128((const void *)(w[p] + 2u * lane));
    }
    for (uint32_t time = 0; time < 2u; time++) {
        const __m128i turned[4] = {_mm_unpacklo_epi32(rows[0], rows[2]), _mm_unpackhi_epi32(rows[0], rows[2]),
                                   _mm_unpacklo_epi32(rows[1], rows[3]), _mm_unpackhi_epi32(rows[1], rows[3])};
        memcpy(rows, turned, sizeof rows);
    }
    for (uint32_t l = 0; l < 4u; l++) {
        _mm_store_si128((void *)(own[lane + l] + n), rows[l]);
    }
}

/* Some pairs of weights, of each lane one after the other. */
static void jrg_lanes_turn(const jrg_lanes_pair *w, uint32_t pairs, int16_t own[JRG_LANES][JRG_LANES_BLOCK])
{
    uint32_t p = 0;
    for (; p + 4u <= pairs; p += 4u) {
        for (uint32_t lane = 0; lane < JRG_LANES; lane += 4u) {
            jrg_lanes_turn_four(w + p, lane, own, 2u * p);
        }
    }
    for (; p < pairs; p++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            memcpy(&own[l][2u * p], &w[p][2u * l], 2u * sizeof own[l][0]);
        }
    }
}

/* ---- forward (A3) ---- */

/* Two numbers of each lane as pairs, in the reach of 16 bits. VPACKSSDW puts four of one before four of the other. */
static inline jrg_lanes_vector jrg_lanes_paired(jrg_lanes_vector first, jrg_lanes_vector second)
{
    const __m128i order = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
#if defined(__AVX512BW__)
    return _mm512_shuffle_epi8(_mm512_packs_epi32(first, second), _mm512_broadcast_i32x4(order));
#else
    return _mm256_shuffle_epi8(_mm256_packs_epi32(first, second), _mm256_broadcastsi128_si256(order));
#endif
}

#if defined(__AVX512VL__)
#define JRG_LANES_BLOCK_ROWS 8u /* whose sums stay in registers */
#else
#define JRG_LANES_BLOCK_ROWS 4u
#endif

/* The outputs of `count` rows, an even number of them or the last one. */
JRG_LANES_INLINE void jrg_lanes_output_rows(const jrg_lanes_layer *layer, uint32_t count, const jrg_lanes_pair *w,
                                            const jrg_lanes_word *biases, const jrg_lanes_pair *x, jrg_lanes_pair *y)
{
    const size_t row_pairs = jrg_lanes_pairs(layer->inputs);
    const int32_t limit = (int32_t)(1u << layer->output_width);
    const jrg_lanes_vector least = JRG_LANES_OP(set1_epi16)((int16_t)(layer->relu ? 0 : -limit));
    const jrg_lanes_vector most = JRG_LANES_OP(set1_epi16)((int16_t)(limit - 1));
    jrg_lanes_vector sum[JRG_LANES_BLOCK_ROWS];
    for (uint32_t j = 0; j < count; j++) {
        sum[j] = jrg_lanes_get(biases[j]);
    }
    for (size_t p = 0; p < row_pairs; p++) {
        const jrg_lanes_vector both = jrg_lanes_get(x[p]);
        for (uint32_t j = 0; j < count; j++) {
            sum[j] = jrg_lanes_plus_products(sum[j], jrg_lanes_get(w[j * row_pairs + p]), both);
        }
    }
    for (uint32_t j = 0; j < count; j++) {
        sum[j] = jrg_lanes_rshift(sum[j], (uint32_t)layer->forward_shift);
    }
    for (uint32_t j = 0; j < count; j += 2u) {
        const jrg_lanes_vector both = jrg_lanes_paired(sum[j], j + 1u < count ? sum[j + 1u] : JRG_LANES_ALL(setzero)());
        jrg_lanes_put(y[j / 2u], JRG_LANES_OP(min_epi16)(JRG_LANES_OP(max_epi16)(both, least), most));
    }
}

/* A3 of one layer. */
static void jrg_lanes_outputs(const jrg_lanes_layer *layer, const jrg_lanes_pair *w, const jrg_lanes_word *biases,
                              const jrg_lanes_pair *x, jrg_lanes_pair *y)
{
    const uint32_t row_pairs = jrg_lanes_pairs(layer->inputs);
    uint32_t j = 0;
    for (; j + JRG_LANES_BLOCK_ROWS <= layer->outputs; j += JRG_LANES_BLOCK_ROWS) {
        jrg_lanes_output_rows(layer, JRG_LANES_BLOCK_ROWS, w + j * row_pairs, biases + j, x, y + j / 2u);
    }
    for (; j + 2u <= layer->outputs; j += 2u) {
        jrg_lanes_output_rows(layer, 2, w + j * row_pairs, biases + j, x, y + j / 2u);
    }
    if (j < layer->outputs) {
        jrg_lanes_output_rows(layer, 1, w + j * row_pairs, biases + j, x, y + j / 2u);
    }
}

/* ---- backward (A5) ---- */

/* The OR of A5.1 in each lane. outputs, if not NULL: of the layer, whose ReLU lets no error pass where it was shut (A5.7). */
static void jrg_lanes_magnitude(jrg_lanes_word *errors, uint32_t count, const jrg_lanes_pair *outputs,
                                int32_t *magnitude)
{
    jrg_lanes_vector found = JRG_LANES_ALL(setzero)();
    for (uint32_t j = 0; j < count; j++) {
        jrg_lanes_vector error = jrg_lanes_get(errors[j]);
        if (outputs) {
            const int32_t mask = j % 2u == 0u ? JRG_LANES_FIRST_HALF : JRG_LANES_SECOND_HALF;
            error = jrg_lanes_where_set(error, jrg_lanes_get(outputs[j / 2u]), mask);
            jrg_lanes_put(errors[j], error);
        }
        found = JRG_LANES_ALL(or)(found, JRG_LANES_ALL(xor)(error, JRG_LANES_OP(srai_epi32)(error, 31)));
    }
    jrg_lanes_put(magnitude, found);
}

/* The lanes' shifts, limits, rates and keys. */
typedef struct {
    jrg_lanes_vector right, left, factor, dither, mantissa, key, most, one;
} jrg_lanes_scaling;

/* A5.1. By its magnitude no error is less than -limit. */
static inline jrg_lanes_vector jrg_lanes_scaled_error(const jrg_lanes_scaling *by, jrg_lanes_vector error)
{
    const jrg_lanes_vector shifted = JRG_LANES_OP(sllv_epi32)(JRG_LANES_OP(srav_epi32)(error, by->right), by->left);
    const jrg_lanes_vector rounded = JRG_LANES_OP(srai_epi32)(JRG_LANES_OP(add_epi32)(shifted, by->one), 1);
    return JRG_LANES_OP(min_epi32)(rounded, by->most);
}

/* A5.4, in both numbers of a pair. Error and mantissa fit 16 bits, so VPMADDWD multiplies their lower halves; the
 * mantissa's upper one is 0. VPACKSSDW saturates. */
static inline jrg_lanes_vector jrg_lanes_factor(const jrg_lanes_scaling *by, jrg_lanes_vector scaled_error,
                                                uint32_t row)
{
    const jrg_lanes_vector product = JRG_LANES_OP(madd_epi16)(scaled_error, by->mantissa);
    const jrg_lanes_vector turn = JRG_LANES_OP(set1_epi32)((int32_t)jrg_nn_factor_dither(0, row));
    const jrg_lanes_vector half_rho = JRG_LANES_OP(srli_epi32)(JRG_LANES_OP(add_epi32)(by->key, turn), 1);
    const jrg_lanes_vector dithered = JRG_LANES_OP(add_epi32)(product, JRG_LANES_OP(srlv_epi32)(half_rho, by->dither));
    const jrg_lanes_vector rounded = JRG_LANES_OP(srav_epi32)(dithered, by->factor);
    const jrg_lanes_vector packed = JRG_LANES_OP(packs_epi32)(rounded, rounded);
    return JRG_LANES_OP(unpacklo_epi16)(packed, packed);
}

/* A5.6: what is added to a bias. key: of the layer (A5.9). */
static inline jrg_lanes_vector jrg_lanes_bias_step(jrg_lanes_vector factor, jrg_lanes_vector key, int32_t shift)
{
    if (shift >= 0) {
        const jrg_lanes_vector step = JRG_LANES_OP(sll_epi32)(factor, _mm_cvtsi32_si128(shift));
        return JRG_LANES_OP(sub_epi32)(JRG_LANES_ALL(setzero)(), step);
    }
    if (shift < JRG_NN_BIAS_SHIFT_MIN) {
        return JRG_LANES_ALL(setzero)();
    }
    const jrg_lanes_vector rho =
        JRG_LANES_OP(srl_epi32)(JRG_LANES_OP(slli_epi32)(key, 16), _mm_cvtsi32_si128(32 + shift));
    return JRG_LANES_OP(sra_epi32)(JRG_LANES_OP(sub_epi32)(rho, factor), _mm_cvtsi32_si128(-shift));
}

/* A5.1 and A5.4: a layer's errors are scaled, each as the first of a pair with 0, and its rows' factors found; A5.6 of its
 * biases. */
static void jrg_lanes_scale(const jrg_lanes_layer *layer, const jrg_lanes_shifts *shifts, jrg_lanes_word *errors,
                            jrg_lanes_pair *factors, jrg_lanes_word *biases)
{
    const jrg_lanes_scaling by = {jrg_lanes_get(shifts->right),
                                  jrg_lanes_get(shifts->left),
                                  jrg_lanes_get(shifts->factor),
                                  jrg_lanes_get(shifts->dither),
                                  jrg_lanes_get(shifts->mantissa),
                                  jrg_lanes_get(shifts->key),
                                  JRG_LANES_OP(set1_epi32)((1 << layer->error_width) - 1),
                                  JRG_LANES_OP(set1_epi32)(1)};
    const jrg_lanes_vector first_half = JRG_LANES_OP(set1_epi32)(JRG_LANES_FIRST_HALF);
    for (uint32_t j = 0; j < layer->outputs; j++) {
        const jrg_lanes_vector error = jrg_lanes_scaled_error(&by, jrg_lanes_get(errors[j]));
        const jrg_lanes_vector factor = jrg_lanes_factor(&by, error, j);
        const jrg_lanes_vector step = JRG_LANES_OP(srai_epi32)(factor, 16);
        jrg_lanes_put(errors[j], JRG_LANES_ALL(and)(error, first_half));
        jrg_lanes_put(factors[j], factor);
        const jrg_lanes_vector bias_step = jrg_lanes_bias_step(step, by.key, layer->bias_shift);
        const jrg_lanes_vector bias = JRG_LANES_OP(add_epi32)(jrg_lanes_get(biases[j]), bias_step);
        jrg_lanes_put(biases[j], jrg_lanes_clamped(bias, -(1 << 30), (1 << 30) - 1));
    }
}

/* A5.9: of each lane ~rho of the columns of pair p, in both numbers of a pair. */
static inline jrg_lanes_vector jrg_lanes_not_rho(const int32_t *keys, uint32_t p)
{
    const uint32_t turn = jrg_nn_column_dither(0, 2u * p / JRG_NN_DITHER_COLUMN_BLOCK);
    const jrg_lanes_vector rho = JRG_LANES_OP(add_epi32)(jrg_lanes_get(keys), JRG_LANES_OP(set1_epi32)((int32_t)turn));
    const jrg_lanes_vector low = JRG_LANES_ALL(and)(rho, JRG_LANES_OP(set1_epi32)(JRG_LANES_FIRST_HALF));
    const jrg_lanes_vector both = JRG_LANES_ALL(or)(low, JRG_LANES_OP(slli_epi32)(low, 16));
    return JRG_LANES_ALL(xor)(both, JRG_LANES_OP(set1_epi32)(-1));
}

/* A5.6: the upper half of d x', and one more where its lower half and rho make 2^16. x': x 2^(15 - width). */
static inline jrg_lanes_vector jrg_lanes_stepped(jrg_lanes_vector w, jrg_lanes_vector factor, jrg_lanes_vector x_scaled,
                                                 jrg_lanes_vector not_rho)
{
    const jrg_lanes_vector lower = JRG_LANES_OP(mullo_epi16)(factor, x_scaled);
    const jrg_lanes_vector above = JRG_LANES_OP(subs_epu16)(lower, not_rho);
    const jrg_lanes_vector carry = JRG_LANES_OP(min_epu16)(above, JRG_LANES_OP(set1_epi16)(1));
    const jrg_lanes_vector step = JRG_LANES_OP(add_epi16)(JRG_LANES_OP(mulhi_epi16)(factor, x_scaled), carry);
    return JRG_LANES_OP(subs_epi16)(w, step);
}

/* A5.6 of the first layer's weights. Widths are at most 15. */
static void jrg_lanes_step_first(const jrg_lanes_layer *layer, const jrg_lanes_pair *factors, const jrg_lanes_pair *x,
                                 const int32_t *keys, jrg_lanes_pair *w)
{
    const uint32_t row_pairs = jrg_lanes_pairs(layer->inputs);
    const __m128i up = _mm_cvtsi32_si128(15 - (int32_t)layer->input_width);
    for (uint32_t p = 0; p < row_pairs; p++) {
        const jrg_lanes_vector scaled = JRG_LANES_OP(sll_epi16)(jrg_lanes_get(x[p]), up);
        const jrg_lanes_vector not_rho = jrg_lanes_not_rho(keys, p);
        for (uint32_t j = 0; j < layer->outputs; j++) {
            const jrg_lanes_vector factor = jrg_lanes_get(factors[j]);
            const jrg_lanes_vector was = jrg_lanes_get(w[j * row_pairs + p]);
            jrg_lanes_put(w[j * row_pairs + p], jrg_lanes_stepped(was, factor, scaled, not_rho));
        }
    }
}

#if defined(__AVX512VL__)
#define JRG_LANES_STEP_PAIRS 8u /* whose sums stay in registers */
#else
#define JRG_LANES_STEP_PAIRS 2u
#endif

/* A5.7 and A5.6 of `count` pairs of inputs of a layer that share one rho, in all its rows; w: of the first row, of the first
 * of these. */
JRG_LANES_INLINE void jrg_lanes_step_inputs(const jrg_lanes_layer *layer, uint32_t count, const jrg_lanes_word *errors,
                                            const jrg_lanes_pair *factors, const jrg_lanes_pair *x,
                                            jrg_lanes_vector not_rho, jrg_lanes_pair *w, jrg_lanes_word *below)
{
    const __m128i up = _mm_cvtsi32_si128(15 - (int32_t)layer->input_width);
    jrg_lanes_vector first[JRG_LANES_STEP_PAIRS];
    jrg_lanes_vector second[JRG_LANES_STEP_PAIRS];
    jrg_lanes_vector scaled[JRG_LANES_STEP_PAIRS];
    for (uint32_t p = 0; p < count; p++) {
        first[p] = second[p] = JRG_LANES_ALL(setzero)();
        scaled[p] = JRG_LANES_OP(sll_epi16)(jrg_lanes_get(x[p]), up);
    }
    for (uint32_t j = 0; j < layer->outputs; j++, w += jrg_lanes_pairs(layer->inputs)) {
        const jrg_lanes_vector error_first = jrg_lanes_get(errors[j]);
        const jrg_lanes_vector error_second = JRG_LANES_OP(slli_epi32)(error_first, 16);
        const jrg_lanes_vector factor = jrg_lanes_get(factors[j]);
        for (uint32_t p = 0; p < count; p++) {
            const jrg_lanes_vector was = jrg_lanes_get(w[p]);
            first[p] = jrg_lanes_plus_products(first[p], was, error_first);
            second[p] = jrg_lanes_plus_products(second[p], was, error_second);
            jrg_lanes_put(w[p], jrg_lanes_stepped(was, factor, scaled[p], not_rho));
        }
    }
    for (uint32_t p = 0; p < count; p++) {
        jrg_lanes_put(below[2u * p], first[p]);
        jrg_lanes_put(below[2u * p + 1u], second[p]);
    }
}

/* A5.7 and A5.6 of all rows of a layer that is not the first. below: of its inputs, and one more
 * if their count is odd. */
static void jrg_lanes_step_rows(const jrg_lanes_layer *layer, const jrg_lanes_word *errors,
                                const jrg_lanes_pair *factors, const jrg_lanes_pair *x, const int32_t *keys,
                                jrg_lanes_pair *w, jrg_lanes_word *below)
{
    const uint32_t row_pairs = jrg_lanes_pairs(layer->inputs);
    uint32_t p = 0;
    for (; p + JRG_LANES_STEP_PAIRS <= row_pairs; p += JRG_LANES_STEP_PAIRS) {
        const jrg_lanes_vector not_rho = jrg_lanes_not_rho(keys, p);
        jrg_lanes_step_inputs(layer, JRG_LANES_STEP_PAIRS, errors, factors, x + p, not_rho, w + p, below + 2u * p);
    }
    for (; p < row_pairs; p++) {
        jrg_lanes_step_inputs(layer, 1, errors, factors, x + p, jrg_lanes_not_rho(keys, p), w + p, below + 2u * p);
    }
}

#endif
