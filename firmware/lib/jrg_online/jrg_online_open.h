/* O6: the row of a class that has not been seen. */
#ifndef JRG_ONLINE_OPEN_H
#define JRG_ONLINE_OPEN_H

#include <stdint.h>

#include "weighted/jrg_nn_layer.h" // jrg_nn_dense

/* Writes row `label`. known: bit set of the known rows, not empty; features: of its first sample; shift: of A3.3; logits:
 * of that sample before. */
void jrg_online_open_row(const jrg_nn_dense *head, uint64_t known, uint32_t label, const int16_t *features,
                         uint32_t shift, const int16_t *logits);
#endif
