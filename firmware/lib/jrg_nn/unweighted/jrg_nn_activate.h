/* A9.1 to A9.4, A9.9: activations that are operators of their own. */
#ifndef JRG_NN_ACTIVATE_H
#define JRG_NN_ACTIVATE_H

#include "weighted/jrg_nn_errors.h" // jrg_nn_mask_errors
#if JRG_NN_DSP
#include "unweighted/jrg_nn_activate_dsp.h" // jrg_nn_relu_dsp
#endif

typedef enum {
    JRG_NN_RELU,
    JRG_NN_RELU6,
    JRG_NN_LEAKY_RELU,
    JRG_NN_TANH,
    JRG_NN_SIGMOID,
} jrg_nn_activation_kind;

/* What one activation needs to know. */
typedef struct {
    jrg_nn_activation_kind kind;
    uint32_t input_width;
    uint32_t output_width;
    int32_t slope; /* of a leaky ReLU, Q15 */
    int32_t input_exponent;
    int32_t output_exponent;
} jrg_nn_activate;

/* A9.4: T[k] = round(2^15 tanh(k/16)). */
static const uint16_t jrg_nn_tanh_table[65] = {
    0,     2045,  4075,  6073,  8025,  9919,  11743, 13486, 15143, 16706, 18173, 19542, 20813,
    21986, 23066, 24054, 24956, 25776, 26519, 27191, 27797, 28341, 28830, 29268, 29660, 30010,
    30322, 30600, 30847, 31067, 31262, 31435, 31589, 31726, 31846, 31953, 32048, 32132, 32206,
    32271, 32329, 32381, 32426, 32466, 32501, 32532, 32560, 32584, 32606, 32625, 32642, 32657,
    32670, 32681, 32691, 32700, 32708, 32715, 32721, 32727, 32732, 32736, 32740, 32743, 32746,
};

/* A9.2: 6 in the tensor's format, or the largest value where 6 does not fit. */
JRG_NN_INLINE int32_t jrg_nn_six(int32_t exponent, uint32_t width)
{
    const int32_t largest = (int32_t)(1u << width) - 1;
    if (exponent < 0) {
        return exponent < -3 ? 0 : jrg_nn_rshift(6, (uint32_t)-exponent);
    }
    return exponent > 12 || (6 << exponent) > largest ? largest : 6 << exponent;
}

/* A9.4: tanh of x, Q15. */
JRG_NN_INLINE int32_t jrg_nn_tanh_q15(int32_t x, int32_t exponent)
{
    const int32_t q11 = exponent > 11 ? jrg_nn_rshift(x, (uint32_t)(exponent - 11)) : x * (1 << (11 - exponent));
    const uint32_t size = (uint32_t)jrg_nn_clamp(q11 < 0 ? -q11 : q11, 0, 8191);
    const int32_t low = jrg_nn_tanh_table[size >> 7];
    const int32_t high = jrg_nn_tanh_table[(size >> 7) + 1u];
    const int32_t value = low + (((high - low) * (int32_t)(size & 127u)) >> 7);
    return q11 < 0 ? -value : value;
}

/* A9.9: sigmoid of x, Q15. */
JRG_NN_INLINE int32_t jrg_nn_sigmoid_q15(int32_t x, int32_t exponent)
{
    return jrg_nn_rshift(32768 + jrg_nn_tanh_q15(x, exponent + 1), 1u);
}

/* One number. */
JRG_NN_INLINE int16_t jrg_nn_activated(const jrg_nn_activate *activation, int32_t x)
{
    const uint32_t width = activation->output_width;
    switch (activation->kind) {
    case JRG_NN_RELU:
        return (int16_t)(x < 0 ? 0 : x);
    case JRG_NN_RELU6:
        return (int16_t)jrg_nn_clamp(x, 0, jrg_nn_six(activation->input_exponent, width));
    case JRG_NN_LEAKY_RELU:
        return (int16_t)(x < 0 ? jrg_nn_rshift(x * activation->slope, 15u) : x);
    default:
        break;
    }
    const int32_t value = activation->kind == JRG_NN_SIGMOID ? jrg_nn_sigmoid_q15(x, activation->input_exponent)
                                                             : jrg_nn_tanh_q15(x, activation->input_exponent);
    return (int16_t)jrg_nn_sats((int32_t)jrg_nn_rshift_any(value, (uint32_t)(15 - activation->output_exponent)), width);
}

