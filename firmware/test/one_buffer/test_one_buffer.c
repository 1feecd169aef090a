/* L4.3 of a board with one buffer: what is staged is trained in place. Built with JRG_NODE_BUFFERS=1. */
#include "jrg_bytes.h"
#include "jrg_test.h"
#include "node_bench.h"

static uint8_t blob[JRG_MODEL_BLOB_BYTES], hash[32];

static void connect_and_stage(int16_t weight)
{
    node_bench_connect(8);
    node_bench_make_blob(weight, blob, hash);
    node_bench_stage(blob, hash);
}

static int16_t working_weight(unsigned index)
{
    return (int16_t)jrg_bytes_get_u16((const uint8_t *)JRG_NODE_WORKING(&node_bench_node) + 4 + 2 * index);
}

static struct identity identify(void)
{
    struct request_r request = {.request_choice = request_identify_m_c};
    return node_bench_ask(&request).response_identity_m;
}

TEST(l4_3_a_job_trains_the_staged_blob_in_place_and_uses_it_up)
{
    connect_and_stage(5);
    CHECK_EQUAL(identify().identity_staged.len, 32);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    node_bench_sample(0, 0, 3, 0, 0);
    CHECK_EQUAL(working_weight(0), 8);
    CHECK_EQUAL(identify().identity_staged.len, 0);
    CHECK_EQUAL(identify().identity_working.len, 32);
    struct response_r again = node_bench_begin_job(5, JRG_JOB_KIND_TRAIN, hash, 1);
    CHECK_EQUAL(again.response_choice, response_status_m_c);
    CHECK_EQUAL(again.response_status_m.status_code, JRG_STATUS_NO_BLOB);
    (void)node_bench_begin_job(6, JRG_JOB_KIND_TRAIN, NULL, 1);
    node_bench_sample(0, 0, 3, 0, 0);
    CHECK_EQUAL(working_weight(0), 11);
}

TEST(l4_3_to_evaluate_leaves_the_staged_blob_as_it_is)
{
    connect_and_stage(5);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_EVALUATE, hash, 1);
    node_bench_sample(0, 0, 3, 0, 0);
    struct response_r train = node_bench_begin_job(5, JRG_JOB_KIND_TRAIN, hash, 1);
    CHECK_EQUAL(train.response_choice, response_job_state_m_c);
}

TEST(l4_3_a_download_takes_the_working_weights_and_their_job)
{
    connect_and_stage(5);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2);
    node_bench_sample(0, 0, 3, 0, 0);
    node_bench_make_blob(6, blob, hash);
    node_bench_stage(blob, hash);
    CHECK_EQUAL(identify().identity_working.len, 0);
    struct response_r begun = node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2);
    CHECK_EQUAL(begun.response_job_state_m.job_state_done, 0); /* forgotten: it begins again from the blob */
    CHECK_EQUAL(working_weight(0), 6);
}
