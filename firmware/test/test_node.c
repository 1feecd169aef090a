/* L4: what a board does for its host. */
#include "jrg_bytes.h"
#include "jrg_crc32.h"
#include "jrg_model.h"
#include "jrg_sha256.h"
#include "jrg_test.h"
#include "node_bench.h"

static uint8_t blob[JRG_MODEL_BLOB_BYTES], hash[32];

static void connect_and_stage(int16_t weight)
{
    node_bench_connect(8);
    node_bench_make_blob(weight, blob, hash);
    node_bench_stage(blob, hash);
}

static void check_status(struct response_r answer, jrg_status code, uint32_t detail)
{
    CHECK_EQUAL(answer.response_choice, response_status_m_c);
    CHECK_EQUAL(answer.response_status_m.status_code, code);
    CHECK_EQUAL(answer.response_status_m.status_detail, detail);
}

static int16_t working_weight(unsigned index)
{
    return (int16_t)jrg_bytes_get_u16((const uint8_t *)JRG_NODE_WORKING(&node_bench_node) + 4 + 2 * index);
}

static struct identity identify(void)
{
    struct request_r request = {.request_choice = request_identify_m_c, .request_identify_m = {.identify_id = 5}};
    struct response_r answer = node_bench_ask(&request);
    CHECK_EQUAL(answer.response_choice, response_identity_m_c);
    return answer.response_identity_m;
}

TEST(l4_1_identity_says_what_the_board_is)
{
    node_bench_connect(4);
    struct identity identity = identify();
    CHECK_EQUAL(identity.identity_id, 5);
    CHECK(identity.identity_board.len == 5 && memcmp(identity.identity_board.value, "bench", 5) == 0);
    CHECK_EQUAL(identity.identity_uid.len, 4);
    CHECK_EQUAL(identity.identity_blob_bytes, JRG_MODEL_BLOB_BYTES);
    CHECK_EQUAL(identity.identity_window, 4);
    CHECK_EQUAL(identity.identity_reset_cause, JRG_RESET_CAUSE_PIN);
    CHECK_EQUAL(identity.identity_staged.len, 0);
    CHECK_EQUAL(identity.identity_working.len, 0);
}

TEST(l4_1_identity_names_the_blobs)
{
    connect_and_stage(5);
    (void)node_bench_begin_job(1, JRG_JOB_KIND_EVALUATE, hash, 1);
    struct identity identity = identify();
    CHECK(identity.identity_staged.len == 32 && memcmp(identity.identity_staged.value, hash, 32) == 0);
    CHECK(identity.identity_working.len == 32 && memcmp(identity.identity_working.value, hash, 32) == 0);
}

TEST(l4_2_a_blob_of_another_size_is_refused_before_a_byte_is_taken)
{
    node_bench_connect(8);
    node_bench_make_blob(1, blob, hash);
    check_status(node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES + 1), JRG_STATUS_BAD_SIZE, JRG_MODEL_BLOB_BYTES);
    node_bench_data(0, blob, 100);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_NO_TRANSFER, 0);
}

TEST(l4_2_a_staged_blob_is_not_asked_for_again)
{
    connect_and_stage(1);
    struct response_r answer = node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES);
    CHECK_EQUAL(answer.response_choice, response_blob_state_m_c);
    CHECK(answer.response_blob_state_m.blob_state_complete);
}

TEST(l4_2_a_broken_download_is_resumed_where_it_ended)
{
    node_bench_connect(8);
    node_bench_make_blob(1, blob, hash);
    (void)node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES);
    node_bench_data(0, blob, 200);
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    size_t len_bytes = fake_host_hello_bytes(99, 8, bytes);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, 0);
    struct response_r answer = node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES);
    CHECK_EQUAL(answer.response_blob_state_m.blob_state_offset, 200);
    CHECK(!answer.response_blob_state_m.blob_state_complete);
    check_status(node_bench_end_blob(hash), JRG_STATUS_INCOMPLETE, 200);
    node_bench_data(200, blob + 200, 200);
    node_bench_data(400, blob + 400, 100);
    check_status(node_bench_end_blob(hash), JRG_STATUS_OK, JRG_MODEL_BLOB_BYTES);
}

