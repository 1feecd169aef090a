/* A11.7: clipping of the output error. All gradients of a sample are linear in it, so this scales them all by one factor. */
#ifndef JRG_NN_CLIP_H
#define JRG_NN_CLIP_H

#include "weighted/jrg_nn_layer.h" // jrg_nn_error

#define JRG_NN_NO_CLIP UINT32_MAX /* no magnitude (A5.1) is as large */

/* errors: [error.count], the largest |value| below 2^16. limit: at least 1. Rewrites the list; numbers that become 0 are
 * left out. Call it where error.magnitude >= limit: below it, no |value| is above the limit. */
static __attribute__((noinline)) jrg_nn_error jrg_nn_clip_error(jrg_nn_row_error *errors, jrg_nn_error error,
                                                                uint32_t limit)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < error.count; i++) {
        const int32_t value = errors[i].value;
        const uint32_t size = (uint32_t)(value < 0 ? -value : value);
        largest = size > largest ? size : largest;
    }
    if (largest <= limit) {
        return error;
    }
    const int32_t scale = (int32_t)((limit << 15) / largest);
    jrg_nn_error clipped = {.exponent = error.exponent};
    for (uint32_t i = 0; i < error.count; i++) {
        jrg_nn_list_error(errors, &clipped, jrg_nn_rshift(errors[i].value * scale, 15u), errors[i].row);
    }
    return clipped;
}

#endif
