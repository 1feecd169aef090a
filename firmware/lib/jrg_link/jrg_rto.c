#include "jrg_rto.h"

#include "jrg_defs.h" // JRG_MS_RTO_FIRST

static uint32_t clamp(uint32_t timeout_ms)
{
    if (timeout_ms < JRG_MS_RTO_FLOOR)
        return JRG_MS_RTO_FLOOR;
    return timeout_ms > JRG_MS_RTO_CEILING ? JRG_MS_RTO_CEILING : timeout_ms;
}

void jrg_rto_reset(jrg_rto *rto)
{
    *rto = (jrg_rto){.timeout_ms = JRG_MS_RTO_FIRST};
}

/* RFC 6298, 2.2. */
static void measure_first(jrg_rto *rto, uint32_t round_trip_ms)
{
    rto->smoothed_ms_x8 = round_trip_ms * 8;
    rto->variation_ms_x4 = round_trip_ms * 2;
    rto->measured = true;
}

/* RFC 6298, 2.3: the variation first, with the mean as it was. */
static void measure_next(jrg_rto *rto, uint32_t round_trip_ms)
{
    uint32_t mean_ms = rto->smoothed_ms_x8 / 8;
    uint32_t deviation_ms = mean_ms > round_trip_ms ? mean_ms - round_trip_ms : round_trip_ms - mean_ms;
    rto->variation_ms_x4 += deviation_ms - rto->variation_ms_x4 / 4;
    rto->smoothed_ms_x8 += round_trip_ms - mean_ms;
}

void jrg_rto_measure(jrg_rto *rto, uint32_t round_trip_ms)
{
    /* A stopped emulator or a halted core must not push the numbers out of range. */
    if (round_trip_ms > 60000)
        round_trip_ms = 60000;
    if (rto->measured)
        measure_next(rto, round_trip_ms);
    else
        measure_first(rto, round_trip_ms);
}

/* On a bad line almost every frame is sent twice and measures nothing: the timeout must not stay doubled for want of one. */
void jrg_rto_progress(jrg_rto *rto)
{
    uint32_t margin_ms = rto->variation_ms_x4 > 0 ? rto->variation_ms_x4 : 1;
    rto->timeout_ms = rto->measured ? clamp(rto->smoothed_ms_x8 / 8 + margin_ms) : JRG_MS_RTO_FIRST;
}

void jrg_rto_back_off(jrg_rto *rto)
{
    rto->timeout_ms = clamp(rto->timeout_ms * 2);
}