TEST(l4_2_a_wrong_offset_is_complained_of_once)
{
    node_bench_connect(8);
    node_bench_make_blob(1, blob, hash);
    (void)node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES);
    node_bench_data(0, blob, 100);
    fake_host_forget(&node_bench_host);
    node_bench_data(200, blob + 200, 100);
    node_bench_data(300, blob + 300, 100);
    CHECK_EQUAL(fake_host_count(&node_bench_host, JRG_FRAME_TYPE_MSG), 1);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_BAD_OFFSET, 100);
    CHECK_EQUAL(node_bench_newest(JRG_FRAME_TYPE_MSG).response_status_m.status_id, 0);
}

TEST(l4_2_more_bytes_than_the_blob_has_are_refused)
{
    node_bench_connect(8);
    node_bench_make_blob(1, blob, hash);
    (void)node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES);
    node_bench_data(0, blob, 200);
    node_bench_data(200, blob + 200, 200);
    node_bench_data(400, blob, 101);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_BAD_SIZE, 400);
}

/* All of the blob is sent; its end is answered with `code`, and no job begins with it. */
static void check_refused_blob(jrg_status code)
{
    (void)node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES);
    node_bench_data(0, blob, 200);
    node_bench_data(200, blob + 200, 200);
    node_bench_data(400, blob + 400, 100);
    CHECK_EQUAL(node_bench_end_blob(hash).response_status_m.status_code, code);
    check_status(node_bench_begin_job(1, JRG_JOB_KIND_TRAIN, hash, 1), JRG_STATUS_NO_BLOB, 0);
}

TEST(l4_2_other_bytes_than_announced_are_not_used)
{
    node_bench_connect(8);
    node_bench_make_blob(1, blob, hash);
    blob[300] = 1;
    check_refused_blob(JRG_STATUS_BAD_HASH);
    CHECK_EQUAL(node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES).response_blob_state_m.blob_state_offset, 0);
}

TEST(l4_2_a_blob_the_model_refuses_is_not_used)
{
    node_bench_connect(8);
    node_bench_make_blob(1, blob, hash);
    blob[0] = 'X';
    jrg_sha256(blob, sizeof blob, hash);
    check_refused_blob(JRG_STATUS_BAD_MAGIC);
}

TEST(l4_3_training_leaves_the_staged_blob_as_it_was)
{
    connect_and_stage(5);
    (void)node_bench_begin_job(1, JRG_JOB_KIND_TRAIN, hash, 1);
    node_bench_sample(0, 0, 3, 0, 0);
    CHECK_EQUAL(working_weight(0), 8);
    node_bench_settle();
    (void)node_bench_begin_job(2, JRG_JOB_KIND_TRAIN, hash, 1);
    CHECK_EQUAL(working_weight(0), 5);
}

TEST(l4_3_an_empty_base_goes_on_with_the_working_weights)
{
    connect_and_stage(5);
    (void)node_bench_begin_job(1, JRG_JOB_KIND_TRAIN, hash, 1);
    node_bench_sample(0, 0, 3, 0, 0);
    node_bench_settle();
    (void)node_bench_begin_job(2, JRG_JOB_KIND_TRAIN, NULL, 1);
    node_bench_sample(0, 0, 3, 0, 0);
    CHECK_EQUAL(working_weight(0), 11);
}

TEST(l4_3_without_weights_there_is_no_job)
{
    node_bench_connect(8);
    check_status(node_bench_begin_job(1, JRG_JOB_KIND_INFER, NULL, 1), JRG_STATUS_NOT_BOUND, 0);
}

TEST(l4_3_inference_goes_on_during_a_download)
{
    connect_and_stage(5);
    (void)node_bench_begin_job(1, JRG_JOB_KIND_INFER, hash, 1);
    node_bench_settle();
    uint8_t other[JRG_MODEL_BLOB_BYTES], other_hash[32];
    node_bench_make_blob(9, other, other_hash);
    (void)node_bench_begin_blob(other_hash, JRG_MODEL_BLOB_BYTES);
    node_bench_data(0, other, 200);
    node_bench_sample(0, 0, 1, 2, 3);
    struct response_r answer = node_bench_newest(JRG_FRAME_TYPE_MSG);
    CHECK_EQUAL(answer.response_choice, response_prediction_m_c);
    CHECK_EQUAL(answer.response_prediction_m.prediction_outputs_int[0], 6);
}

