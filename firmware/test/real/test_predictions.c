/* L4.6: outputs of a sample, in as many messages as they need; no array of the node is too short for them. */
#include "jrg_messages_decode.h"
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum { JOB = 4, SAMPLES = 3, NOTHING_MORE = 100 };

static int16_t predictions[SAMPLES][JRG_MODEL_OUTPUTS];
static uint32_t outputs_received[SAMPLES];

/* Notes the predictions that have come, each of which goes on where the one before ended. */
static void note_predictions(void)
{
    for (unsigned i = 0; i < node_bench_host.count; i++) {
        const fake_host_frame *frame = &node_bench_host.frames[i];
        struct response_r response;
        size_t read_bytes = 0;
        if (frame->header.type != JRG_FRAME_TYPE_MSG)
            continue;
        CHECK_EQUAL(cbor_decode_response(frame->payload, frame->header.len_bytes, &response, &read_bytes), 0);
        if (response.response_choice != response_prediction_m_c)
            continue;
        const struct prediction *part = &response.response_prediction_m;
        const uint32_t index = part->prediction_index;
        CHECK_EQUAL(part->prediction_job, JOB);
        CHECK(index < SAMPLES && part->prediction_offset == outputs_received[index]);
        CHECK(part->prediction_offset + part->prediction_outputs_int_count <= JRG_MODEL_OUTPUTS);
        for (unsigned j = 0; j < part->prediction_outputs_int_count; j++)
            predictions[index][outputs_received[index]++] = (int16_t)part->prediction_outputs_int[j];
    }
    fake_host_forget(&node_bench_host);
}

static void begin_job(uint8_t window)
{
    const struct request_r request = real_bench_job(JOB, JRG_JOB_KIND_INFER, 0, SAMPLES);
    memset(predictions, 0, sizeof predictions);
    memset(outputs_received, 0, sizeof outputs_received);
    node_bench_connect(window);
    real_bench_sign(0);
    node_bench_stage(real_blobs[0], real_bench_hash(0));
    CHECK_EQUAL(node_bench_ask(&request).response_choice, response_job_state_m_c);
    fake_host_forget(&node_bench_host);
    node_bench_settle();
}

/* One frame with a part of a sample; sent again until the board takes it, as a link does (L4.10). */
static void send_part(uint32_t number, uint32_t from, uint32_t to)
{
    for (unsigned tries = 0;; tries++) {
        const uint8_t seq = node_bench_host.seq;
        const jrg_node_job *job = &node_bench_node.job;
        uint8_t sample[REAL_SAMPLE_BYTES], payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
        real_bench_make_sample(number, sample);
        payload[0] = (uint8_t)number;
        payload[1] = 0;
        payload[2] = (uint8_t)from;
        payload[3] = (uint8_t)(from >> 8); /* modulo 65536 (L4.4) */
        memcpy(payload + 4, sample + from, to - from);
        node_bench_say(JRG_FRAME_TYPE_SAMPLE, payload, (uint16_t)(4u + to - from));
        const bool taken = job->done > number || (job->done == number && job->sample_bytes == to);
        note_predictions();
        if (taken)
            return;
        CHECK(tries < NOTHING_MORE);
        node_bench_host.seq = seq;
        node_bench_settle();
        note_predictions();
    }
}

static void send_sample(uint32_t number)
{
    for (uint32_t from = 0; from < REAL_SAMPLE_BYTES; from += REAL_PART_BYTES)
        send_part(number, from,
                  from + REAL_PART_BYTES < REAL_SAMPLE_BYTES ? from + REAL_PART_BYTES : REAL_SAMPLE_BYTES);
}

static void check_told(uint32_t number)
{
    static int16_t x[JRG_MODEL_TARGETS + JRG_MODEL_INPUTS], outputs[JRG_MODEL_OUTPUTS];
    real_bench_make_sample(number, (uint8_t *)x);
    CHECK_EQUAL(jrg_model_forward(x + JRG_MODEL_TARGETS, outputs), JRG_NN_OK);
    CHECK_EQUAL(outputs_received[number], JRG_MODEL_OUTPUTS);
    CHECK(memcmp(predictions[number], outputs, sizeof outputs) == 0);
}

static void check_window(uint8_t window)
{
    begin_job(window);
    for (uint32_t i = 0; i < SAMPLES; i++)
        send_sample(i);
    for (unsigned i = 0; i < NOTHING_MORE; i++) {
        node_bench_settle();
        note_predictions();
    }
    for (uint32_t i = 0; i < SAMPLES; i++)
        check_told(i);
}

TEST(l4_6_all_outputs_come_in_order)
{
    check_window(8);
}

TEST(l4_10_all_outputs_come_through_the_smallest_window)
{
    check_window(1);
}

/* L2.2: what was on its way is gone with the session; the job goes on with the next sample. */
TEST(l4_6_a_prediction_does_not_outlive_its_session)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    begin_job(1);
    send_sample(0);
    const size_t len_bytes = fake_host_hello_bytes(77, 4, bytes);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, 0);
    CHECK_EQUAL(node_bench_node.prediction.left, 0);
    fake_host_forget(&node_bench_host);
    node_bench_settle();
    CHECK_EQUAL(fake_host_count(&node_bench_host, JRG_FRAME_TYPE_MSG), 0);
    outputs_received[1] = 0;
    send_sample(1);
    for (unsigned i = 0; i < NOTHING_MORE; i++) {
        node_bench_settle();
        note_predictions();
    }
    check_told(1);
}

/* Another job begins, and what is left of a prediction would carry its number. */
TEST(l4_6_a_prediction_is_told_before_the_next_request_is_taken)
{
    const struct request_r request = real_bench_job(JOB + 1, JRG_JOB_KIND_EVALUATE, REAL_NO_BASE, 1);
    begin_job(8);
    send_sample(0);
    (void)node_bench_ask(&request);
    CHECK_EQUAL(node_bench_node.prediction.left, 0);
    CHECK_EQUAL(node_bench_node.job.number, JOB + 1);
}
