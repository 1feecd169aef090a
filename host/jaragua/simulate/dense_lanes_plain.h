/* The inner loops of dense_lanes.c in plain C: a lane's words stand at its own place. */
#ifndef JRG_LANES_PLAIN_H
#define JRG_LANES_PLAIN_H

static inline uint32_t jrg_lanes_place(uint32_t lane)
{
    return lane;
}

/* What the other loops read of tensors: here the tensors as they are. */
static void jrg_lanes_interleave(const jrg_lanes_half *x, uint32_t count, jrg_lanes_half *pairs)
{
    memcpy(pairs, x, count * sizeof *x);
}

/* The block of weights of each lane, one after the other. */
static void jrg_lanes_turn(const jrg_lanes_half *w, int16_t own[JRG_LANES][JRG_LANES_BLOCK])
{
    for (uint32_t n = 0; n < JRG_LANES_BLOCK; n++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            own[l][n] = w[n][l];
        }
    }
}

/* A3 of one layer; pairs: of its inputs. */
static void jrg_lanes_outputs(const jrg_lanes_layer *layer, const jrg_lanes_half *w, const jrg_lanes_word *biases,
                              const jrg_lanes_half *pairs, jrg_lanes_half *restrict y)
{
    const int32_t limit = (int32_t)(1u << layer->output_width);
    const int32_t least = layer->relu ? 0 : -limit;
    for (uint32_t j = 0; j < layer->outputs; j++, w += layer->inputs) {
        jrg_lanes_word sum;
        memcpy(sum, biases[j], sizeof sum);
        for (uint32_t i = 0; i < layer->inputs; i++) {
            for (uint32_t l = 0; l < JRG_LANES; l++) {
                sum[l] += (int32_t)w[i][l] * pairs[i][l];
            }
        }
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            y[j][l] = (int16_t)jrg_nn_clamp(jrg_nn_rshift(sum[l], (uint32_t)layer->forward_shift), least, limit - 1);
        }
    }
}

/* The OR of A5.1 in each lane. outputs, if not NULL: of the layer, whose ReLU lets no error pass where it was shut (A5.7). */
static void jrg_lanes_magnitude(jrg_lanes_word *errors, uint32_t count, const jrg_lanes_half *outputs, int32_t *magnitude)
{
    memset(magnitude, 0, sizeof(jrg_lanes_word));
    for (uint32_t j = 0; j < count; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            errors[j][l] = outputs && outputs[j][l] == 0 ? 0 : errors[j][l];
            magnitude[l] |= (int32_t)jrg_nn_magnitude(errors[j][l]);
        }
    }
}

/* A5.1 and A5.4: scaled errors and factors of a layer's rows; A5.6 of its biases. */
static void jrg_lanes_scale(const jrg_lanes_layer *layer, int32_t mantissa, const jrg_lanes_shifts *shifts,
                            const jrg_lanes_memory *memory, jrg_lanes_word *biases)
{
    const int32_t limit = (int32_t)(1u << layer->error_width);
    const int32_t bias_limit = 1 << 30;
    for (uint32_t j = 0; j < layer->outputs; j++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const int32_t right = ((memory->errors[j][l] >> shifts->before[l]) + shifts->rounds[l]) >> shifts->rounds[l];
            const int32_t e = jrg_nn_clamp((int32_t)((uint32_t)right << shifts->left[l]), -limit, limit - 1);
            const int32_t d = jrg_nn_clamp((e * mantissa + shifts->half[l]) >> shifts->factor[l], -32768, 32767);
            const int32_t step = layer->bias_shift >= 0 ? (int32_t)((uint32_t)d << layer->bias_shift)
                                                        : jrg_nn_rshift(d, (uint32_t)-layer->bias_shift);
            memory->scaled[j][l] = (int16_t)e;
            memory->factors[j][l] = (int16_t)d;
            biases[j][l] = jrg_nn_clamp(biases[j][l] - step, -bias_limit, bias_limit - 1);
        }
    }
}

/* A5.6 of one row of weights. */
static void jrg_lanes_step_row(const jrg_lanes_layer *layer, const int16_t *restrict factor, const jrg_lanes_half *x,
                               jrg_lanes_half *restrict w)
{
    const int32_t half = (int32_t)(1u << layer->input_width);
    for (uint32_t i = 0; i < layer->inputs; i++) {
        for (uint32_t l = 0; l < JRG_LANES; l++) {
            const int32_t step = ((int32_t)factor[l] * x[i][l] + half) >> (layer->input_width + 1u);
            w[i][l] = (int16_t)jrg_nn_clamp((int32_t)w[i][l] - step, -32768, 32767);
        }
    }
}

/* A5.7 and A5.6 of all rows of a layer; memory->pairs: of its errors. */
static void jrg_lanes_step_rows(const jrg_lanes_layer *layer, const jrg_lanes_memory *memory, const jrg_lanes_half *x,
                                jrg_lanes_half *w, jrg_lanes_word *restrict below)
{
    memset(below, 0, layer->inputs * sizeof *below);
    for (uint32_t j = 0; j < layer->outputs; j++, w += layer->inputs) {
        for (uint32_t i = 0; i < layer->inputs; i++) {
            for (uint32_t l = 0; l < JRG_LANES; l++) {
                below[i][l] += (int32_t)w[i][l] * memory->pairs[j][l];
            }
        }
        jrg_lanes_step_row(layer, memory->factors[j], x, w);
    }
}

#endif