TEST(l4_4_a_job_counts_its_samples_and_ends)
{
    connect_and_stage(0);
    struct response_r answer = node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 3);
    CHECK_EQUAL(answer.response_job_state_m.job_state_state, JRG_JOB_STATE_RUNNING);
    CHECK_EQUAL(answer.response_job_state_m.job_state_blob_crc, 0);
    for (uint16_t i = 0; i < 3; i++)
        node_bench_sample(i, i == 1, 1, 0, 100);
    struct job_state state = node_bench_end_job(4).response_job_state_m;
    CHECK_EQUAL(state.job_state_state, JRG_JOB_STATE_DONE);
    CHECK_EQUAL(state.job_state_done, 3);
    CHECK_EQUAL(state.job_state_correct, 2);
    CHECK_EQUAL(state.job_state_loss_sum, 300);
    CHECK_EQUAL(state.job_state_loss_exponent, 11);
    CHECK(state.job_state_instructions > 0);
    CHECK_EQUAL(state.job_state_blob_crc,
                jrg_crc32(0, (const uint8_t *)JRG_NODE_WORKING(&node_bench_node), JRG_MODEL_BLOB_BYTES));
}

static void say_part(uint16_t index, uint16_t offset, const uint8_t *bytes, uint16_t len_bytes)
{
    uint8_t payload[64];
    jrg_bytes_put_u16(payload, index);
    jrg_bytes_put_u16(payload + 2, offset);
    memcpy(payload + 4, bytes, len_bytes);
    node_bench_say(JRG_FRAME_TYPE_SAMPLE, payload, (uint16_t)(4 + len_bytes));
}

TEST(l4_4_a_sample_may_come_in_pieces)
{
    const uint8_t sample[8] = {0, 0, 7, 0, 0, 0, 0, 0};
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    say_part(0, 0, sample, 3);
    say_part(0, 3, sample + 3, 4);
    CHECK_EQUAL(working_weight(0), 0);
    say_part(0, 7, sample + 7, 1);
    CHECK_EQUAL(working_weight(0), 7);
}

TEST(l4_4_a_sample_out_of_order_or_too_long_is_refused)
{
    const uint8_t sample[9] = {0};
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2);
    node_bench_sample(1, 0, 1, 1, 1);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_BAD_SAMPLE, 0);
    node_bench_sample(0, 0, 1, 1, 1);
    fake_host_forget(&node_bench_host);
    say_part(1, 0, sample, 9);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_BAD_SAMPLE, 1);
    CHECK_EQUAL(node_bench_end_job(4).response_job_state_m.job_state_done, 1);
}

TEST(l4_4_nothing_is_learnt_from_a_label_the_network_does_not_have)
{
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    node_bench_sample(0, 2, 1, 1, 1);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_BAD_SAMPLE, 0);
    node_bench_sample(0, -1, 1, 1, 1);
    CHECK_EQUAL(working_weight(0), 0);
    node_bench_sample(0, 1, 1, 1, 1);
    CHECK_EQUAL(working_weight(0), 1);
}

TEST(l4_4_index_counts_modulo_65536)
{
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_EVALUATE, hash, 70000);
    node_bench_node.job.done = 65535;
    node_bench_sample(65535, 0, 1, 1, 1);
    node_bench_sample(0, 0, 1, 1, 1);
    CHECK_EQUAL(node_bench_end_job(4).response_job_state_m.job_state_done, 65537);
}

TEST(l4_4_a_new_job_ends_the_one_before)
{
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 5);
    (void)node_bench_begin_job(5, JRG_JOB_KIND_TRAIN, hash, 5);
    CHECK_EQUAL(node_bench_end_job(4).response_job_state_m.job_state_state, JRG_JOB_STATE_UNKNOWN);
    CHECK_EQUAL(node_bench_end_job(5).response_job_state_m.job_state_state, JRG_JOB_STATE_RUNNING);
}

