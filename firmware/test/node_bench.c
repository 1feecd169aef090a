#include "node_bench.h"

#include "jrg_bytes.h"
#include "jrg_messages_decode.h"
#include "jrg_messages_encode.h"
#include "jrg_sha256.h"
#include "jrg_test.h"

enum { REQUEST_ID = 77 };

fake_host node_bench_host;
jrg_node node_bench_node;
uint32_t node_bench_now_ms;

static const uint8_t uid[4] = {9, 8, 7, 6};

static void count_start(void)
{
}

static uint32_t count_stop(void)
{
    static uint32_t falling = 1000;
    return falling > 500 ? --falling : 500;
}

static void stack(uint32_t *size_bytes, uint32_t *free_bytes)
{
    *size_bytes = 4096;
    *free_bytes = 1000;
}

void node_bench_boot(void)
{
    jrg_node_board board = {
        .firmware = "0.0.0",
        .build = {1, 1, 1, 1, 1, 1, 1, 1},
        .board = "bench",
        .uid = uid,
        .uid_len_bytes = sizeof uid,
        .boot_nonce = 0xABCD,
        .reset_cause = JRG_RESET_CAUSE_PIN,
        .ram_bytes = 10,
        .flash_bytes = 20,
        .context = &node_bench_host,
        .write = fake_host_write,
        .count_start = count_start,
        .count_stop = count_stop,
        .stack = stack,
    };
    memset(&node_bench_host, 0, sizeof node_bench_host);
    node_bench_now_ms = 0;
    jrg_node_init(&node_bench_node, &board);
}

void node_bench_connect(uint8_t window)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    node_bench_boot();
    size_t len_bytes = fake_host_hello_bytes(3, window, bytes);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, node_bench_now_ms);
    CHECK(node_bench_host.session != 0);
}

void node_bench_say(jrg_frame_type type, const void *payload, uint16_t len_bytes)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    size_t encoded_bytes = fake_host_frame_bytes(&node_bench_host, type, payload, len_bytes, bytes);
    jrg_node_receive(&node_bench_node, bytes, encoded_bytes, node_bench_now_ms);
}

void node_bench_settle(void)
{
    node_bench_say(JRG_FRAME_TYPE_ACK, NULL, 0);
    jrg_node_poll(&node_bench_node, node_bench_now_ms);
}

struct response_r node_bench_newest(jrg_frame_type type)
{
    struct response_r response;
    size_t read_bytes = 0;
    const fake_host_frame *frame = fake_host_newest(&node_bench_host, type);
    CHECK(frame != NULL);
    CHECK_EQUAL(cbor_decode_response(frame->payload, frame->header.len_bytes, &response, &read_bytes), 0);
    CHECK_EQUAL(read_bytes, frame->header.len_bytes);
    return response;
}

struct response_r node_bench_ask(const struct request_r *request)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    size_t len_bytes = 0;
    CHECK_EQUAL(cbor_encode_request(payload, sizeof payload, request, &len_bytes), 0);
    fake_host_forget(&node_bench_host);
    node_bench_say(JRG_FRAME_TYPE_MSG, payload, (uint16_t)len_bytes);
    return node_bench_newest(JRG_FRAME_TYPE_MSG);
}

static struct zcbor_string string(const uint8_t *bytes, size_t len_bytes)
{
    return (struct zcbor_string){.value = bytes, .len = len_bytes};
}

struct response_r node_bench_begin_blob(const uint8_t hash[32], uint32_t size_bytes)
{
    struct request_r request = {.request_choice = request_blob_begin_m_c};
    request.request_blob_begin_m.blob_begin_id = REQUEST_ID;
    request.request_blob_begin_m.blob_begin_sha256 = string(hash, 32);
    request.request_blob_begin_m.blob_begin_size_bytes = size_bytes;
    return node_bench_ask(&request);
}

