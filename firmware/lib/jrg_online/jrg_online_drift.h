/* O7: Page and Hinkley's test on the loss. */
#ifndef JRG_ONLINE_DRIFT_H
#define JRG_ONLINE_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

/* All 0 at first. */
typedef struct {
    uint32_t samples; /* t */
    int32_t mean;     /* M, Q23 */
    int32_t excess;   /* U, Q11 */
} jrg_online_drift;

/* O7.1: takes one loss (Q11); true if what was learned no longer holds. slack, threshold: Q11; threshold 0: never. */
bool jrg_online_drift_add(jrg_online_drift *drift, uint32_t loss, uint32_t slack, uint32_t threshold);
#endif