TEST(l4_5_a_job_begun_again_is_not_trained_again)
{
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2);
    node_bench_sample(0, 0, 1, 1, 1);
    struct job_state state = node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2).response_job_state_m;
    CHECK_EQUAL(state.job_state_done, 1);
    CHECK_EQUAL(working_weight(0), 1);
    node_bench_sample(1, 0, 1, 1, 1);
    state = node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2).response_job_state_m;
    CHECK_EQUAL(state.job_state_state, JRG_JOB_STATE_DONE);
    CHECK_EQUAL(working_weight(0), 2);
}

TEST(l4_5_a_sample_cut_off_by_a_new_session_comes_whole_again)
{
    const uint8_t sample[8] = {0, 0, 7, 0, 0, 0, 0, 0};
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    say_part(0, 0, sample, 5);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    node_bench_sample(0, 0, 7, 0, 0);
    CHECK_EQUAL(working_weight(0), 7);
}

TEST(l4_5_a_reboot_forgets_the_job)
{
    node_bench_connect(8);
    CHECK_EQUAL(node_bench_end_job(4).response_job_state_m.job_state_state, JRG_JOB_STATE_UNKNOWN);
}

TEST(l4_6_evaluate_changes_no_weight)
{
    connect_and_stage(3);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_EVALUATE, hash, 1);
    node_bench_sample(0, 0, 1, 1, 50);
    CHECK_EQUAL(working_weight(0), 3);
    CHECK_EQUAL(node_bench_end_job(4).response_job_state_m.job_state_correct, 1);
}

TEST(l4_6_each_sample_of_an_inference_is_answered)
{
    connect_and_stage(10);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_INFER, hash, 2);
    for (uint16_t i = 0; i < 2; i++) {
        node_bench_sample(i, 99, (int16_t)i, -5, 0);
        struct prediction prediction = node_bench_newest(JRG_FRAME_TYPE_MSG).response_prediction_m;
        CHECK_EQUAL(prediction.prediction_job, 4);
        CHECK_EQUAL(prediction.prediction_index, i);
        CHECK_EQUAL(prediction.prediction_outputs_int_count, 2);
        CHECK_EQUAL(prediction.prediction_outputs_int[0], 10 + i);
        CHECK_EQUAL(prediction.prediction_outputs_int[1], -5);
    }
}

TEST(l4_6_an_unknown_kind_and_a_wrong_rate_are_refused)
{
    connect_and_stage(1);
    check_status(node_bench_begin_job(4, 3, hash, 1), JRG_STATUS_UNSUPPORTED, 0);
    struct request_r request = {.request_choice = request_job_begin_m_c};
    request.request_job_begin_m.job_begin_job = 5;
    request.request_job_begin_m.job_begin_base = (struct zcbor_string){.value = hash, .len = 32};
    request.request_job_begin_m.job_begin_rate_mantissa = 3;
    check_status(node_bench_ask(&request), JRG_STATUS_BAD_RATE, 0);
    request.request_job_begin_m.job_begin_base.len = 31;
    check_status(node_bench_ask(&request), JRG_STATUS_MALFORMED, 0);
}

uint32_t fake_model_seed(void); /* in fake/fake_model.c */

TEST(l4_4_the_seed_of_a_job_reaches_the_model_once)
{
    connect_and_stage(1);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2);
    CHECK_EQUAL(fake_model_seed(), NODE_BENCH_SEED);
    jrg_model_set_seed(7);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 2);
    CHECK_EQUAL(fake_model_seed(), 7); /* a job begun again goes on with its own dither (L4.5) */
}

uint32_t fake_model_summed(void); /* in fake/fake_model.c */
uint32_t fake_model_clip(void);
uint32_t fake_model_loss_threshold(void);

