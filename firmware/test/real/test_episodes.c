/* L4.13: what a board does with enrolled samples that teach is what the model does with the same samples. */
#include "jrg_messages_decode.h"
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum { ENROL_JOB = 4, TRAIN_JOB = 5, ENROLLED_JOB = 6, SAMPLES = 12 };

static const jrg_nn_rate temperature = {20000, 15};
static int16_t sample[JRG_MODEL_TARGETS + JRG_MODEL_INPUTS];
static uint32_t expected[(JRG_MODEL_BLOB_BYTES + 3) / 4];

static const int16_t *sample_of(uint32_t number)
{
    real_bench_make_sample(number, (uint8_t *)sample);
    return sample + JRG_MODEL_TARGETS;
}

static struct request_r request_of(uint32_t job, jrg_job_kind kind, int base)
{
    struct request_r request = real_bench_job(job, kind, base, SAMPLES);
    request.request_job_begin_m.job_begin_batch = 1;
    request.request_job_begin_m.job_begin_rate_exponent = 18;
    request.request_job_begin_m.job_begin_fresh = true;
    request.request_job_begin_m.job_begin_temperature_mantissa = temperature.mantissa;
    request.request_job_begin_m.job_begin_temperature_exponent = temperature.exponent;
    return request;
}

/* A job on all samples. */
static struct job_state work(uint32_t job, jrg_job_kind kind, int base)
{
    const struct request_r request = request_of(job, kind, base);
    CHECK_EQUAL(node_bench_ask(&request).response_choice, response_job_state_m_c);
    fake_host_forget(&node_bench_host);
    node_bench_settle();
    return real_bench_finish_job(job, SAMPLES);
}

static void boot(void)
{
    real_bench_forget();
    node_bench_connect(8);
    node_bench_stage(real_blobs[0], real_bench_hash(0));
    fake_host_forget(&node_bench_host);
}

/* The same three jobs without a node. */
static void model_episode(jrg_nn_rate rate)
{
    memcpy(expected, real_blobs[0], sizeof real_blobs[0]);
    CHECK_EQUAL(jrg_model_bind(expected), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_set_rate(rate), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_set_temperature(temperature), JRG_NN_OK);
    jrg_model_forget_all();
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const int16_t *x = sample_of(i);
        CHECK_EQUAL(jrg_model_enrol(x, (uint32_t)sample[0]), JRG_NN_OK);
    }
    jrg_model_set_seed(NODE_BENCH_SEED);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        jrg_nn_result result = {0};
        const int16_t *x = sample_of(i);
        CHECK_EQUAL(jrg_model_train_prototypes(x, sample, &result), JRG_NN_OK);
    }
    jrg_model_set_seed(NODE_BENCH_SEED);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const int16_t *x = sample_of(i);
        CHECK_EQUAL(jrg_model_train_enrolled(x, (uint32_t)sample[0]), JRG_NN_OK);
    }
}

TEST(l4_13_an_episode_takes_the_steps_of_the_model)
{
    static uint8_t learned[JRG_MODEL_BLOB_BYTES];
    boot();
    (void)work(ENROL_JOB, JRG_JOB_KIND_ENROL, 0);
    (void)work(TRAIN_JOB, JRG_JOB_KIND_TRAIN, REAL_NO_BASE);
    memcpy(learned, JRG_NODE_WORKING(&node_bench_node), sizeof learned);
    const struct job_state state = work(ENROLLED_JOB, JRG_JOB_KIND_TRAIN_ENROLLED, REAL_NO_BASE);
    CHECK_EQUAL(state.job_state_done, SAMPLES);
    CHECK(memcmp(learned, JRG_NODE_WORKING(&node_bench_node), sizeof learned) != 0);
    memcpy(learned, JRG_NODE_WORKING(&node_bench_node), sizeof learned);
    const struct request_r request = request_of(TRAIN_JOB, JRG_JOB_KIND_TRAIN, REAL_NO_BASE);
    model_episode((jrg_nn_rate){(uint16_t)request.request_job_begin_m.job_begin_rate_mantissa,
                                (uint8_t)request.request_job_begin_m.job_begin_rate_exponent});
    CHECK(memcmp(expected, learned, sizeof learned) == 0);
}

TEST(l4_13_an_enrolled_sample_of_a_class_without_a_prototype_is_refused)
{
    boot();
    (void)work(ENROL_JOB, JRG_JOB_KIND_ENROL, 0);
    (void)sample_of(0);
    CHECK_EQUAL(jrg_model_forget((uint32_t)sample[0]), JRG_NN_OK);
    const struct request_r request = request_of(ENROLLED_JOB, JRG_JOB_KIND_TRAIN_ENROLLED, REAL_NO_BASE);
    CHECK_EQUAL(node_bench_ask(&request).response_choice, response_job_state_m_c);
    fake_host_forget(&node_bench_host);
    node_bench_settle();
    real_bench_send_sample(0, 0, REAL_SAMPLE_BYTES);
    CHECK_EQUAL(node_bench_node.job.done, 0);
    CHECK_EQUAL(node_bench_node.job.state, JRG_JOB_STATE_RUNNING);
    real_bench_send_sample(0, 0, REAL_SAMPLE_BYTES);
    CHECK_EQUAL(node_bench_node.job.done, 0);
}
