/* A5.2, A5.3: the learning rate, checked, with the loss factor in it. */
#ifndef JRG_NN_RATE_H
#define JRG_NN_RATE_H

#include "core/jrg_nn_arith.h"     // JRG_NN_INLINE
#include "core/jrg_nn_types.h"     // jrg_nn_rate
#include "weighted/jrg_nn_layer.h" // jrg_nn_step_rate

/* A5.3: the factor of the loss gradient, mantissa * 2^-exponent; mantissa 0 stands for a factor of one. */
typedef struct {
    uint16_t mantissa;
    int16_t exponent;
} jrg_nn_loss_factor;

/* A5.2. */
JRG_NN_INLINE bool jrg_nn_rate_is_valid(jrg_nn_rate rate)
{
    return rate.mantissa >= 16384u && rate.mantissa <= 32767u && rate.exponent >= 15u && rate.exponent <= 46u;
}

/* A5.3. rate: valid. */
JRG_NN_INLINE jrg_nn_step_rate jrg_nn_rate_with_factor(jrg_nn_rate rate, jrg_nn_loss_factor factor)
{
    if (factor.mantissa == 0u) {
        return (jrg_nn_step_rate){(int16_t)rate.mantissa, (int16_t)rate.exponent};
    }
    const uint32_t mantissa = ((uint32_t)rate.mantissa * factor.mantissa + (1u << 14)) >> 15;
    const int32_t exponent = (int32_t)rate.exponent + factor.exponent - 15;
    if (mantissa < 16384u) {
        return (jrg_nn_step_rate){(int16_t)(2u * mantissa), (int16_t)(exponent + 1)};
    }
    return (jrg_nn_step_rate){(int16_t)mantissa, (int16_t)exponent};
}

#endif
