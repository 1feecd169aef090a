#include "real_bench.h"

#include "jrg_bytes.h"
#include "jrg_model.h"
#include "jrg_test.h"

enum { REQUEST_ID = 78 };

const uint8_t *real_bench_hash(unsigned which)
{
    static uint8_t hashes[REAL_BLOBS][JRG_SHA256_BYTES];
    jrg_sha256(real_blobs[which], JRG_MODEL_BLOB_BYTES, hashes[which]);
    return hashes[which];
}

#if JRG_NODE_VERIFIES
struct request_r real_bench_signature(unsigned which, unsigned generation)
{
    struct request_r request = {.request_choice = request_blob_signature_m_c};
    struct blob_signature *sent = &request.request_blob_signature_m;
    sent->blob_signature_id = REQUEST_ID;
    sent->blob_signature_sha256 = (struct zcbor_string){.value = real_bench_hash(which), .len = JRG_SHA256_BYTES};
    sent->blob_signature_generation = REAL_GENERATION + generation;
    sent->blob_signature_counter = REAL_COUNTER;
    sent->blob_signature_root = (struct zcbor_string){.value = (const uint8_t *)REAL_ROOT, .len = sizeof REAL_ROOT - 1};
    sent->blob_signature_signature =
        (struct zcbor_string){.value = real_signatures[which][generation], .len = JRG_LIMIT_SIGNATURE_BYTES};
    return request;
}

void real_bench_sign(unsigned which)
{
    const struct request_r request = real_bench_signature(which, 0);
    CHECK_EQUAL(node_bench_ask(&request).response_status_m.status_code, JRG_STATUS_OK);
}
#else
void real_bench_sign(unsigned which)
{
    (void)which;
}
#endif

