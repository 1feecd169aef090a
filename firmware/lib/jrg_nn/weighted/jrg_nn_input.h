/* A3.0: take a sample in: clamp it to the input's range, into the aligned, padded buffer the kernels read. */
#ifndef JRG_NN_INPUT_H
#define JRG_NN_INPUT_H

#include "core/jrg_nn_arith.h" // jrg_nn_sats
#if JRG_NN_DSP
#include "weighted/jrg_nn_input_dsp.h" // jrg_nn_input_dsp
#endif

/* x: [inputs], any int16, any alignment; it may be the buffer itself. buffer: [inputs], in
 * [-2^input_width, 2^input_width - 1]. */
JRG_NN_INLINE void jrg_nn_input(const int16_t *x, int16_t *buffer, uint32_t inputs, uint32_t input_width)
{
#if JRG_NN_DSP
    if (((uintptr_t)x & 3u) == 0u) {
        jrg_nn_input_dsp(x, buffer, inputs, input_width);
        return;
    }
#endif
    for (uint32_t i = 0; i < inputs; i++) {
        buffer[i] = (int16_t)jrg_nn_sats(x[i], input_width);
    }
}

#endif