static struct response_r begin_batches(uint32_t job, uint32_t batch, uint32_t samples)
{
    struct request_r request = {.request_choice = request_job_begin_m_c};
    request.request_job_begin_m.job_begin_job = job;
    request.request_job_begin_m.job_begin_base = (struct zcbor_string){.value = hash, .len = 32};
    request.request_job_begin_m.job_begin_rate_mantissa = 16384;
    request.request_job_begin_m.job_begin_rate_exponent = 20;
    request.request_job_begin_m.job_begin_samples = samples;
    request.request_job_begin_m.job_begin_batch = batch;
    request.request_job_begin_m.job_begin_clip = 77;
    request.request_job_begin_m.job_begin_loss_threshold = 99;
    return node_bench_ask(&request);
}

TEST(l4_4_the_rest_of_a_jobs_samples_is_a_step_when_the_job_ends)
{
    connect_and_stage(1);
    (void)begin_batches(4, 3, 5);
    CHECK_EQUAL(fake_model_clip(), 77);
    CHECK_EQUAL(fake_model_loss_threshold(), 99);
    for (uint16_t i = 0; i < 4; i++)
        node_bench_sample(i, 0, 1, 1, 1);
    CHECK_EQUAL(fake_model_summed(), 1);
    node_bench_sample(4, 0, 1, 1, 1);
    CHECK_EQUAL(fake_model_summed(), 0);
    CHECK_EQUAL(node_bench_end_job(4).response_job_state_m.job_state_state, JRG_JOB_STATE_DONE);
}

TEST(l4_4_no_samples_a_step_are_refused)
{
    connect_and_stage(1);
    check_status(begin_batches(5, 0, 5), JRG_STATUS_UNSUPPORTED, 0);
}

static uint32_t read_update_bytes(uint8_t *out)
{
    uint32_t end = 0;
    for (unsigned i = 0; i < node_bench_host.count; i++) {
        const fake_host_frame *frame = &node_bench_host.frames[i];
        if (frame->header.type != JRG_FRAME_TYPE_DATA)
            continue;
        uint32_t at = jrg_bytes_get_u32(frame->payload);
        uint32_t data_bytes = frame->header.len_bytes - 4u;
        CHECK(at + data_bytes <= JRG_MODEL_BLOB_BYTES);
        memcpy(out + at, frame->payload + 4, data_bytes);
        end = at + data_bytes;
    }
    return end;
}

TEST(l4_7_the_update_is_the_working_blob)
{
    uint8_t update[JRG_MODEL_BLOB_BYTES] = {0};
    connect_and_stage(1);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    node_bench_sample(0, 0, 1, 1, 1);
    check_status(node_bench_read_update(4, 0), JRG_STATUS_OK, JRG_MODEL_BLOB_BYTES);
    node_bench_settle();
    node_bench_settle();
    CHECK_EQUAL(read_update_bytes(update), JRG_MODEL_BLOB_BYTES);
    CHECK(memcmp(update, JRG_NODE_WORKING(&node_bench_node), sizeof update) == 0);
    check_status(node_bench_read_update(4, 400), JRG_STATUS_OK, JRG_MODEL_BLOB_BYTES);
    node_bench_settle();
    CHECK_EQUAL(fake_host_newest(&node_bench_host, JRG_FRAME_TYPE_DATA)->header.len_bytes, 104);
}

TEST(l4_7_no_update_of_a_job_that_is_running_or_unknown)
{
    connect_and_stage(1);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 1);
    check_status(node_bench_read_update(4, 0), JRG_STATUS_BUSY, JRG_MODEL_BLOB_BYTES);
    check_status(node_bench_read_update(3, 0), JRG_STATUS_NO_JOB, JRG_MODEL_BLOB_BYTES);
    (void)node_bench_cancel(4);
    check_status(node_bench_read_update(4, JRG_MODEL_BLOB_BYTES + 1), JRG_STATUS_BAD_OFFSET, JRG_MODEL_BLOB_BYTES);
}

TEST(l4_11_a_board_whose_network_has_no_head_says_so)
{
    connect_and_stage(1);
    struct request_r request = {.request_choice = request_online_begin_m_c};
    request.request_online_begin_m.online_begin_job = 5;
    request.request_online_begin_m.online_begin_base = (struct zcbor_string){.value = (const uint8_t *)"", .len = 0};
    check_status(node_bench_ask(&request), JRG_STATUS_UNSUPPORTED, 0);
    struct request_r read = {.request_choice = request_online_read_m_c};
    check_status(node_bench_ask(&read), JRG_STATUS_UNSUPPORTED, 0);
}

