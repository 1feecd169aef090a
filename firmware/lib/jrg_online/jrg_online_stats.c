#include "jrg_online_stats.h"

#include "core/jrg_nn_arith.h" // jrg_nn_rshift_wide

enum { MEAN_EXPONENT = 15, GAIN_EXPONENT = 24, SCALE_EXPONENT = 30 };

/* O3.2: R[k] = round(2^15 sqrt(32 / (32 + k))). */
static const uint16_t jrg_online_root_table[97] = {
    32768, 32268, 31790, 31332, 30894, 30474, 30070, 29682, 29309, 28949, 28602, 28268, 27945, 27632,
    27330, 27038, 26755, 26481, 26214, 25956, 25705, 25462, 25225, 24994, 24770, 24552, 24339, 24132,
    23930, 23733, 23541, 23354, 23170, 22992, 22817, 22646, 22479, 22315, 22155, 21999, 21845, 21695,
    21548, 21404, 21263, 21124, 20988, 20855, 20724, 20596, 20470, 20346, 20225, 20106, 19988, 19873,
    19760, 19649, 19539, 19431, 19326, 19221, 19119, 19018, 18919, 18821, 18725, 18630, 18536, 18444,
    18354, 18264, 18176, 18090, 18004, 17920, 17837, 17755, 17674, 17594, 17515, 17438, 17361, 17285,
    17211, 17137, 17064, 16992, 16921, 16851, 16782, 16714, 16646, 16579, 16514, 16448, 16384,
};

/* O2.2, one input. Both factors of the square lie on the same side of 0. */
static jrg_online_stat moved(jrg_online_stat stat, int32_t x, int64_t gain)
{
    const int32_t exact = (int32_t)((uint32_t)x << MEAN_EXPONENT);
    const int32_t before = exact - stat.mean;
    const int32_t mean = stat.mean + (int32_t)jrg_nn_rshift_wide(before * gain, GAIN_EXPONENT);
    const int64_t square = (int64_t)jrg_nn_rshift(before, MEAN_EXPONENT) * jrg_nn_rshift(exact - mean, MEAN_EXPONENT);
    const int64_t variance = stat.variance + jrg_nn_rshift_wide((square - stat.variance) * gain, GAIN_EXPONENT);
    return (jrg_online_stat){mean, (uint32_t)variance};
}

void jrg_online_stats_add(jrg_online_stat *stats, const int16_t *x, uint32_t inputs, uint32_t gain)
{
    for (uint32_t i = 0; i < inputs; i++)
        stats[i] = moved(stats[i], x[i], gain);
}

/* O3.2: r of a number from 2^30. */
static int32_t reciprocal_root(uint32_t scaled)
{
    const uint32_t index = (scaled >> 25) - 32u;
    const uint32_t fraction = (scaled >> 9) & 65535u;
    const uint32_t high = jrg_online_root_table[index];
    return (int32_t)(high - (((high - jrg_online_root_table[index + 1u]) * fraction) >> 16));
}

static int16_t standardised(jrg_online_stat stat, int32_t x, uint32_t width, int32_t exponent)
{
    if (stat.variance == 0u)
        return 0;
    const uint32_t zeros = jrg_nn_leading_zeros(stat.variance) & ~1u;
    const int32_t deviation = x - jrg_nn_rshift(stat.mean, MEAN_EXPONENT);
    const int32_t shift = jrg_nn_clamp(SCALE_EXPONENT - (int32_t)(zeros / 2u) - exponent, 0, 31);
    if (shift == 31)
        return 0;
    const int32_t product = deviation * reciprocal_root(stat.variance << zeros);
    return (int16_t)jrg_nn_sats(shift == 0 ? product : jrg_nn_rshift(product, (uint32_t)shift), width);
}

void jrg_online_standardise(const jrg_online_stat *stats, int16_t *x, uint32_t inputs, uint32_t width, int32_t exponent)
{
    for (uint32_t i = 0; i < inputs; i++)
        x[i] = standardised(stats[i], x[i], width, exponent);
}
