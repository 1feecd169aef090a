/* A6: check a blob of weights before it is used, and read its exponents. The bytes are not trusted. */
#ifndef JRG_NN_BLOB_H
#define JRG_NN_BLOB_H

#include <string.h>

#include "core/jrg_nn_arith.h"     // JRG_NN_INLINE
#include "core/jrg_nn_types.h"     // jrg_model_info
#include "weighted/jrg_nn_layer.h" // jrg_nn_exponents

/* A model with int8 weights defines JRG_NN_BLOB_CHANNELS before it includes this (A8.6). */
#ifdef JRG_NN_BLOB_CHANNELS
#include "weighted/jrg_nn_layer_w8.h" // jrg_nn_place_w8
#define JRG_NN_BLOB_FORMAT 2u
#else
#define JRG_NN_BLOB_FORMAT 1u
#endif
#define JRG_NN_BLOB_EXPONENTS 16u /* offset of the first layer's exponents */
#define JRG_NN_LOGIT_EXPONENT 11  /* A2.5 */
#define JRG_NN_BIAS_LIMIT (1 << 30)

/* Of a layer with rows that are constants of the image (A10): the least and the largest of their fw_o, and fx. A model with
 * such a layer defines JRG_NN_BLOB_FROZEN, and JRG_NN_BLOB_CHANNELS, before it includes this. */
typedef struct {
    int8_t least;
    int8_t most;
    int8_t input_exponent;
} jrg_nn_frozen;

/* What of a layer the check must know. Offsets are bytes into the blob. */
typedef struct {
    uint32_t weights_offset;
    uint32_t biases_offset;
    uint16_t inputs;
    uint16_t outputs;         /* of the rows in the blob */
    uint16_t input_exponent;  /* offset of the exponent its own fx must agree with: other layers may read the same */
    uint16_t output_exponent; /* offset of fy */
    uint8_t input_width;
    bool dense; /* A5.6 limits its bias shift; a convolution's (A7.5) follows from the step */
#ifdef JRG_NN_BLOB_CHANNELS
    uint32_t channels_offset; /* of the exponents of int8 weights; 0: int16 weights */
#endif
#ifdef JRG_NN_BLOB_FROZEN
    const jrg_nn_frozen *frozen; /* NULL: all rows are in the blob */
#endif
} jrg_nn_blob_layer;

/* A limit of other operators on exponents (A9): least <= blob[high] - blob[low] <= most; low = 0: of blob[high] alone. */
typedef struct {
    uint16_t high;
    uint16_t low;
    int8_t least;
    int8_t most;
} jrg_nn_blob_rule;

/* All the check must know of a network. */
typedef struct {
    const jrg_nn_blob_layer *layers;
    const jrg_nn_blob_rule *rules;
    uint32_t layer_count;
    uint32_t rule_count;
    uint32_t header_end; /* offset behind the last exponent */
} jrg_nn_blob_network;

/* The first bytes of every blob. */
JRG_NN_INLINE jrg_nn_status jrg_nn_blob_identity(const uint8_t *blob, uint32_t len_bytes, const jrg_model_info *model,
                                                 uint32_t layer_count)
{
    const uint8_t start[8] = {'J', 'R', 'G', 'W', JRG_NN_BLOB_FORMAT, (uint8_t)layer_count, 0, 0};
    if (len_bytes != model->blob_bytes) {
        return JRG_NN_BAD_LENGTH;
    }
    if (memcmp(blob, start, 4) != 0 || blob[4] != JRG_NN_BLOB_FORMAT) {
        return JRG_NN_BAD_MAGIC;
    }
    if (memcmp(blob, start, sizeof start) != 0 || memcmp(blob + 8, model->architecture, 8) != 0) {
        return JRG_NN_BAD_ARCHITECTURE;
    }
    return JRG_NN_OK;
}

/* Every byte of an array is zero. */
JRG_NN_INLINE bool jrg_nn_blob_is_zero(const uint8_t *bytes, uint32_t count)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

#ifdef JRG_NN_BLOB_CHANNELS
/* A8.1: the exponents of the channels: within their range, fw the smallest, and every forward shift as A3.3 has it. */
JRG_NN_INLINE bool jrg_nn_blob_channels(const uint8_t *blob, const jrg_nn_blob_layer *layer, const int8_t *stored,
                                        jrg_nn_exponents *exponents)
{
    const int8_t *channels = (const int8_t *)blob + layer->channels_offset;
    const int32_t shift = stored[1] - (int8_t)blob[layer->output_exponent];
    const int32_t bias = layer->dense ? 2 * stored[1] - layer->input_width - 9 : 0;
    int32_t least = 127;
    int32_t most = -128;
#ifdef JRG_NN_BLOB_FROZEN
    if (layer->frozen != NULL) {
        if (stored[1] != layer->frozen->input_exponent) {
            return false;
        }
        least = layer->frozen->least;
        most = layer->frozen->most;
    }
#endif
    for (uint32_t j = 0; j < layer->outputs; j++) {
        least = channels[j] < least ? channels[j] : least;
        most = channels[j] > most ? channels[j] : most;
    }
    if (least != stored[0] || least < 0 || most > 15 || shift + least < 2 || shift + most > 30 || bias < -30 ||
        bias > 14 || stored[1] != (int8_t)blob[layer->input_exponent]) {
        return false;
    }
    *exponents = (jrg_nn_exponents){stored[0], stored[1], (int8_t)shift, (int8_t)bias};
    return true;
}

