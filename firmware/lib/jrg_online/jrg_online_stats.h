/* O2, O3: running mean and variance of every input, and inputs standardised with them. */
#ifndef JRG_ONLINE_STATS_H
#define JRG_ONLINE_STATS_H

#include <stdint.h>

/* Of one input: mean * 2^15, variance. */
typedef struct {
    int32_t mean;
    uint32_t variance;
} jrg_online_stat;

/* O2.1: the part of a new sample in an average over count samples, Q24. count: 1 or more. */
static inline uint32_t jrg_online_gain(uint32_t count)
{
    return ((1u << 24) + count / 2u) / count;
}

/* O2.2 with the gain of O2.1. stats, x: [inputs]. */
void jrg_online_stats_add(jrg_online_stat *stats, const int16_t *x, uint32_t inputs, uint32_t gain);

/* O3.2, in place. x: [inputs]; width and exponent: bx and fx of the network's input. */
void jrg_online_standardise(const jrg_online_stat *stats, int16_t *x, uint32_t inputs, uint32_t width,
                            int32_t exponent);
#endif
