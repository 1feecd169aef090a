/* Retransmission timeout after RFC 6298 (L3.3), in whole milliseconds. */
#ifndef JRG_RTO_H
#define JRG_RTO_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t timeout_ms;
    uint32_t smoothed_ms_x8;  /* srtt, times 8 (alpha 1/8) */
    uint32_t variation_ms_x4; /* rttvar, times 4 (beta 1/4) */
    bool measured;
} jrg_rto;

void jrg_rto_reset(jrg_rto *rto);

/* A round trip of a frame that was sent only once (Karn's rule is the caller's). */
void jrg_rto_measure(jrg_rto *rto, uint32_t round_trip_ms);

/* Something new was acknowledged: the next timeout is the first in its row. */
void jrg_rto_progress(jrg_rto *rto);

/* After a timeout: doubled, up to the ceiling. */
void jrg_rto_back_off(jrg_rto *rto);
#endif
