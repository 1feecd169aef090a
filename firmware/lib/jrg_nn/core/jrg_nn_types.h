/* The types that the interface of a model and the kernels share. Kernels know no more of a model than these. */
#ifndef JRG_NN_TYPES_H
#define JRG_NN_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* What a model is: constants of its image. */
typedef struct {
    const char *name;
    uint8_t architecture[8]; /* A6.2 */
    uint32_t blob_bytes;
    uint16_t inputs;  /* int16 numbers of one input */
    uint16_t outputs; /* int16 numbers of one output */
    uint16_t targets; /* int16 numbers of one target: 1 (a class label) or as many as outputs */
    bool classifier;
    uint32_t arena_bytes; /* RAM beside the blob: activations, errors, list of active rows */
    uint32_t operators;
} jrg_model_info;

/* Learning rate mantissa * 2^-exponent (A5.2). */
typedef struct {
    uint16_t mantissa;
    uint8_t exponent;
} jrg_nn_rate;

/* Figures of one sample (A4.4). `correct` is always false for a regression. */
typedef struct {
    bool correct;
    uint32_t loss;
} jrg_nn_result;

/* Which class a sample was recognised as, and how far it is from its prototype and the next one (A12.3): squared, in units
 * of 2^-2f. runner_up: UINT64_MAX if only one class has samples. relative: Q15 (A12.7), accepted: A12.8. */
typedef struct {
    uint16_t label;
    uint16_t relative;
    bool accepted;
    uint64_t distance;
    uint64_t runner_up;
} jrg_nn_match;

#endif
