/* L4.13: what a board does with prototypes is what the model does with the same samples. */
#include "jrg_messages_decode.h"
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum { ENROL_JOB = 4, NEXT_JOB = 5, SAMPLES = 30, PART_NUMBERS = JRG_LIMIT_PREDICTION_OUTPUTS };

static const jrg_nn_rate temperature = {20000, 15};
static int16_t sample[JRG_MODEL_TARGETS + JRG_MODEL_INPUTS];

static const int16_t *sample_of(uint32_t number)
{
    real_bench_make_sample(number, (uint8_t *)sample);
    return sample + JRG_MODEL_TARGETS;
}

static void begin(uint32_t job, jrg_job_kind kind, int base, bool fresh)
{
    struct request_r request = real_bench_job(job, kind, base, SAMPLES);
    request.request_job_begin_m.job_begin_rate_exponent = 15;
    request.request_job_begin_m.job_begin_fresh = fresh;
    request.request_job_begin_m.job_begin_temperature_mantissa = temperature.mantissa;
    request.request_job_begin_m.job_begin_temperature_exponent = temperature.exponent;
    CHECK_EQUAL(node_bench_ask(&request).response_choice, response_job_state_m_c);
    fake_host_forget(&node_bench_host);
    node_bench_settle();
}

static void enrol_all(bool fresh)
{
    begin(ENROL_JOB, JRG_JOB_KIND_ENROL, 0, fresh);
    (void)real_bench_finish_job(ENROL_JOB, SAMPLES);
}

static void boot(void)
{
    real_bench_forget();
    node_bench_connect(8);
    node_bench_stage(real_blobs[0], real_bench_hash(0));
    fake_host_forget(&node_bench_host);
}

static void check_counts(uint32_t times)
{
    uint32_t expected[JRG_MODEL_PROTOTYPES] = {0};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        (void)sample_of(i);
        expected[sample[0]] += times;
    }
    for (uint32_t label = 0; label < JRG_MODEL_PROTOTYPES; label++)
        CHECK_EQUAL(jrg_model_enrolled(label), expected[label]);
}

TEST(l4_13_enrolling_anew_forgets_what_was_enrolled)
{
    boot();
    enrol_all(false);
    check_counts(1);
    begin(NEXT_JOB, JRG_JOB_KIND_ENROL, REAL_NO_BASE, false);
    (void)real_bench_finish_job(NEXT_JOB, SAMPLES);
    check_counts(2);
    begin(NEXT_JOB + 1, JRG_JOB_KIND_ENROL, REAL_NO_BASE, true);
    (void)real_bench_finish_job(NEXT_JOB + 1, SAMPLES);
    check_counts(1);
}

TEST(l4_13_a_sample_is_answered_with_the_class_recognised)
{
    boot();
    enrol_all(true);
    begin(NEXT_JOB, JRG_JOB_KIND_RECOGNISE, REAL_NO_BASE, false);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        jrg_nn_match match = {0};
        for (uint32_t from = 0; from < REAL_SAMPLE_BYTES; from += REAL_PART_BYTES) {
            uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
            const uint32_t left_bytes = REAL_SAMPLE_BYTES - from;
            const uint32_t part_bytes = left_bytes < REAL_PART_BYTES ? left_bytes : REAL_PART_BYTES;
            (void)sample_of(i);
            payload[0] = (uint8_t)i;
            payload[1] = 0;
            payload[2] = (uint8_t)from;
            payload[3] = (uint8_t)(from >> 8);
            memcpy(payload + 4, (const uint8_t *)sample + from, part_bytes);
            node_bench_say(JRG_FRAME_TYPE_SAMPLE, payload, (uint16_t)(4u + part_bytes));
        }
        const struct response_r answer = node_bench_newest(JRG_FRAME_TYPE_MSG);
        CHECK_EQUAL(answer.response_choice, response_recognition_m_c);
        CHECK_EQUAL(jrg_model_recognise(sample_of(i), &match), JRG_NN_OK);
        CHECK_EQUAL(answer.response_recognition_m.recognition_index, i);
        CHECK_EQUAL(answer.response_recognition_m.recognition_label, match.label);
        CHECK(answer.response_recognition_m.recognition_distance == match.distance);
        CHECK(answer.response_recognition_m.recognition_runner_up == match.runner_up);
        CHECK_EQUAL(answer.response_recognition_m.recognition_relative, match.relative);
        CHECK_EQUAL(answer.response_recognition_m.recognition_accepted, match.accepted);
        fake_host_forget(&node_bench_host);
        node_bench_settle();
    }
}

