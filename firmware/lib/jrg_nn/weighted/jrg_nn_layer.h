/* What the kernels of a trained layer share: its run-time exponents, the rate, and the list of active rows. */
#ifndef JRG_NN_LAYER_H
#define JRG_NN_LAYER_H

#include <stdint.h>

#include "core/jrg_nn_arith.h" // jrg_nn_magnitude

/* Run-time exponents of one layer, read from a checked blob (A2.1, A2.2, A3.3, A5.6). */
typedef struct {
    int8_t weight_exponent; /* fw: 8..15 */
    int8_t input_exponent;  /* fx */
    int8_t forward_shift;   /* fw + fx - fy: 2..30 */
    int8_t bias_shift;      /* q: -30..14 */
} jrg_nn_exponents;

/* The rate with the loss factor in it: mantissa * 2^-exponent (A5.3). */
typedef struct {
    int16_t mantissa;
    int16_t exponent;
} jrg_nn_step_rate;

/* One number g of an error vector (A5.1), and the row of weights it belongs to. Numbers that are 0 are left out.
 * A list is in the order of the rows. */
typedef struct {
    int32_t value;
    uint32_t row;
} jrg_nn_row_error;

/* An error vector: real = value * 2^-exponent; count numbers of it are listed; magnitude is the OR of A5.1. */
typedef struct {
    uint32_t magnitude;
    uint32_t count;
    int32_t exponent;
} jrg_nn_error;

/* One row of weights that learns in this step (A5.6): its weights, its error e (A5.1) and its factor d (A5.4).
 * A list of rows is followed by a row without weights, at an even place: a kernel takes two at a time.
 * may_alias: a row may be written where an error was read before (jrg_nn_active_rows). */
typedef struct __attribute__((may_alias)) {
    int16_t *weights;
    int16_t error;
    int16_t factor;
} jrg_nn_active_row;

/* Constants and memory of one dense layer, for the kernels of the backward pass. */
typedef struct {
    int16_t *weights; /* [outputs][inputs padded to even], 4-aligned */
    int32_t *biases;  /* [outputs] */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t input_width; /* bx */
    uint32_t error_width; /* be */
} jrg_nn_dense;

/* Puts g of a row on the list, unless it is 0. The exponent stays. */
JRG_NN_INLINE void jrg_nn_list_error(jrg_nn_row_error *errors, jrg_nn_error *error, int32_t value, uint32_t row)
{
    if (value != 0) {
        errors[error->count] = (jrg_nn_row_error){value, row};
        error->magnitude |= jrg_nn_magnitude(value);
        error->count++;
    }
}

#endif
