/* A5.6 on the DSP extension: 8 weights in 19 instructions.
 *
 * The step is the top half of d * x' + rho with x' = x << (15 - bx): the multiplication adds the dither on its way. */
#ifndef JRG_NN_DENSE_UPDATE_DSP_H
#define JRG_NN_DENSE_UPDATE_DSP_H

#include "core/jrg_nn_dither.h"    // jrg_nn_column_dither
#include "core/jrg_nn_dsp.h"       // jrg_nn_pair
#include "weighted/jrg_nn_layer.h" // jrg_nn_active_row

/* Both halves of a pair x, shifted left by 15 - input_width. */
JRG_NN_INLINE uint32_t jrg_nn_shifted_pair(uint32_t pair, uint32_t input_width)
{
    const uint32_t left = 15u - input_width;
    return (pair << left) & ~(((1u << left) - 1u) << 16);
}

/* x': the whole vector, in place. */
JRG_NN_INLINE void jrg_nn_shift_inputs(int16_t *x, uint32_t words, uint32_t input_width)
{
    jrg_nn_pair *pairs = (jrg_nn_pair *)(void *)x;
#pragma GCC unroll 8
    for (uint32_t i = 0; i < words; i++) {
        pairs[i] = jrg_nn_shifted_pair(pairs[i], input_width);
    }
}

/* One pair of weights: two products, their top halves packed, one saturating subtraction. Spoils x. */
#define JRG_NN_STEP_PAIR(w, x)                                                                                         \
    "smlatt %[t], %[ed], " x ", %[rho]\n\t"                                                                            \
    "smlatb " x ", %[ed], " x ", %[rho]\n\t"                                                                           \
    "pkhtb " x ", %[t], " x ", asr #16\n\t"                                                                            \
    "qsub16 " w ", " w ", " x "\n\t"

/* 8 weights of one row; factor: d in the top half; rho: of these columns. Moves both pointers on. */
JRG_NN_INLINE void jrg_nn_update8(const int16_t **x, int16_t **weights, uint32_t factor, uint32_t rho)
{
    uint32_t product;
    __asm__ volatile("ldmia %[x]!, {r4, r5, r6, r8}\n\t"
                     "ldmia %[w], {r9, r10, r11, r12}\n\t" JRG_NN_STEP_PAIR("r9", "r4") JRG_NN_STEP_PAIR("r10", "r5")
                         JRG_NN_STEP_PAIR("r11", "r6") JRG_NN_STEP_PAIR("r12", "r8") "stmia %[w]!, {r9, r10, r11, r12}"
                     : [x] "+r"(*x), [w] "+r"(*weights), [t] "=&r"(product)
                     : [ed] "r"(factor), [rho] "r"(rho)
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
}

/* 2 weights of one row. */
JRG_NN_INLINE void jrg_nn_update2(const int16_t **x, int16_t **weights, uint32_t factor, uint32_t rho)
{
    uint32_t product;
    __asm__ volatile("ldr r4, [%[x]], #4\n\t"
                     "ldr r5, [%[w]]\n\t" JRG_NN_STEP_PAIR("r5", "r4") "str r5, [%[w]], #4"
                     : [x] "+r"(*x), [w] "+r"(*weights), [t] "=&r"(product)
                     : [ed] "r"(factor), [rho] "r"(rho)
                     : "r4", "r5", "memory");
}

/* Up to JRG_NN_DITHER_COLUMN_BLOCK weights of one row: `words` pairs of them, under one rho. */
JRG_NN_INLINE void jrg_nn_update_block(const int16_t **x, int16_t **weights, uint32_t words, uint32_t factor,
                                       uint32_t rho)
{
#pragma GCC unroll 4
    for (uint32_t eights = words / 4u; eights > 0u; eights--) {
        jrg_nn_update8(x, weights, factor, rho);
    }
#pragma GCC unroll 4
    for (uint32_t pairs = words % 4u; pairs > 0u; pairs--) {
        jrg_nn_update2(x, weights, factor, rho);
    }
}

/* One row of `words` pairs of weights. */
JRG_NN_INLINE void jrg_nn_update_row(const int16_t *x, int16_t *weights, uint32_t words, uint32_t factor,
                                     uint32_t layer_key)
{
    const uint32_t block_words = JRG_NN_DITHER_COLUMN_BLOCK / 2u;
    uint32_t turned = layer_key;
#pragma GCC unroll 2
    for (uint32_t blocks = words / block_words; blocks > 0u; blocks--) {
        jrg_nn_update_block(&x, &weights, block_words, factor, jrg_nn_column_dither(turned, 0));
        turned += JRG_NN_DITHER_COLUMNS;
    }
    jrg_nn_update_block(&x, &weights, words % block_words, factor, jrg_nn_column_dither(turned, 0));
}

/* As jrg_nn_dense_update. x is 4-aligned and padded with 0; it is overwritten with x'. */
JRG_NN_INLINE void jrg_nn_dense_update_dsp(const jrg_nn_dense *layer, const jrg_nn_active_row *rows, uint32_t count,
                                           int16_t *x, uint32_t layer_key)
{
    const uint32_t words = (layer->inputs + 1u) / 2u;
    if (layer->input_width < 15u) {
        jrg_nn_shift_inputs(x, words, layer->input_width);
    }
    for (const jrg_nn_active_row *row = rows; row != rows + count; row++) {
        const uint32_t factor = *(const jrg_nn_pair *)(const void *)&row->error;
        jrg_nn_update_row(x, row->weights, words, factor, layer_key);
    }
}

#endif
