/* A9.6: the sum of two tensors. */
#ifndef JRG_NN_ADD_H
#define JRG_NN_ADD_H

#include "jrg_nn_errors.h" // jrg_nn_mask_errors

/* a, b, y: [count]. The shifts bring a and b to the exponent of y: 0..30. width: magnitude bits of y. */
JRG_NN_INLINE void jrg_nn_add_forward(const int16_t *a, const int16_t *b, int16_t *y, uint32_t count, uint32_t shift_a,
                                      uint32_t shift_b, uint32_t width, bool relu)
{
    const int32_t limit = (int32_t)(1u << width);
    for (uint32_t i = 0; i < count; i++) {
        const int64_t sum = jrg_nn_rshift_any(a[i], shift_a) + jrg_nn_rshift_any(b[i], shift_b);
        y[i] = (int16_t)jrg_nn_clamp((int32_t)sum, relu ? 0 : -limit, limit - 1);
    }
}

/* errors: [count]; x: one operand; rectified: a ReLU made it. below: [count], written. */
JRG_NN_INLINE jrg_nn_error jrg_nn_add_backward(const int32_t *errors, const int16_t *x, uint32_t count, bool rectified,
                                               int32_t *below)
{
    for (uint32_t i = 0; i < count; i++) {
        below[i] = errors[i];
    }
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, count, rectified)};
}

#endif
