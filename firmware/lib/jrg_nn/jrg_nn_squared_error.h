/* A4.3, A4.4: error and loss of a regression. */
#ifndef JRG_NN_SQUARED_ERROR_H
#define JRG_NN_SQUARED_ERROR_H

#include "jrg_model.h"    // jrg_nn_result
#include "jrg_nn_arith.h" // jrg_nn_magnitude

/* outputs, target: [count], exponent fy. errors: [count], written, exponent fy. Returns the OR of A5.1. */
JRG_NN_INLINE uint32_t jrg_nn_squared_error(const int16_t *outputs, const int16_t *target, uint32_t count,
                                            int32_t *errors, jrg_nn_result *result)
{
    uint32_t magnitude = 0;
    uint64_t sum = 0;
    for (uint32_t j = 0; j < count; j++) {
        errors[j] = (int32_t)outputs[j] - target[j];
        const uint32_t size = (uint32_t)(errors[j] < 0 ? -errors[j] : errors[j]);
        sum += size * size;
        magnitude |= jrg_nn_magnitude(errors[j]);
    }
    result->correct = false;
    result->loss = sum > 0x7FFFFFFFu ? 0x7FFFFFFFu : (uint32_t)sum;
    return magnitude;
}

#endif