/* Padding of int8 rows and of the channels' exponents is zero. */
JRG_NN_INLINE bool jrg_nn_blob_quads(const uint8_t *blob, const jrg_nn_blob_layer *layer)
{
    const uint32_t stride = jrg_nn_stride_w8(layer->inputs);
    uint8_t any = 0;
    for (uint32_t j = 0; j < layer->outputs; j++) {
        for (uint32_t i = layer->inputs; i < stride; i++) {
            any |= blob[layer->weights_offset + j * stride + jrg_nn_place_w8(i)];
        }
    }
    const uint32_t padding_bytes = (0u - layer->outputs) & 3u;
    return any == 0 && jrg_nn_blob_is_zero(blob + layer->channels_offset + layer->outputs, padding_bytes);
}
#endif

/* Exponents of one layer, its shifts worked out, unchecked. */
JRG_NN_INLINE bool jrg_nn_blob_exponents(const uint8_t *blob, const jrg_nn_blob_layer *layer, uint32_t index,
                                         jrg_nn_exponents *exponents)
{
    const int8_t *stored = (const int8_t *)blob + JRG_NN_BLOB_EXPONENTS + 2u * index;
#ifdef JRG_NN_BLOB_CHANNELS
    if (layer->channels_offset != 0u) {
        return jrg_nn_blob_channels(blob, layer, stored, exponents);
    }
#endif
    const int32_t forward = stored[0] + stored[1] - (int8_t)blob[layer->output_exponent];
    const int32_t bias = layer->dense ? 2 * stored[1] - layer->input_width - 1 : 0;
    if (stored[0] < 8 || stored[0] > 15 || forward < 2 || forward > 30 || bias < -30 || bias > 14 ||
        stored[1] != (int8_t)blob[layer->input_exponent]) {
        return false;
    }
    *exponents = (jrg_nn_exponents){stored[0], stored[1], (int8_t)forward, (int8_t)bias};
    return true;
}

/* Padding of the rows is zero, and every bias lies within A2.3. */
JRG_NN_INLINE bool jrg_nn_blob_weights(const uint8_t *blob, const jrg_nn_blob_layer *layer)
{
    uint32_t padding_bytes = 2u * (layer->inputs & 1u);
#ifdef JRG_NN_BLOB_CHANNELS
    if (layer->channels_offset != 0u) {
        if (!jrg_nn_blob_quads(blob, layer)) {
            return false;
        }
        padding_bytes = 0u;
    }
#endif
    const uint32_t row_bytes = 2u * layer->inputs + padding_bytes;
    for (uint32_t j = 0; j < layer->outputs; j++) {
        int32_t bias;
        memcpy(&bias, blob + layer->biases_offset + 4u * j, sizeof bias);
        const uint8_t *padding = blob + layer->weights_offset + (j + 1u) * row_bytes - padding_bytes;
        if (bias < -JRG_NN_BIAS_LIMIT || bias >= JRG_NN_BIAS_LIMIT || !jrg_nn_blob_is_zero(padding, padding_bytes)) {
            return false;
        }
    }
    return true;
}

/* A9: the limits of operators without weights. */
JRG_NN_INLINE bool jrg_nn_blob_rules(const uint8_t *blob, const jrg_nn_blob_network *network)
{
    for (uint32_t i = 0; i < network->rule_count; i++) {
        const jrg_nn_blob_rule *rule = &network->rules[i];
        const int32_t value = (int8_t)blob[rule->high] - (rule->low != 0u ? (int8_t)blob[rule->low] : 0);
        if (value < rule->least || value > rule->most) {
            return false;
        }
    }
    return true;
}

/* A6.1. blob: [len_bytes], any alignment. exponents: [layers], written only if it is good (scratch otherwise). */
static inline jrg_nn_status jrg_nn_blob_check(const uint8_t *blob, uint32_t len_bytes, const jrg_model_info *model,
                                              const jrg_nn_blob_network *network, jrg_nn_exponents *exponents)
{
    const jrg_nn_status identity = jrg_nn_blob_identity(blob, len_bytes, model, network->layer_count);
    if (identity != JRG_NN_OK) {
        return identity;
    }
    const int8_t output_exponent = (int8_t)blob[JRG_NN_BLOB_EXPONENTS + 2u * network->layer_count];
    if ((model->classifier && output_exponent != JRG_NN_LOGIT_EXPONENT) || !jrg_nn_blob_rules(blob, network)) {
        return JRG_NN_BAD_EXPONENT;
    }
    for (uint32_t i = 0; i < network->layer_count; i++) {
        if (!jrg_nn_blob_exponents(blob, &network->layers[i], i, &exponents[i])) {
            return JRG_NN_BAD_EXPONENT;
        }
        if (!jrg_nn_blob_weights(blob, &network->layers[i])) {
            return JRG_NN_BAD_WEIGHTS;
        }
    }
    const uint32_t padding_bytes = network->layers[0].weights_offset - network->header_end;
    return jrg_nn_blob_is_zero(blob + network->header_end, padding_bytes) ? JRG_NN_OK : JRG_NN_BAD_WEIGHTS;
}

#endif
