/* A4.1, A4.2, A4.4: softmax and cross-entropy of Q11 logits. */
#ifndef JRG_NN_SOFTMAX_H
#define JRG_NN_SOFTMAX_H

#include "core/jrg_nn_arith.h"     // jrg_nn_leading_zeros
#include "core/jrg_nn_types.h"     // jrg_nn_result
#include "weighted/jrg_nn_layer.h" // jrg_nn_error

#define JRG_NN_LOG2_E_Q14 23637u
#define JRG_NN_LN_2_Q14 11357
#define JRG_NN_PROBABILITY_EXPONENT 15 /* of the error of A4.2 */
#define JRG_NN_BAD_LABEL_LOSS 0x7FFFFFFFu
#define JRG_NN_TOP_LOGIT 32767

/* A4.1: T[k] = round(2^15 2^(-k/32)). */
static const uint16_t jrg_nn_exp2_table[33] = {
    32768, 32066, 31379, 30706, 30048, 29405, 28774, 28158, 27554, 26964, 26386,
    25821, 25268, 24726, 24196, 23678, 23170, 22674, 22188, 21713, 21247, 20792,
    20347, 19911, 19484, 19066, 18658, 18258, 17867, 17484, 17109, 16743, 16384,
};

/* A4.4: Lg[k] = round(2^11 log2(1 + k/32)). */
static const uint16_t jrg_nn_log2_table[33] = {
    0,    91,   179,  265,  348,  429,  508,  585,  659,  732,  803,  873,  941,  1007, 1072, 1136, 1198,
    1259, 1319, 1377, 1435, 1491, 1546, 1600, 1653, 1706, 1757, 1808, 1857, 1906, 1954, 2001, 2048,
};

/* A4.1: t, how far a logit lies below the largest, Q11 to base 2. */
JRG_NN_INLINE uint32_t jrg_nn_below_top(int32_t top, int32_t logit)
{
    return ((uint32_t)(top - logit) * JRG_NN_LOG2_E_Q14) >> 14;
}

/* A4.1: u = 2^-t in Q15. */
JRG_NN_INLINE uint32_t jrg_nn_power_of_half(uint32_t t)
{
    const uint32_t index = (t & 2047u) >> 6;
    const uint32_t high = jrg_nn_exp2_table[index];
    const uint32_t low = jrg_nn_exp2_table[index + 1u];
    const uint32_t value = high - (((high - low) * (t & 63u)) >> 6);
    return t >> 11 > 15u ? 0u : value >> (t >> 11);
}

/* A4.4: log2 of a sum of powers, Q11. sum is not 0. */
JRG_NN_INLINE uint32_t jrg_nn_log2(uint32_t sum)
{
    const uint32_t zeros = jrg_nn_leading_zeros(sum);
    const uint32_t fraction = ((sum << zeros) >> 15) & 65535u;
    const uint32_t low = jrg_nn_log2_table[fraction >> 11];
    const uint32_t high = jrg_nn_log2_table[(fraction >> 11) + 1u];
    return ((31u - zeros) << 11) + low + (((high - low) * (fraction & 2047u)) >> 11);
}

/* A4.4: the loss in Q11 nats of a label t below the top. */
JRG_NN_INLINE uint32_t jrg_nn_cross_entropy(uint32_t t, uint32_t sum)
{
    const int32_t loss = (((int32_t)(t + jrg_nn_log2(sum)) - (15 << 11)) * JRG_NN_LN_2_Q14) >> 14;
    return loss < 0 ? 0u : (uint32_t)loss;
}

/* A4.2: the first largest logit. */
JRG_NN_INLINE uint32_t jrg_nn_prediction(const int16_t *logits, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t j = 1; j < count; j++) {
        best = logits[j] > logits[best] ? j : best;
    }
    return best;
}

/* A4.2: errors[j].value, which holds u_j, becomes p_j - [j = label] in Q15, and the list is closed up. */
JRG_NN_INLINE jrg_nn_error jrg_nn_softmax_errors(jrg_nn_row_error *errors, uint32_t count, uint32_t sum, uint32_t label)
{
    jrg_nn_error error = {.exponent = JRG_NN_PROBABILITY_EXPONENT};
    for (uint32_t j = 0; j < count; j++) {
        const uint32_t probability = (((uint32_t)errors[j].value << 15) + sum / 2u) / sum;
        jrg_nn_list_error(errors, &error, (int32_t)probability - (j == label ? 32768 : 0), j);
    }
    return error;
}

/* logits: [count], Q11. errors: [count], its list is written. Returns the error, Q15.
 * A label outside 0..count-1 teaches nothing, nor one whose logit is the top of its format (A4.2). */
JRG_NN_INLINE jrg_nn_error jrg_nn_softmax_error(const int16_t *logits, uint32_t count, int16_t label,
                                                jrg_nn_row_error *errors, jrg_nn_result *result)
{
    result->correct = false;
    result->loss = JRG_NN_BAD_LABEL_LOSS;
    if (label < 0 || (uint32_t)label >= count) {
        return (jrg_nn_error){0};
    }
    const uint32_t best = jrg_nn_prediction(logits, count);
    uint32_t sum = 0;
    for (uint32_t j = 0; j < count; j++) {
        const uint32_t power = jrg_nn_power_of_half(jrg_nn_below_top(logits[best], logits[j]));
        errors[j].value = (int32_t)power;
        sum += power;
    }
    result->correct = best == (uint32_t)label;
    result->loss = jrg_nn_cross_entropy(jrg_nn_below_top(logits[best], logits[label]), sum);
    if (logits[label] == JRG_NN_TOP_LOGIT) {
        return (jrg_nn_error){0};
    }
    return jrg_nn_softmax_errors(errors, count, sum, (uint32_t)label);
}

#endif