TEST(l4_8_health_goes_out_every_two_seconds_of_a_session)
{
    node_bench_boot();
    jrg_node_poll(&node_bench_node, 5000);
    CHECK_EQUAL(node_bench_host.count, 0);
    CHECK_EQUAL(jrg_node_wait_ms(&node_bench_node, 5000), JRG_LINK_FOREVER_MS);
    node_bench_connect(8);
    CHECK_EQUAL(jrg_node_wait_ms(&node_bench_node, 500), 1500);
    jrg_node_poll(&node_bench_node, 1999);
    CHECK_EQUAL(fake_host_count(&node_bench_host, JRG_FRAME_TYPE_EVENT), 0);
    jrg_node_poll(&node_bench_node, 2000);
    struct health health = node_bench_newest(JRG_FRAME_TYPE_EVENT).response_health_m;
    CHECK_EQUAL(health.health_id, 0);
    CHECK_EQUAL(health.health_uptime_ms, 2000);
    CHECK_EQUAL(health.health_stack_free_bytes, 1000);
    CHECK_EQUAL(health.health_frames_in, 1);
}

TEST(l4_8_progress_goes_out_every_16_samples)
{
    connect_and_stage(1);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_EVALUATE, hash, 40);
    for (uint16_t i = 0; i < 32; i++) {
        fake_host_forget(&node_bench_host);
        node_bench_sample(i, 0, 1, 1, 1);
        CHECK_EQUAL(fake_host_count(&node_bench_host, JRG_FRAME_TYPE_EVENT), i % 16 == 15);
    }
    CHECK_EQUAL(node_bench_newest(JRG_FRAME_TYPE_EVENT).response_progress_m.progress_done, 32);
}

TEST(l4_9_what_cannot_be_read_is_answered)
{
    const uint8_t messages[][4] = {{0x80}, {0x82, 0x18, 0xC8, 0x01}, {0xFF}, {0x82, 0x01, 0x01, 0x00}};
    const uint16_t len_bytes[] = {1, 4, 1, 4};
    node_bench_connect(8);
    for (unsigned i = 0; i < 4; i++) {
        fake_host_forget(&node_bench_host);
        node_bench_say(JRG_FRAME_TYPE_MSG, messages[i], len_bytes[i]);
        check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_MALFORMED, 0);
    }
}

TEST(l4_9_a_sample_without_a_job_is_answered_once)
{
    node_bench_connect(8);
    fake_host_forget(&node_bench_host);
    node_bench_sample(0, 0, 0, 0, 0);
    node_bench_sample(1, 0, 0, 0, 0);
    CHECK_EQUAL(fake_host_count(&node_bench_host, JRG_FRAME_TYPE_MSG), 1);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_NO_JOB, 0);
}

TEST(l4_9_a_cancelled_job_takes_no_more_samples)
{
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_TRAIN, hash, 5);
    CHECK_EQUAL(node_bench_cancel(4).response_job_state_m.job_state_state, JRG_JOB_STATE_CANCELLED);
    node_bench_sample(0, 0, 1, 1, 1);
    CHECK_EQUAL(working_weight(0), 0);
    check_status(node_bench_newest(JRG_FRAME_TYPE_MSG), JRG_STATUS_NO_JOB, 0);
}

TEST(l4_10_predictions_nobody_acknowledges_hold_the_samples_back)
{
    connect_and_stage(0);
    (void)node_bench_begin_job(4, JRG_JOB_KIND_INFER, hash, 20);
    uint8_t acknowledged = node_bench_host.expect;
    for (uint16_t i = 0; i < 20; i++) {
        node_bench_host.expect = acknowledged; /* never says more than that */
        node_bench_sample(i, 0, 1, 1, 1);
    }
    CHECK_EQUAL(node_bench_node.job.done, 8);
    CHECK_EQUAL(jrg_link_room(&node_bench_node.link), 0);
}
