/* A12: classes recognised by the mean of their features, and the way back from them into the layers below. */
#ifndef JRG_NN_PROTOTYPES_H
#define JRG_NN_PROTOTYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/jrg_nn_arith.h"     // jrg_nn_rshift_wide
#include "core/jrg_nn_status.h"    // jrg_nn_status
#include "core/jrg_nn_types.h"     // jrg_nn_match
#include "loss/jrg_nn_softmax.h"   // jrg_nn_softmax_error
#include "weighted/jrg_nn_layer.h" // jrg_nn_list_error

#define JRG_NN_MOST_ENROLLED 65535u
#define JRG_NN_NO_CLASS_LOGIT (-32768)
#define JRG_NN_RELATIVE_ONE 32768u /* 1 in Q15: A12.7 */
#define JRG_NN_GRADIENT_SHIFT 8u   /* bits that a gradient of A12.9 leaves out */

/* Constants and memory of the prototypes of a model. Sums are one vector of features after the other. */
typedef struct {
    int32_t *sums;      /* [classes][features] */
    int32_t *gradients; /* the same, of A12.9; NULL: the image has none */
    uint32_t *factors;  /* [classes]: F of A12.2, 0 for a class without samples */
    uint16_t *counts;   /* [classes] */
    uint32_t classes;   /* N */
    uint32_t features;  /* n */
    uint32_t width;     /* bx */
} jrg_nn_prototypes;

/* A12.2: F of a class with so many samples; 0 without any. */
JRG_NN_INLINE uint32_t jrg_nn_prototype_factor(uint32_t count)
{
    return count == 0u ? 0u : ((1u << 30) + count / 2u) / count;
}

/* A12.9: the gradient of a class is 0 again. */
JRG_NN_INLINE void jrg_nn_clear_gradient(const jrg_nn_prototypes *prototypes, uint32_t label)
{
    if (prototypes->gradients == NULL) {
        return;
    }
    int32_t *restrict gradient = prototypes->gradients + label * prototypes->features;
    for (uint32_t i = 0; i < prototypes->features; i++) {
        gradient[i] = 0;
    }
}

/* A12.1. x: the features. */
JRG_NN_INLINE jrg_nn_status jrg_nn_enrol(const jrg_nn_prototypes *prototypes, uint32_t label, const int16_t *x)
{
    int32_t *restrict sums = prototypes->sums + label * prototypes->features;
    if (prototypes->counts[label] == JRG_NN_MOST_ENROLLED) {
        return JRG_NN_FULL_CLASS;
    }
    for (uint32_t i = 0; i < prototypes->features; i++) {
        sums[i] += x[i];
    }
    const uint32_t count = prototypes->counts[label] + 1u;
    prototypes->counts[label] = (uint16_t)count;
    prototypes->factors[label] = jrg_nn_prototype_factor(count);
    jrg_nn_clear_gradient(prototypes, label);
    return JRG_NN_OK;
}

/* A12.1. */
JRG_NN_INLINE void jrg_nn_forget(const jrg_nn_prototypes *prototypes, uint32_t label)
{
    int32_t *restrict sums = prototypes->sums + label * prototypes->features;
    for (uint32_t i = 0; i < prototypes->features; i++) {
        sums[i] = 0;
    }
    prototypes->counts[label] = 0;
    prototypes->factors[label] = 0;
    jrg_nn_clear_gradient(prototypes, label);
}

/* A12.2: P of one feature. */
JRG_NN_INLINE int32_t jrg_nn_prototype_number(int32_t sum, uint32_t factor, uint32_t width)
{
    const int64_t mean = jrg_nn_rshift_wide((int64_t)sum * (int32_t)factor, 15u + width);
    return jrg_nn_sats((int32_t)mean, 15u);
}

/* A12.3. x: the features. */
JRG_NN_INLINE uint64_t jrg_nn_prototype_distance(const jrg_nn_prototypes *prototypes, uint32_t label, const int16_t *x)
{
    const int32_t *restrict sums = prototypes->sums + label * prototypes->features;
    const uint32_t factor = prototypes->factors[label];
    uint64_t distance = 0;
    for (uint32_t i = 0; i < prototypes->features; i++) {
        const int32_t mean = jrg_nn_prototype_number(sums[i], factor, prototypes->width);
        const int32_t difference = x[i] * (1 << (15u - prototypes->width)) - mean;
        const uint32_t size = (uint32_t)(difference < 0 ? -difference : difference); /* at most 2^16 */
        distance += (uint64_t)size * size;
    }
    return distance;
}

