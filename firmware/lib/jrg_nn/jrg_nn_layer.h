/* What the kernels of a trained layer share: its run-time exponents, the rate, and the list of live rows. */
#ifndef JRG_NN_LAYER_H
#define JRG_NN_LAYER_H

#include <stdint.h>

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

/* An error vector in block floating point: real = value * 2^-exponent; magnitude is the OR of A5.1, 0 for all zero. */
typedef struct {
    uint32_t magnitude;
    int32_t exponent;
} jrg_nn_error;

/* One row of weights that learns in this step (A5.6): its weights, its error e (A5.1) and its factor d (A5.4). */
typedef struct {
    int16_t *weights;
    int16_t error;
    int16_t factor;
} jrg_nn_live_row;

#endif
