/* A5.9, A7.7, A8.5: the dither of stochastic rounding. Counter based: nothing is stored but the step's key. */
#ifndef JRG_NN_DITHER_H
#define JRG_NN_DITHER_H

#include "core/jrg_nn_arith.h" // JRG_NN_INLINE

#define JRG_NN_DITHER_GOLDEN 0x9E3779B9u
#define JRG_NN_DITHER_PAIR 0xC13FA9A9u /* A7.7 */
#define JRG_NN_DITHER_ROW 0x91E10DA5u
#define JRG_NN_DITHER_COLUMNS 0x9E00u /* A5.9 */
#define JRG_NN_DITHER_COLUMN_BLOCK 32u
#define JRG_NN_DITHER_ROW_TURN 28u
#define JRG_NN_DITHER_LAYER 0x85EBCA6Bu
#define JRG_NN_DITHER_BITS 24u

JRG_NN_INLINE uint32_t jrg_nn_mix32(uint32_t v)
{
    v ^= v >> 16;
    v *= 0x7FEB352Du;
    v ^= v >> 15;
    v *= 0x846CA68Bu;
    return v ^ (v >> 16);
}

/* The key of one training step; step counts from 0 since the seed was set. */
JRG_NN_INLINE uint32_t jrg_nn_dither_step(uint32_t seed, uint32_t step)
{
    return jrg_nn_mix32(seed + JRG_NN_DITHER_GOLDEN * step);
}

/* What jrg_nn_dither_row needs of a layer in this step. */
JRG_NN_INLINE uint32_t jrg_nn_dither_layer(uint32_t step_key, uint32_t layer)
{
    return step_key + JRG_NN_DITHER_LAYER * layer;
}

/* h of a row. */
JRG_NN_INLINE uint32_t jrg_nn_dither_row(uint32_t layer_key, uint32_t row)
{
    return jrg_nn_mix32(layer_key + row);
}

/* rho of the weight in column i of a row: 24 bits. */
JRG_NN_INLINE int32_t jrg_nn_dither(uint32_t row_key, uint32_t i)
{
    const uint32_t draw = row_key + (i >> 2) * JRG_NN_DITHER_GOLDEN;
    return (int32_t)((i & 2u) == 0u ? draw >> 8 : draw & 0xFFFFFFu);
}

/* A5.9: rho of a row of a dense int16 layer, 32 bits. */
JRG_NN_INLINE uint32_t jrg_nn_factor_dither(uint32_t layer_key, uint32_t row)
{
    return layer_key + (row << JRG_NN_DITHER_ROW_TURN);
}

/* A5.9: rho of the biases of a dense int16 layer, 32 bits. */
JRG_NN_INLINE uint32_t jrg_nn_bias_dither(uint32_t layer_key)
{
    return layer_key << 16;
}

/* A5.9: rho of the weights in block number `block` of JRG_NN_DITHER_COLUMN_BLOCK columns: 16 bits. */
JRG_NN_INLINE uint32_t jrg_nn_column_dither(uint32_t layer_key, uint32_t block)
{
    return (layer_key + JRG_NN_DITHER_COLUMNS * block) & 0xFFFFu;
}

/* A11.5: rho of the mean of quad number `quad` of a dense int16 layer's stored weights: 32 bits. */
JRG_NN_INLINE uint32_t jrg_nn_sum_dither(uint32_t layer_key, uint32_t quad)
{
    return layer_key + JRG_NN_DITHER_GOLDEN * quad;
}

/* A7.7: rho of a weight `pairs` pairs and `rows` rows behind one whose rho is `dither`. */
JRG_NN_INLINE uint32_t jrg_nn_plane_dither(uint32_t dither, uint32_t pairs, uint32_t rows)
{
    return dither + JRG_NN_DITHER_PAIR * pairs + JRG_NN_DITHER_ROW * rows;
}

/* A7.7: rho of weight number k of a row. dither: of its first weight. */
JRG_NN_INLINE uint32_t jrg_nn_weight_dither(uint32_t dither, uint32_t k)
{
    return jrg_nn_plane_dither(dither, k / 2u, 0) + ((k & 1u) << 31);
}

#endif