/* A12.3: all distances [classes], of which those of classes without samples are not written. False if no class has any. */
JRG_NN_INLINE bool jrg_nn_prototype_distances(const jrg_nn_prototypes *prototypes, const int16_t *x,
                                              uint64_t *distances, jrg_nn_match *match)
{
    bool found = false;
    match->runner_up = UINT64_MAX;
    for (uint32_t c = 0; c < prototypes->classes; c++) {
        if (prototypes->counts[c] == 0u) {
            continue;
        }
        distances[c] = jrg_nn_prototype_distance(prototypes, c, x);
        if (!found || distances[c] < match->distance) {
            match->runner_up = found ? match->distance : UINT64_MAX;
            match->distance = distances[c];
            match->label = (uint16_t)c;
            found = true;
        } else if (distances[c] < match->runner_up) {
            match->runner_up = distances[c];
        }
    }
    return found;
}

/* A12.7, Q15. others: the sum of the distances of `count` classes that are no nearer than the nearest one. */
JRG_NN_INLINE uint16_t jrg_nn_relative_distance(uint64_t nearest, uint64_t others, uint32_t count)
{
    uint64_t part = nearest * count; /* at most `others` */
    if (count == 0u) {
        return 0;
    }
    if (others == 0u) {
        return JRG_NN_RELATIVE_ONE;
    }
    while (others >> 48 != 0u) {
        others >>= 1;
        part >>= 1;
    }
    return (uint16_t)((part << 15) / others);
}

/* A12.7, A12.8. distances: those that the match was found in. */
JRG_NN_INLINE void jrg_nn_accept(const jrg_nn_prototypes *prototypes, const uint64_t *distances, uint16_t threshold,
                                 jrg_nn_match *match)
{
    uint64_t others = 0;
    uint32_t count = 0;
    for (uint32_t c = 0; c < prototypes->classes; c++) {
        if (prototypes->counts[c] != 0u && c != match->label) {
            others += distances[c];
            count++;
        }
    }
    match->relative = jrg_nn_relative_distance(match->distance, others, count);
    match->accepted = match->relative <= threshold;
}

/* A12.4: the Q11 logit of a class that is `beyond` further away than the nearest one. exponent: f. */
JRG_NN_INLINE int16_t jrg_nn_prototype_logit(uint64_t beyond, jrg_nn_rate temperature, int32_t exponent)
{
    const int32_t wanted = (int32_t)temperature.exponent + 2 * exponent - 11;
    const uint32_t shift = wanted > 0 ? (uint32_t)wanted : 0u;
    const uint32_t first = shift > 30u ? shift - 30u : 0u;
    const uint64_t kept = first > 63u ? 0u : beyond >> first;
    const uint64_t scaled = (kept < 0x7FFFFFFFu ? kept : 0x7FFFFFFFu) * temperature.mantissa >> (shift - first);
    return (int16_t) - (int32_t)(scaled < 32767u ? scaled : 32767u);
}

/* A12.4: logits [classes] of all classes from their distances. exponent: f. */
JRG_NN_INLINE void jrg_nn_prototype_logits(const jrg_nn_prototypes *prototypes, const uint64_t *distances,
                                           uint64_t nearest, jrg_nn_rate temperature, int32_t exponent, int16_t *logits)
{
    for (uint32_t c = 0; c < prototypes->classes; c++) {
        logits[c] = prototypes->counts[c] == 0u ? (int16_t)JRG_NN_NO_CLASS_LOGIT
                                                : jrg_nn_prototype_logit(distances[c] - nearest, temperature, exponent);
    }
}

