/* A node with the fake model, and a host that asks it. */
#ifndef NODE_BENCH_H
#define NODE_BENCH_H

#define NODE_BENCH_SEED 0x12345678u /* of every job begun */

#include "fake_host.h"
#include "jrg_messages_types.h"
#include "jrg_node.h"

extern fake_host node_bench_host;
extern jrg_node node_bench_node;
extern uint32_t node_bench_now_ms;

void node_bench_boot(void);
void node_bench_connect(uint8_t window); /* boots, says HELLO */
void node_bench_say(jrg_frame_type type, const void *payload, uint16_t len_bytes);

/* Acknowledges all that has come and lets the node send what is due. */
void node_bench_settle(void);

/* Sends a request and returns the answer, which is the newest MSG. */
struct response_r node_bench_ask(const struct request_r *request);

/* The newest frame of a type, decoded; it must be there. */
struct response_r node_bench_newest(jrg_frame_type type);

/* Short forms. */
struct response_r node_bench_begin_blob(const uint8_t hash[32], uint32_t size_bytes);
struct response_r node_bench_end_blob(const uint8_t hash[32]);
struct response_r node_bench_begin_job(uint32_t job, uint8_t kind, const uint8_t *base, uint32_t samples);
struct response_r node_bench_end_job(uint32_t job);
struct response_r node_bench_cancel(uint32_t job);
struct response_r node_bench_read_update(uint32_t job, uint32_t offset);
void node_bench_data(uint32_t offset, const uint8_t *bytes, uint16_t len_bytes);
void node_bench_sample(uint16_t index, int16_t label, int16_t x0, int16_t x1, int16_t x2);

/* A blob of the fake model whose first weight is `weight`, and its hash. */
void node_bench_make_blob(int16_t weight, uint8_t blob[JRG_MODEL_BLOB_BYTES], uint8_t hash[32]);
/* Sends it whole. */
void node_bench_stage(const uint8_t *blob, const uint8_t hash[32]);
#endif
