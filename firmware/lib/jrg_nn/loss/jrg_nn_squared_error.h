/* A4.3, A4.4: error and loss of a regression. */
#ifndef JRG_NN_SQUARED_ERROR_H
#define JRG_NN_SQUARED_ERROR_H

#include "core/jrg_nn_types.h"     // jrg_nn_result
#include "weighted/jrg_nn_layer.h" // jrg_nn_list_error

/* outputs, target: [count], exponent fy. errors: [count], its list is written. Returns the error, exponent fy. */
JRG_NN_INLINE jrg_nn_error jrg_nn_squared_error(const int16_t *outputs, const int16_t *target, uint32_t count,
                                                int32_t exponent, jrg_nn_row_error *errors, jrg_nn_result *result)
{
    jrg_nn_error error = {.exponent = exponent};
    uint64_t sum = 0;
    for (uint32_t j = 0; j < count; j++) {
        const int32_t difference = (int32_t)outputs[j] - target[j];
        const uint32_t size = (uint32_t)(difference < 0 ? -difference : difference);
        sum += size * size;
        jrg_nn_list_error(errors, &error, difference, j);
    }
    result->correct = false;
    result->loss = sum > 0x7FFFFFFFu ? 0x7FFFFFFFu : (uint32_t)sum;
    return error;
}

#endif
