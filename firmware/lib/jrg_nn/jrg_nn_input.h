/* A3.0: take a sample in: clamp it to the input's range, into the aligned, padded buffer the kernels read. */
#ifndef JRG_NN_INPUT_H
#define JRG_NN_INPUT_H

#include "jrg_nn_arith.h" // jrg_nn_sats

/* x: [inputs], any int16, any alignment. buffer: [inputs], in [-2^input_width, 2^input_width - 1]. */
JRG_NN_INLINE void jrg_nn_input(const int16_t *x, int16_t *buffer, uint32_t inputs, uint32_t input_width)
{
    for (uint32_t i = 0; i < inputs; i++) {
        buffer[i] = (int16_t)jrg_nn_sats(x[i], input_width);
    }
}

#endif
