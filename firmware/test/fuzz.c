/* Any bytes, and the board still answers (promise: no crash, no hang). usage: fuzz SEED ITERATIONS
 * Three kinds of input by turns: noise, frames of ours with bytes changed, and well-formed frames with wild payloads. */
#include "jrg_bytes.h"
#include "jrg_messages_encode.h"
#include "jrg_test.h"
#include "node_bench.h"

enum { WILD_BYTES = 600 };

static uint32_t state;

/* Numerical recipes' generator: the same everywhere. */
static uint32_t draw(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static void draw_bytes(uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        bytes[i] = (uint8_t)draw(256);
}

static void feed(const uint8_t *bytes, size_t len_bytes)
{
    node_bench_now_ms += draw(100);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, node_bench_now_ms);
    fake_host_forget(&node_bench_host);
    jrg_node_poll(&node_bench_node, node_bench_now_ms);
    fake_host_forget(&node_bench_host);
}

static void feed_noise(void)
{
    uint8_t bytes[WILD_BYTES];
    size_t len_bytes = draw(WILD_BYTES);
    draw_bytes(bytes, len_bytes);
    feed(bytes, len_bytes);
}

/* A request that the decoder takes, with wild numbers; sometimes of the right size, or with a hash the board knows. */
static uint16_t wild_request(uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    static const uint8_t known[32];
    uint8_t hash[32];
    struct request_r request;
    size_t len_bytes = 0;
    draw_bytes((uint8_t *)&request, sizeof request);
    draw_bytes(hash, sizeof hash);
    struct zcbor_string any = {.value = draw(2) ? known : hash, .len = 32};
    request.request_choice = (int)draw(8);
    if (request.request_choice == request_blob_begin_m_c) {
        request.request_blob_begin_m.blob_begin_sha256 = any;
        request.request_blob_begin_m.blob_begin_size_bytes = JRG_MODEL_BLOB_BYTES + (draw(4) == 0);
    } else if (request.request_choice == request_blob_end_m_c) {
        request.request_blob_end_m.blob_end_sha256 = any;
    } else if (request.request_choice == request_job_begin_m_c) {
        any.len = draw(33);
        request.request_job_begin_m.job_begin_base = any;
        request.request_job_begin_m.job_begin_kind = draw(4);
    }
    if (cbor_encode_request(payload, JRG_LIMIT_MAX_PAYLOAD_BYTES, &request, &len_bytes) != 0)
        return 0;
    return (uint16_t)len_bytes;
}

static uint16_t wild_payload(jrg_frame_type type, uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    uint16_t len_bytes = (uint16_t)draw(JRG_LIMIT_MAX_PAYLOAD_BYTES + 1);
    draw_bytes(payload, JRG_LIMIT_MAX_PAYLOAD_BYTES);
    if (type == JRG_FRAME_TYPE_MSG && draw(2))
        return wild_request(payload);
    if (type == JRG_FRAME_TYPE_DATA && draw(2))
        jrg_bytes_put_u32(payload, node_bench_node.staged.received_bytes);
    if (type == JRG_FRAME_TYPE_SAMPLE && draw(2))
        jrg_bytes_put_u32(payload, node_bench_node.job.done | node_bench_node.job.sample_bytes << 16);
    return len_bytes;
}

/* In the right session and mostly with the number expected, so that it reaches the node. */
static size_t wild_frame(uint8_t out[JRG_LIMIT_MAX_ENCODED_BYTES])
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    jrg_frame_type type = (jrg_frame_type)draw(16);
    jrg_frame frame = {
        .major = draw(50) ? JRG_PROTOCOL_MAJOR : (uint8_t)draw(16),
        .type = (uint8_t)type,
        .seq = (uint8_t)(node_bench_node.link.expected + (draw(10) ? 0 : draw(256))),
        .ack = (uint8_t)(node_bench_node.link.send_base + draw(10)),
        .session = draw(50) ? node_bench_node.link.session : (uint16_t)draw(65536),
        .len_bytes = wild_payload(type, payload),
        .payload = payload,
    };
    return jrg_frame_encode(&frame, out);
}

static void feed_frame(bool damaged)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    size_t len_bytes = wild_frame(bytes);
    if (damaged)
        bytes[draw((uint32_t)len_bytes)] = (uint8_t)draw(256);
    feed(bytes, len_bytes);
}

static void say_hello(void)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    feed((const uint8_t[]){0}, 1);
    feed(bytes, fake_host_hello_bytes((uint16_t)draw(65536), (uint8_t)(1 + draw(8)), bytes));
}

/* After all that, the board does what it is asked. */
static void check_alive(void)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    const uint8_t identify[] = {0x82, 0x01, 0x05};
    say_hello();
    size_t len_bytes = fake_host_hello_bytes(1, 8, bytes);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, node_bench_now_ms);
    fake_host_forget(&node_bench_host);
    node_bench_say(JRG_FRAME_TYPE_MSG, identify, sizeof identify);
    CHECK_EQUAL(node_bench_newest(JRG_FRAME_TYPE_MSG).response_choice, response_identity_m_c);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    state = (uint32_t)strtoul(argv[1], NULL, 10);
    unsigned long iterations = strtoul(argv[2], NULL, 10);
    node_bench_connect(8);
    for (unsigned long i = 0; i < iterations; i++) {
        if (draw(40) == 0)
            say_hello();
        if (draw(8) == 0)
            feed_noise();
        else
            feed_frame(draw(4) == 0);
        if (i % 1000 == 999)
            check_alive();
    }
    check_alive();
    return 0;
}
