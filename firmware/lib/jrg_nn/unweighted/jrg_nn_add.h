/* A9.6: the sum of two tensors. */
#ifndef JRG_NN_ADD_H
#define JRG_NN_ADD_H

#include "weighted/jrg_nn_errors.h" // jrg_nn_mask_errors
#if JRG_NN_DSP
#include "core/jrg_nn_dsp.h" // jrg_nn_ssat
#endif

/* A1.1 of int16 numbers: rshift(v, shift) = (v + half) >> shift, in 32 bits. */
typedef struct {
    int32_t half;
    uint32_t shift;
} jrg_nn_short_shift;

/* shift: 0..30. */
JRG_NN_INLINE jrg_nn_short_shift jrg_nn_short_shift_of(uint32_t shift)
{
    return (jrg_nn_short_shift){shift == 0u ? 0 : (int32_t)(1u << (shift - 1u)), shift};
}

JRG_NN_INLINE int32_t jrg_nn_shifted_short(int32_t v, jrg_nn_short_shift by)
{
    return (v + by.half) >> by.shift;
}

/* a, b, y: [count]. The shifts bring a and b to the exponent of y: 0..30. width: magnitude bits of y. */
JRG_NN_INLINE void jrg_nn_add_forward(const int16_t *a, const int16_t *b, int16_t *y, uint32_t count, uint32_t shift_a,
                                      uint32_t shift_b, uint32_t width, bool relu)
{
    const jrg_nn_short_shift by_a = jrg_nn_short_shift_of(shift_a);
    const jrg_nn_short_shift by_b = jrg_nn_short_shift_of(shift_b);
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; i++) {
        const int32_t sum = jrg_nn_shifted_short(a[i], by_a) + jrg_nn_shifted_short(b[i], by_b);
#if JRG_NN_DSP
        y[i] = (int16_t)(relu ? jrg_nn_usat(sum, width) : jrg_nn_ssat(sum, width));
#else
        const int32_t limit = (int32_t)(1u << width);
        y[i] = (int16_t)jrg_nn_clamp(sum, relu ? 0 : -limit, limit - 1);
#endif
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
