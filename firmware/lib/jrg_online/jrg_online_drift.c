#include "jrg_online_drift.h"

#include "core/jrg_nn_arith.h" // jrg_nn_rshift
#include "jrg_online_stats.h"  // jrg_online_gain

enum { MOST_LOSS = 1 << 13, MEAN_SHIFT = 12, GAIN_EXPONENT = 24, LONGEST_MEAN = 4096, LEAST_SAMPLES = 30 };

bool jrg_online_drift_add(jrg_online_drift *drift, uint32_t loss, uint32_t slack, uint32_t threshold)
{
    if (threshold == 0u)
        return false;
    const int32_t clipped = loss < MOST_LOSS ? (int32_t)loss : MOST_LOSS;
    const uint32_t count = drift->samples < LONGEST_MEAN ? drift->samples + 1u : LONGEST_MEAN;
    const int64_t distance = (clipped << MEAN_SHIFT) - drift->mean;
    drift->mean += (int32_t)jrg_nn_rshift_wide(distance * jrg_online_gain(count), GAIN_EXPONENT);
    drift->samples = count;
    const int32_t excess = drift->excess + clipped - jrg_nn_rshift(drift->mean, MEAN_SHIFT) - (int32_t)slack;
    drift->excess = excess > 0 ? excess : 0;
    return count >= LEAST_SAMPLES && drift->excess > (int32_t)threshold;
}