/* A12.5: the error of one feature. errors: the list of the classes' errors. */
JRG_NN_INLINE int32_t jrg_nn_prototype_input_error(const jrg_nn_prototypes *prototypes, const jrg_nn_row_error *errors,
                                                   uint32_t count, uint32_t feature, uint16_t mantissa)
{
    int64_t sum = 0;
    for (uint32_t r = 0; r < count; r++) {
        const uint32_t c = errors[r].row;
        const int32_t mean = jrg_nn_prototype_number(prototypes->sums[c * prototypes->features + feature],
                                                     prototypes->factors[c], prototypes->width);
        sum += (int64_t)errors[r].value * mean;
    }
    return (int32_t)jrg_nn_rshift_wide(sum * mantissa, 15u);
}

/* A12.5. errors: the list of the classes' errors, of which `error` says how many. x: the features; input_rectified: a ReLU
 * made them. below: [features], its list is written. Returns the error of the features. fx: their exponent. */
JRG_NN_INLINE jrg_nn_error jrg_nn_prototype_backward(const jrg_nn_prototypes *prototypes,
                                                     const jrg_nn_row_error *errors, jrg_nn_error error,
                                                     const int16_t *x, bool input_rectified, jrg_nn_rate temperature,
                                                     int32_t fx, jrg_nn_row_error *below)
{
    jrg_nn_error found = {.exponent = 14 + fx - (int32_t)prototypes->width + (int32_t)temperature.exponent};
    for (uint32_t i = 0; i < prototypes->features; i++) {
        const bool passes = !input_rectified || x[i] != 0;
        const int32_t value =
            passes ? jrg_nn_prototype_input_error(prototypes, errors, error.count, i, temperature.mantissa) : 0;
        jrg_nn_list_error(below, &found, value, i);
    }
    return found;
}

/* A12.9, of one class. error: e. x: the features. */
JRG_NN_INLINE void jrg_nn_add_to_gradient(const jrg_nn_prototypes *prototypes, uint32_t label, int32_t error,
                                          const int16_t *x)
{
    const int32_t *restrict sums = prototypes->sums + label * prototypes->features;
    int32_t *restrict gradient = prototypes->gradients + label * prototypes->features;
    const uint32_t factor = prototypes->factors[label];
    for (uint32_t i = 0; i < prototypes->features; i++) {
        const int32_t mean = jrg_nn_prototype_number(sums[i], factor, prototypes->width);
        const int64_t difference = x[i] * (1 << (15u - prototypes->width)) - mean; /* 17 bits */
        const int64_t sum = gradient[i] + jrg_nn_rshift_wide(difference * error, JRG_NN_GRADIENT_SHIFT);
        gradient[i] = sum > INT32_MAX ? INT32_MAX : (sum < INT32_MIN ? INT32_MIN : (int32_t)sum);
    }
}

/* A12.9. errors: the list of the classes' errors. x: the features. */
JRG_NN_INLINE void jrg_nn_add_to_gradients(const jrg_nn_prototypes *prototypes, const jrg_nn_row_error *errors,
                                           uint32_t count, const int16_t *x)
{
    for (uint32_t r = 0; r < count; r++) {
        if (prototypes->counts[errors[r].row] != 0u) {
            jrg_nn_add_to_gradient(prototypes, errors[r].row, errors[r].value, x);
        }
    }
}

/* A12.10. x: the features of an enrolled sample of class `label`; input_rectified: a ReLU made them. below: [features], its
 * list is written. Returns the error of the features. fx: their exponent. */
JRG_NN_INLINE jrg_nn_error jrg_nn_prototype_enrolled_backward(const jrg_nn_prototypes *prototypes, uint32_t label,
                                                              const int16_t *x, bool input_rectified,
                                                              jrg_nn_rate temperature, int32_t fx,
                                                              jrg_nn_row_error *below)
{
    jrg_nn_error found = {.exponent = 6 + fx - (int32_t)prototypes->width + (int32_t)temperature.exponent};
    const int32_t *restrict gradient = prototypes->gradients + label * prototypes->features;
    const int64_t factor = (int64_t)prototypes->factors[label];
    for (uint32_t i = 0; i < prototypes->features; i++) {
        const int64_t share = jrg_nn_rshift_wide(gradient[i] * factor, 30u);
        const bool passes = !input_rectified || x[i] != 0;
        const int32_t value = passes ? (int32_t)jrg_nn_rshift_wide(share * temperature.mantissa, 15u) : 0;
        jrg_nn_list_error(below, &found, value, i);
    }
    return found;
}

#endif
