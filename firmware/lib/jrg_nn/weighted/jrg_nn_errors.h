/* Error tensors (int32, one exponent) of operators that are not dense layers: from and to lists, summed, masked. */
#ifndef JRG_NN_ERRORS_H
#define JRG_NN_ERRORS_H

#include "weighted/jrg_nn_layer.h" // jrg_nn_row_error
#if JRG_NN_DSP
#include "weighted/jrg_nn_errors_dsp.h" // jrg_nn_mask_errors_dsp
#endif

/* A rounded shift (A1.1) by 0..63. */
JRG_NN_INLINE int64_t jrg_nn_rshift_any(int64_t v, uint32_t shift)
{
    return shift == 0u ? v : jrg_nn_rshift_wide(v, shift);
}

/* Sets count numbers to 0. */
JRG_NN_INLINE void jrg_nn_clear_errors(int32_t *errors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        errors[i] = 0;
    }
}

/* Writes a list as a tensor of count errors. */
JRG_NN_INLINE void jrg_nn_spread_errors(const jrg_nn_row_error *list, const jrg_nn_error *error, int32_t *errors,
                                        uint32_t count)
{
    jrg_nn_clear_errors(errors, count);
    for (uint32_t i = 0; i < error->count; i++) {
        errors[list[i].row] = list[i].value;
    }
}

/* Writes a tensor of count errors as a list; error->count becomes its length. */
JRG_NN_INLINE void jrg_nn_list_errors(const int32_t *errors, uint32_t count, jrg_nn_row_error *list,
                                      jrg_nn_error *error)
{
    error->magnitude = 0;
    error->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        jrg_nn_list_error(list, error, errors[i], i);
    }
}

/* Where a ReLU was shut (x = 0) no error passes; and the magnitude of what is left (A5.1). errors, x: [count], 4-aligned;
 * errors and x do not overlap. */
JRG_NN_INLINE uint32_t jrg_nn_mask_errors(int32_t *errors, const int16_t *x, uint32_t count, bool rectified)
{
    uint32_t magnitude = 0;
    uint32_t i = 0;
#if JRG_NN_DSP
    i = count & ~1u;
    magnitude = rectified ? jrg_nn_mask_errors_dsp(errors, x, i) : jrg_nn_magnitude_dsp(errors, i);
#endif
    for (; i < count; i++) {
        if (rectified && x[i] == 0) {
            errors[i] = 0;
        }
        magnitude |= jrg_nn_magnitude(errors[i]);
    }
    return magnitude;
}

/* A9.7: one reader's error g, shifted to the exponent of the sum. shift: 1 or more. */
JRG_NN_INLINE int32_t jrg_nn_aligned_error(int32_t error, uint32_t shift)
{
    return shift > 31u ? 0 : jrg_nn_rshift(error, shift);
}

/* A9.7: adds the error of one more reader of a tensor to those so far, in place. */
JRG_NN_INLINE jrg_nn_error jrg_nn_sum_errors(int32_t *sums, jrg_nn_error so_far, const int32_t *errors,
                                             jrg_nn_error more, uint32_t count)
{
    if (more.magnitude == 0u) {
        return so_far;
    }
    const bool first = so_far.magnitude == 0u;
    const int32_t least = so_far.exponent < more.exponent ? so_far.exponent : more.exponent;
    jrg_nn_error sum = {.exponent = first ? more.exponent : least - 1};
    for (uint32_t i = 0; i < count; i++) {
        if (first) {
            sums[i] = errors[i];
        } else {
            sums[i] = jrg_nn_aligned_error(sums[i], (uint32_t)(so_far.exponent - sum.exponent)) +
                      jrg_nn_aligned_error(errors[i], (uint32_t)(more.exponent - sum.exponent));
        }
        sum.magnitude |= jrg_nn_magnitude(sums[i]);
    }
    return sum;
}

#endif
