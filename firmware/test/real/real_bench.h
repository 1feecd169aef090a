/* A node with a generated model: its blobs and samples, and all of its state that a request may change. */
#ifndef REAL_BENCH_H
#define REAL_BENCH_H

#include "jrg_sha256.h" // JRG_SHA256_BYTES
#include "node_bench.h"
#include "real_blobs.h" // made by tests/firmware/real_programs.py: real_blobs[REAL_BLOBS][JRG_MODEL_BLOB_BYTES]

enum { REAL_SAMPLE_BYTES = 2 * (JRG_MODEL_TARGETS + JRG_MODEL_INPUTS), REAL_PART_BYTES = 236 };

/* The hash of blob number `which`. */
const uint8_t *real_bench_hash(unsigned which);

/* For a board that verifies signatures (G32): that of blob number `which`. Another board is told nothing. */
void real_bench_sign(unsigned which);
#if JRG_NODE_VERIFIES
/* That signature as a request, of the first or the second generation. */
struct request_r real_bench_signature(unsigned which, unsigned generation);
#endif

/* A good sample; the same number always gives the same one. */
void real_bench_make_sample(uint32_t number, uint8_t sample[REAL_SAMPLE_BYTES]);

/* The bytes from..to-1 of sample `number`, in frames; they must be those that the board expects. */
void real_bench_send_sample(uint32_t number, uint32_t from, uint32_t to);

/* Sends samples 0..samples-1 of a running job and ends it; checks that it is done. */
struct job_state real_bench_finish_job(uint32_t job, uint32_t samples);

/* DATA frames with the bytes from..to-1 of a blob. */
void real_bench_send_blob(const uint8_t *blob, uint32_t from, uint32_t to);

/* A request with good fields, which the caller changes. `base`: a blob's number, or REAL_NO_BASE. */
enum { REAL_NO_BASE = -1 };
struct request_r real_bench_job(uint32_t job, jrg_job_kind kind, int base, uint32_t samples);
struct request_r real_bench_online(uint32_t job, int base, uint32_t samples);

/* What L4.12 keeps: blobs, job, learner, and what is being told. Complaints, the count of instructions and the link's
 * state are no part of it. */
typedef struct {
    uint8_t staged[JRG_MODEL_BLOB_BYTES], working[JRG_MODEL_BLOB_BYTES];
    uint8_t staged_hash[JRG_LIMIT_HASH_BYTES];
    bool announced, verified, bound, has_learner, reading;
    uint32_t received_bytes, update_offset, prediction_left;
    jrg_node_job job;
#if JRG_NODE_ONLINE
    jrg_online learner;
#endif
#if JRG_NODE_PROTOTYPES
    uint32_t enrolled[JRG_MODEL_PROTOTYPES];
    int16_t prototypes[JRG_MODEL_PROTOTYPES][JRG_MODEL_FEATURES];
#endif
} real_bench_state;

/* For calls of the model without a node: weights as they are bound, and a sample. */
extern uint32_t real_bench_weights[(JRG_MODEL_BLOB_BYTES + 3) / 4];
extern int16_t real_bench_x[JRG_MODEL_INPUTS];

/* The weights become those of blob 0, the sample that of the tests. */
void real_bench_load_weights(void);

/* True if the weights are no longer those of blob 0. */
bool real_bench_weights_have_moved(void);

void real_bench_note(real_bench_state *state);

/* What a reboot does to the memory of the model: no class has a sample. */
void real_bench_forget(void);
#endif
