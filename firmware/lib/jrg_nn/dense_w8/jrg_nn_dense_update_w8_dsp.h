/* A8.4 on the DSP extension: 8 weights in 27 instructions.
 *
 * With x' = x << (15 - bx) the step is the top byte of d * x' + rho: the multiplication adds the dither on its way. */
#ifndef JRG_NN_DENSE_UPDATE_W8_DSP_H
#define JRG_NN_DENSE_UPDATE_W8_DSP_H

#include "dense/jrg_nn_dense_update_dsp.h" // jrg_nn_shift_inputs
#include "core/jrg_nn_dither.h"            // JRG_NN_DITHER_GOLDEN
#include "weighted/jrg_nn_layer_w8.h"      // jrg_nn_active_row_w8

/* One quad w of weights under d (top half of ed), two pairs of x', and the draw R, which moves on. Spoils x0, x1. */
#define JRG_NN_STEP_QUAD_W8(w, x0, x1)                                                                                 \
    "lsr %[rho], %[draw], #8\n\t"                                                                                      \
    "smlatt %[t], %[ed], " x0 ", %[rho]\n\t"                                                                           \
    "smlatb " x0 ", %[ed], " x0 ", %[rho]\n\t"                                                                         \
    "pkhtb " x0 ", %[t], " x0 ", asr #16\n\t"                                                                          \
    "bic %[rho], %[draw], #0xFF000000\n\t"                                                                             \
    "smlatt %[t], %[ed], " x1 ", %[rho]\n\t"                                                                           \
    "smlatb " x1 ", %[ed], " x1 ", %[rho]\n\t"                                                                         \
    "pkhtb " x1 ", %[t], " x1 ", asr #16\n\t"                                                                          \
    "add %[draw], %[draw], %[golden]\n\t"                                                                              \
    "and " x1 ", " x1 ", #0xFF00FF00\n\t"                                                                              \
    "uxtab16 " x1 ", " x1 ", " x0 ", ror #8\n\t"                                                                       \
    "qsub8 " w ", " w ", " x1 "\n\t"

/* One row on its way along x'. */
typedef struct {
    const int16_t *x;
    int8_t *weights;
    uint32_t draw;   /* R of A8.5 */
    uint32_t factor; /* d in the top half */
} jrg_nn_updated_row_w8;

/* 8 weights. */
JRG_NN_INLINE void jrg_nn_update8_w8(jrg_nn_updated_row_w8 *row)
{
    uint32_t rho, product;
    __asm__ volatile(
        "ldmia %[x]!, {r4, r5, r6, r8}\n\t"
        "ldrd r9, r10, [%[w]]\n\t" JRG_NN_STEP_QUAD_W8("r9", "r4", "r5")
            JRG_NN_STEP_QUAD_W8("r10", "r6", "r8") "strd r9, r10, [%[w]], #8"
        : [x] "+&r"(row->x), [w] "+&r"(row->weights), [draw] "+&r"(row->draw), [t] "=&r"(product), [rho] "=&r"(rho)
        : [ed] "r"(row->factor), [golden] "r"(JRG_NN_DITHER_GOLDEN)
        : "r4", "r5", "r6", "r8", "r9", "r10", "memory");
}

/* 4 weights. */
JRG_NN_INLINE void jrg_nn_update4_w8(jrg_nn_updated_row_w8 *row)
{
    uint32_t rho, product;
    __asm__ volatile(
        "ldrd r4, r5, [%[x]], #8\n\t"
        "ldr r9, [%[w]]\n\t" JRG_NN_STEP_QUAD_W8("r9", "r4", "r5") "str r9, [%[w]], #4"
        : [x] "+&r"(row->x), [w] "+&r"(row->weights), [draw] "+&r"(row->draw), [t] "=&r"(product), [rho] "=&r"(rho)
        : [ed] "r"(row->factor), [golden] "r"(JRG_NN_DITHER_GOLDEN)
        : "r4", "r5", "r9", "memory");
}

/* As jrg_nn_dense_update_w8. x is 4-aligned; it is overwritten with x'. */
JRG_NN_INLINE void jrg_nn_dense_update_w8_dsp(const jrg_nn_dense_w8 *layer, const jrg_nn_active_row_w8 *rows,
                                              uint32_t count, int16_t *x)
{
    const uint32_t quads = (layer->inputs + 3u) / 4u;
    if (layer->input_width < 15u) {
        jrg_nn_shift_inputs(x, 2u * quads, layer->input_width);
    }
    for (const jrg_nn_active_row_w8 *active = rows; active != rows + count; active++) {
        jrg_nn_updated_row_w8 row = {x, active->weights, active->dither,
                                     *(const jrg_nn_pair *)(const void *)&active->error};
#pragma GCC unroll 8
        for (uint32_t blocks = quads / 2u; blocks > 0u; blocks--) {
            jrg_nn_update8_w8(&row);
        }
        if ((quads & 1u) != 0u) {
            jrg_nn_update4_w8(&row);
        }
    }
}

#endif