struct response_r node_bench_end_blob(const uint8_t hash[32])
{
    struct request_r request = {.request_choice = request_blob_end_m_c};
    request.request_blob_end_m.blob_end_id = REQUEST_ID;
    request.request_blob_end_m.blob_end_sha256 = string(hash, 32);
    return node_bench_ask(&request);
}

struct response_r node_bench_begin_job(uint32_t job, uint8_t kind, const uint8_t *base, uint32_t samples)
{
    struct request_r request = {.request_choice = request_job_begin_m_c};
    struct job_begin *begin = &request.request_job_begin_m;
    begin->job_begin_id = REQUEST_ID;
    begin->job_begin_job = job;
    begin->job_begin_kind = kind;
    begin->job_begin_base = base == NULL ? string((const uint8_t *)"", 0) : string(base, 32);
    begin->job_begin_rate_mantissa = 16384;
    begin->job_begin_rate_exponent = 20;
    begin->job_begin_samples = samples;
    begin->job_begin_seed = NODE_BENCH_SEED;
    begin->job_begin_batch = 1;
    return node_bench_ask(&request);
}

struct response_r node_bench_end_job(uint32_t job)
{
    struct request_r request = {.request_choice = request_job_end_m_c};
    request.request_job_end_m.job_end_id = REQUEST_ID;
    request.request_job_end_m.job_end_job = job;
    return node_bench_ask(&request);
}

struct response_r node_bench_cancel(uint32_t job)
{
    struct request_r request = {.request_choice = request_cancel_m_c};
    request.request_cancel_m.cancel_id = REQUEST_ID;
    request.request_cancel_m.cancel_job = job;
    return node_bench_ask(&request);
}

struct response_r node_bench_read_update(uint32_t job, uint32_t offset)
{
    struct request_r request = {.request_choice = request_update_read_m_c};
    request.request_update_read_m.update_read_id = REQUEST_ID;
    request.request_update_read_m.update_read_job = job;
    request.request_update_read_m.update_read_offset = offset;
    return node_bench_ask(&request);
}

void node_bench_data(uint32_t offset, const uint8_t *bytes, uint16_t len_bytes)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    jrg_bytes_put_u32(payload, offset);
    memcpy(payload + 4, bytes, len_bytes);
    node_bench_say(JRG_FRAME_TYPE_DATA, payload, (uint16_t)(4 + len_bytes));
}

void node_bench_sample(uint16_t index, int16_t label, int16_t x0, int16_t x1, int16_t x2)
{
    const int16_t numbers[4] = {label, x0, x1, x2};
    uint8_t payload[4 + sizeof numbers];
    jrg_bytes_put_u16(payload, index);
    jrg_bytes_put_u16(payload + 2, 0);
    memcpy(payload + 4, numbers, sizeof numbers);
    node_bench_say(JRG_FRAME_TYPE_SAMPLE, payload, sizeof payload);
}

void node_bench_make_blob(int16_t weight, uint8_t blob[JRG_MODEL_BLOB_BYTES], uint8_t hash[32])
{
    memset(blob, 0, JRG_MODEL_BLOB_BYTES);
    memcpy(blob, "FAKE", 4);
    memcpy(blob + 4, &weight, sizeof weight);
    jrg_sha256(blob, JRG_MODEL_BLOB_BYTES, hash);
}

void node_bench_stage(const uint8_t *blob, const uint8_t hash[32])
{
    CHECK_EQUAL(node_bench_begin_blob(hash, JRG_MODEL_BLOB_BYTES).response_choice, response_blob_state_m_c);
    for (uint32_t at = 0; at < JRG_MODEL_BLOB_BYTES; at += 200) {
        uint32_t left_bytes = JRG_MODEL_BLOB_BYTES - at;
        node_bench_data(at, blob + at, (uint16_t)(left_bytes < 200 ? left_bytes : 200));
    }
    CHECK_EQUAL(node_bench_end_blob(hash).response_status_m.status_code, JRG_STATUS_OK);
    node_bench_settle();
}