/* A12.6: the same steps without a node, on other weights than the classes were enrolled with. */
TEST(l4_13_training_with_prototypes_takes_the_steps_of_the_model)
{
    static uint32_t weights[(JRG_MODEL_BLOB_BYTES + 3) / 4];
    uint64_t loss = 0;
    boot();
    enrol_all(true);
    node_bench_stage(real_blobs[1], real_bench_hash(1));
    begin(NEXT_JOB, JRG_JOB_KIND_TRAIN, 1, false);
    const struct job_state state = real_bench_finish_job(NEXT_JOB, SAMPLES);
    memcpy(weights, real_blobs[1], sizeof real_blobs[1]);
    CHECK_EQUAL(jrg_model_bind(weights), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_set_accumulation(3), JRG_NN_OK);
    jrg_model_set_seed(NODE_BENCH_SEED);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        jrg_nn_result result = {0};
        const int16_t *x = sample_of(i);
        CHECK_EQUAL(jrg_model_train_prototypes(x, sample, &result), JRG_NN_OK);
        loss += result.loss;
    }
    CHECK_EQUAL(jrg_model_apply(), JRG_NN_OK);
    CHECK(state.job_state_loss_sum == loss);
    CHECK(memcmp(weights, real_blobs[1], sizeof real_blobs[1]) != 0);
    CHECK(memcmp(weights, JRG_NODE_WORKING(&node_bench_node), sizeof real_blobs[1]) == 0);
}

static struct response_r ask_prototype(uint32_t label, uint32_t offset)
{
    struct request_r request = {.request_choice = request_prototype_read_m_c};
    request.request_prototype_read_m =
        (struct prototype_read){.prototype_read_id = 1, .prototype_read_label = label, .prototype_read_offset = offset};
    const struct response_r answer = node_bench_ask(&request);
    fake_host_forget(&node_bench_host);
    node_bench_settle();
    return answer;
}

TEST(l4_13_a_prototype_is_read_in_parts_and_forgotten)
{
    static int16_t numbers[JRG_MODEL_FEATURES];
    struct request_r forget = {.request_choice = request_forget_m_c};
    boot();
    enrol_all(true);
    (void)sample_of(0);
    const uint32_t label = (uint32_t)sample[0];
    CHECK_EQUAL(jrg_model_prototype(label, numbers), JRG_NN_OK);
    for (uint32_t offset = 0; offset <= JRG_MODEL_FEATURES; offset += PART_NUMBERS) {
        const struct prototype part = ask_prototype(label, offset).response_prototype_m;
        const uint32_t left = JRG_MODEL_FEATURES - offset;
        CHECK_EQUAL(part.prototype_samples, jrg_model_enrolled(label));
        CHECK_EQUAL(part.prototype_numbers_int_count, left < PART_NUMBERS ? left : PART_NUMBERS);
        for (uint32_t i = 0; i < part.prototype_numbers_int_count; i++)
            CHECK_EQUAL(part.prototype_numbers_int[i], numbers[offset + i]);
    }
    CHECK_EQUAL(ask_prototype(label, UINT16_MAX).response_prototype_m.prototype_numbers_int_count, 0);
    forget.request_forget_m = (struct forget){.forget_id = 2, .forget_label = label};
    CHECK_EQUAL(node_bench_ask(&forget).response_status_m.status_code, JRG_STATUS_OK);
    CHECK_EQUAL(jrg_model_enrolled(label), 0);
    CHECK_EQUAL(ask_prototype(label, 0).response_status_m.status_code, JRG_STATUS_NO_PROTOTYPE);
}

/* A class the network has no output for is one all the same; one the image has no room for is refused (L4.4). */
TEST(l4_13_labels_go_up_to_the_room_of_the_image)
{
    CHECK(JRG_MODEL_PROTOTYPES > JRG_MODEL_OUTPUTS);
    for (uint32_t over = 0; over < 2; over++) {
        boot();
        begin(ENROL_JOB, JRG_JOB_KIND_ENROL, 0, true);
        (void)sample_of(0);
        sample[0] = (int16_t)(JRG_MODEL_PROTOTYPES - 1u + over);
        for (uint32_t from = 0; from < REAL_SAMPLE_BYTES; from += REAL_PART_BYTES) {
            uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES] = {0};
            const uint32_t left_bytes = REAL_SAMPLE_BYTES - from;
            const uint32_t part_bytes = left_bytes < REAL_PART_BYTES ? left_bytes : REAL_PART_BYTES;
            payload[2] = (uint8_t)from;
            payload[3] = (uint8_t)(from >> 8);
            memcpy(payload + 4, (const uint8_t *)sample + from, part_bytes);
            node_bench_say(JRG_FRAME_TYPE_SAMPLE, payload, (uint16_t)(4u + part_bytes));
        }
        CHECK_EQUAL(node_bench_node.job.done, over == 0 ? 1 : 0);
        CHECK_EQUAL(jrg_model_enrolled(JRG_MODEL_PROTOTYPES - 1u), over == 0 ? 1 : 0);
    }
}