/* The error of one number, but of a ReLU6: x before, y after the activation. */
JRG_NN_INLINE int32_t jrg_nn_activation_error(const jrg_nn_activate *activation, int32_t x, int32_t y, int32_t error)
{
    int32_t factor = activation->slope;
    switch (activation->kind) {
    case JRG_NN_RELU:
        return error;
    case JRG_NN_LEAKY_RELU:
        if (x >= 0) {
            return error;
        }
        break;
    default: {
        const int32_t q15 = jrg_nn_sats(y * (1 << (15 - activation->output_exponent)), 15u);
        factor = activation->kind == JRG_NN_SIGMOID ? (q15 * (32768 - q15)) >> 15 : 32768 - ((q15 * q15) >> 15);
        break;
    }
    }
    return (int32_t)jrg_nn_rshift_wide((int64_t)error * factor, 15u);
}

#if JRG_NN_DSP
/* As jrg_nn_activate_forward, for the first numbers; returns how many they are. */
JRG_NN_INLINE uint32_t jrg_nn_activate_forward_dsp(const jrg_nn_activate *activation, const int16_t *x, int16_t *y,
                                                   uint32_t count)
{
    if (activation->kind == JRG_NN_RELU) {
        jrg_nn_relu_dsp(x, y, count / 2u);
    } else if (activation->kind == JRG_NN_RELU6) {
        jrg_nn_relu6_dsp(x, y, count / 2u, jrg_nn_six(activation->input_exponent, activation->output_width));
    } else if (activation->kind == JRG_NN_LEAKY_RELU && activation->slope <= JRG_NN_STEEPEST_SLOPE) {
        jrg_nn_leaky_relu_dsp(x, y, count / 2u, activation->slope);
    } else {
        return 0;
    }
    return count & ~1u;
}
#endif

/* x, y: [count], 4-aligned. */
JRG_NN_INLINE void jrg_nn_activate_forward(const jrg_nn_activate *activation, const int16_t *x, int16_t *y,
                                           uint32_t count)
{
    uint32_t i = 0;
#if JRG_NN_DSP
    i = jrg_nn_activate_forward_dsp(activation, x, y, count);
#endif
    for (; i < count; i++) {
        y[i] = jrg_nn_activated(activation, x[i]);
    }
}

/* A9.2: the errors below a ReLU6; where x = 0 none passes anyway. As jrg_nn_activate_backward; returns the magnitude. */
JRG_NN_INLINE uint32_t jrg_nn_relu6_backward(const int32_t *errors, const int16_t *x, uint32_t count, int32_t six,
                                             int32_t *below)
{
    const uint32_t inside = six > 0 ? (uint32_t)six - 1u : 0u; /* 1 .. six - 1 pass */
    uint32_t magnitude = 0;
#pragma GCC unroll 2
    for (uint32_t i = 0; i < count; i++) {
        const int32_t error = (uint32_t)(x[i] - 1) < inside ? errors[i] : 0;
        magnitude |= jrg_nn_magnitude(error);
        below[i] = error;
    }
    return magnitude;
}

/* errors: [count]; x, y: of the forward pass; rectified: a ReLU made x. below: [count], written. */
JRG_NN_INLINE jrg_nn_error jrg_nn_activate_backward(const jrg_nn_activate *activation, const int32_t *errors,
                                                    const int16_t *x, const int16_t *y, uint32_t count, bool rectified,
                                                    int32_t *below)
{
    if (activation->kind == JRG_NN_RELU6) {
        const int32_t six = jrg_nn_six(activation->input_exponent, activation->output_width);
        return (jrg_nn_error){.magnitude = jrg_nn_relu6_backward(errors, x, count, six, below)};
    }
    for (uint32_t i = 0; i < count; i++) {
        below[i] = jrg_nn_activation_error(activation, x[i], y[i], errors[i]);
    }
    return (jrg_nn_error){.magnitude = jrg_nn_mask_errors(below, x, count, rectified)};
}

#endif
