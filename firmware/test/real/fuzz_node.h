/* Any bytes, and the board still answers: no crash, no hang, nothing read or written outside of an array (P1 of
 * protocol.md); what it refuses changes nothing (L4.12). The node is the real one, and so are its model and learner. */
#ifndef FUZZ_NODE_H
#define FUZZ_NODE_H

#include <stddef.h>
#include <stdint.h>

/* One run from a fresh boot. `choices` decide what is sent: mostly sequences that make sense (a blob, a job on it, its
 * samples, its update), with fields and bytes changed here and there. It ends where they end. */
void fuzz_node_run(const uint8_t *choices, size_t len_bytes);

/* As many as there are kinds of jobs; fuzz_node.c checks it. */
#define FUZZ_NODE_JOB_KINDS 7

/* How often things went right in all runs so far, to see that they do: jobs of each kind that ended, blobs verified … */
typedef struct {
    unsigned long frames, refused, blobs_verified, jobs_done[FUZZ_NODE_JOB_KINDS], updates_read, predictions, sessions;
} fuzz_node_counts;

const fuzz_node_counts *fuzz_node_counted(void);
#endif
