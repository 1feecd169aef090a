/* The inner loops of batched_dense.c in plain C. */
#ifndef JRG_LANES_PLAIN_H
#define JRG_LANES_PLAIN_H

/* Where in its pair number n of a lane stands. */
static inline uint32_t jrg_lanes_place(uint32_t n, uint32_t lane)
{
    return n % 2u * JRG_LANES + lane;
}

/* Some pairs of weights, of each lane one after the other. */
static void jrg_lanes_turn(const jrg_lanes_pair *w, uint32_t pairs, int16_t own[JRG_LANES][JRG_LANES_BLOCK])
{
    for (uint32_t n = 0; n < 2u * pairs; n++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            own[l][n] = w[n / 2u][jrg_lanes_place(n, l)];
        }
    }
}

/* sum + both products of each lane's pair. */
static inline void jrg_lanes_add_products(const int16_t *a, const int16_t *b, int32_t *restrict sum)
{
    for (uint32_t l = 0; l < JRG_LANES; l++) {
        sum[l] += (int32_t)a[l] * b[l] + (int32_t)a[JRG_LANES + l] * b[JRG_LANES + l];
    }
}

/* A3 of one layer. */
static void jrg_lanes_outputs(const jrg_lanes_layer *layer, const jrg_lanes_pair *w, const jrg_lanes_word *biases,
                              const jrg_lanes_pair *x, jrg_lanes_pair *restrict y)
{
    const uint32_t row_pairs = jrg_lanes_pairs(layer->inputs);
    const int32_t limit = (int32_t)(1u << layer->output_width);
    const int32_t least = layer->relu ? 0 : -limit;
    memset(y, 0, jrg_lanes_pairs(layer->outputs) * sizeof *y);
    for (uint32_t j = 0; j < layer->outputs; j++, w += row_pairs) {
        jrg_lanes_word sum;
        memcpy(sum, biases[j], sizeof sum);
        for (uint32_t p = 0; p < row_pairs; p++) {
            jrg_lanes_add_products(w[p], x[p], sum);
        }
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const int32_t rounded = jrg_nn_rshift(sum[l], (uint32_t)layer->forward_shift);
            y[j / 2u][jrg_lanes_place(j, l)] = (int16_t)jrg_nn_clamp(rounded, least, limit - 1);
        }
    }
}

/* The OR of A5.1 in each lane. outputs, if not NULL: of the layer, whose ReLU lets no error pass where it was shut (A5.7). */
static void jrg_lanes_magnitude(jrg_lanes_word *errors, uint32_t count, const jrg_lanes_pair *outputs,
                                int32_t *magnitude)
{
    memset(magnitude, 0, sizeof(jrg_lanes_word));
    for (uint32_t j = 0; j < count; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            errors[j][l] = outputs && outputs[j / 2u][jrg_lanes_place(j, l)] == 0 ? 0 : errors[j][l];
            magnitude[l] |= (int32_t)jrg_nn_magnitude(errors[j][l]);
        }
    }
}

/* A5.1 and A5.4: a layer's errors are scaled, and its rows' factors found; A5.6 of its biases. */
static void jrg_lanes_scale(const jrg_lanes_layer *layer, const jrg_lanes_shifts *shifts, jrg_lanes_word *errors,
                            jrg_lanes_pair *factors, jrg_lanes_word *biases)
{
    const int32_t limit = (int32_t)(1u << layer->error_width);
    for (uint32_t j = 0; j < layer->outputs; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const int32_t shifted = (int32_t)((uint32_t)(errors[j][l] >> shifts->right[l]) << shifts->left[l]);
            const int32_t rounded = (shifted + 1) >> 1;
            const int32_t e =
                rounded < limit ? rounded : limit - 1; /* by its magnitude it cannot be less than -limit */
            const uint32_t rho = jrg_nn_factor_dither((uint32_t)shifts->key[l], j);
            const int32_t product = e * shifts->mantissa[l] + (int32_t)((rho >> 1) >> shifts->dither[l]);
            const int32_t d = jrg_nn_clamp(product >> shifts->factor[l], -32768, 32767);
            const uint32_t bias_rho = jrg_nn_bias_dither((uint32_t)shifts->key[l]);
            errors[j][l] = e;
            factors[j][l] = factors[j][JRG_LANES + l] = (int16_t)d;
            biases[j][l] = jrg_nn_dithered_bias(biases[j][l], d, layer->bias_shift, bias_rho);
        }
    }
}

/* A5.6 of one row of weights. */
static void jrg_lanes_step_row(const jrg_lanes_layer *layer, const int16_t *restrict factor, const jrg_lanes_pair *x,
                               const int32_t *keys, jrg_lanes_pair *restrict w)
{
    jrg_lanes_word rho;
    for (uint32_t p = 0; p < jrg_lanes_pairs(layer->inputs); p++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            rho[l] = jrg_nn_dense_dither((uint32_t)keys[l], 2u * p, layer->input_width);
        }
        for (uint32_t n = 0; n < 2u * JRG_LANES; n++) {
            w[p][n] = jrg_nn_stepped_weight(w[p][n], factor[n], x[p][n], rho[n % JRG_LANES], layer->input_width);
        }
    }
}

/* A5.6 of the first layer's weights. */
static void jrg_lanes_step_first(const jrg_lanes_layer *layer, const jrg_lanes_pair *factors, const jrg_lanes_pair *x,
                                 const int32_t *keys, jrg_lanes_pair *w)
{
    for (uint32_t j = 0; j < layer->outputs; j++) {
        jrg_lanes_step_row(layer, factors[j], x, keys, w + j * jrg_lanes_pairs(layer->inputs));
    }
}

/* A5.7 and A5.6 of all rows of a layer that is not the first. below: of its inputs, and one more if their count is odd. */
static void jrg_lanes_step_rows(const jrg_lanes_layer *layer, const jrg_lanes_word *errors,
                                const jrg_lanes_pair *factors, const jrg_lanes_pair *x, const int32_t *keys,
                                jrg_lanes_pair *w, jrg_lanes_word *restrict below)
{
    const uint32_t row_pairs = jrg_lanes_pairs(layer->inputs);
    memset(below, 0, 2u * row_pairs * sizeof *below);
    for (uint32_t j = 0; j < layer->outputs; j++, w += row_pairs) {
        int16_t halves[JRG_LANES]; /* errors fit 16 bits, and products of such numbers are quicker */
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            halves[l] = (int16_t)errors[j][l];
        }
        for (uint32_t p = 0; p < row_pairs; p++) {
            for (uint32_t l = 0; l < JRG_LANES; l++) {
                below[2u * p][l] += (int32_t)w[p][l] * halves[l];
                below[2u * p + 1u][l] += (int32_t)w[p][JRG_LANES + l] * halves[l];
            }
        }
        jrg_lanes_step_row(layer, factors[j], x, keys, w);
    }
}

#endif