/* Numerical recipes' generator: the same everywhere. */
static uint32_t next_of(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

void real_bench_make_sample(uint32_t number, uint8_t sample[REAL_SAMPLE_BYTES])
{
    uint32_t state = number * 2654435761u + 1u;
    for (unsigned i = 0; i < JRG_MODEL_TARGETS + JRG_MODEL_INPUTS; i++) {
        const bool is_label = jrg_model.classifier && i == 0;
        const uint32_t drawn = next_of(&state);
        jrg_bytes_put_u16(sample + 2u * i, (uint16_t)(is_label ? number % JRG_MODEL_OUTPUTS : drawn % 4096u - 2048u));
    }
}

void real_bench_send_sample(uint32_t number, uint32_t from, uint32_t to)
{
    uint8_t sample[REAL_SAMPLE_BYTES], payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    real_bench_make_sample(number, sample);
    while (from < to) {
        const uint32_t part_bytes = to - from < REAL_PART_BYTES ? to - from : REAL_PART_BYTES;
        jrg_bytes_put_u16(payload, (uint16_t)number);
        jrg_bytes_put_u16(payload + 2, (uint16_t)from);
        memcpy(payload + 4, sample + from, part_bytes);
        node_bench_say(JRG_FRAME_TYPE_SAMPLE, payload, (uint16_t)(4u + part_bytes));
        fake_host_forget(&node_bench_host);
        from += part_bytes;
    }
}

struct job_state real_bench_finish_job(uint32_t job, uint32_t samples)
{
    for (uint32_t i = 0; i < samples; i++) {
        real_bench_send_sample(i, 0, REAL_SAMPLE_BYTES);
        node_bench_settle();
    }
    const struct response_r answer = node_bench_end_job(job);
    CHECK_EQUAL(answer.response_job_state_m.job_state_state, JRG_JOB_STATE_DONE);
    return answer.response_job_state_m;
}

void real_bench_send_blob(const uint8_t *blob, uint32_t from, uint32_t to)
{
    while (from < to) {
        const uint32_t part_bytes = to - from < REAL_PART_BYTES ? to - from : REAL_PART_BYTES;
        node_bench_data(from, blob + from, (uint16_t)part_bytes);
        fake_host_forget(&node_bench_host);
        from += part_bytes;
    }
}

static struct zcbor_string base_of(int base)
{
    if (base == REAL_NO_BASE)
        return (struct zcbor_string){.value = (const uint8_t *)"", .len = 0};
    return (struct zcbor_string){.value = real_bench_hash((unsigned)base), .len = JRG_SHA256_BYTES};
}

struct request_r real_bench_job(uint32_t job, jrg_job_kind kind, int base, uint32_t samples)
{
    struct request_r request = {.request_choice = request_job_begin_m_c};
    struct job_begin *begin = &request.request_job_begin_m;
    begin->job_begin_id = REQUEST_ID;
    begin->job_begin_job = job;
    begin->job_begin_kind = (uint32_t)kind;
    begin->job_begin_base = base_of(base);
    begin->job_begin_rate_mantissa = 20000;
    begin->job_begin_rate_exponent = 19;
    begin->job_begin_samples = samples;
    begin->job_begin_seed = NODE_BENCH_SEED;
    begin->job_begin_batch = (jrg_model.operators & JRG_MODEL_OPERATOR_ACCUMULATION) != 0u ? 3 : 1;
    begin->job_begin_clip = 20000;
    return request;
}

struct request_r real_bench_online(uint32_t job, int base, uint32_t samples)
{
    struct request_r request = {.request_choice = request_online_begin_m_c};
    struct online_begin *begin = &request.request_online_begin_m;
    begin->online_begin_id = REQUEST_ID;
    begin->online_begin_job = job;
    begin->online_begin_base = base_of(base);
    begin->online_begin_rate_mantissa = 20000;
    begin->online_begin_rate_exponent = 19;
    begin->online_begin_samples = samples;
    begin->online_begin_fresh = base == REAL_NO_BASE;
    begin->online_begin_known = 7; /* the others are opened as they come */
    begin->online_begin_horizon = 6;
    begin->online_begin_replays = 2;
    begin->online_begin_slack = 410;
    begin->online_begin_threshold = 30720;
    return request;
}

void real_bench_note(real_bench_state *state)
{
    const jrg_node *node = &node_bench_node;
    memset(state, 0, sizeof *state);
    memcpy(state->staged, node->staged.blob, sizeof state->staged);
    memcpy(state->working, JRG_NODE_WORKING(node), sizeof state->working);
    memcpy(state->staged_hash, node->staged.hash, sizeof state->staged_hash);
    state->announced = node->staged.announced;
    state->verified = node->staged.verified;
    state->bound = node->bound;
    state->has_learner = node->has_learner;
    state->reading = node->update.running;
    state->received_bytes = node->staged.received_bytes;
    state->update_offset = node->update.offset;
    state->prediction_left = node->prediction.left;
    memcpy(&state->job, &node->job, sizeof state->job);
    state->job.complained = false;
    state->job.instructions = 0; /* the bench's counter falls from call to call */
#if JRG_NODE_ONLINE
    memcpy(&state->learner, jrg_online_model_state(), sizeof state->learner);
#endif
#if JRG_NODE_PROTOTYPES
    for (uint32_t label = 0; label < JRG_MODEL_PROTOTYPES; label++) {
        state->enrolled[label] = jrg_model_enrolled(label);
        if (state->enrolled[label] != 0u)
            CHECK_EQUAL(jrg_model_prototype(label, state->prototypes[label]), JRG_NN_OK);
    }
#endif
}

void real_bench_forget(void)
{
#if JRG_NODE_PROTOTYPES
    jrg_model_forget_all();
#endif
}

uint32_t real_bench_weights[(JRG_MODEL_BLOB_BYTES + 3) / 4];
int16_t real_bench_x[JRG_MODEL_INPUTS];

void real_bench_load_weights(void)
{
    memcpy(real_bench_weights, real_blobs[0], sizeof real_blobs[0]);
    for (unsigned i = 0; i < JRG_MODEL_INPUTS; i++)
        real_bench_x[i] = (int16_t)(100 + i % 1000u);
}

bool real_bench_weights_have_moved(void)
{
    return memcmp(real_bench_weights, real_blobs[0], sizeof real_blobs[0]) != 0;
}
