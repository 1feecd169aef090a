/* Any bytes, and the board still answers (promise: no crash, no hang). usage: fuzz SEED ITERATIONS
 * Three kinds of input by turns: noise, frames of ours with bytes changed, and well-formed frames with wild payloads. */
#include "jrg_bytes.h"
#include "jrg_messages_encode.h"
#include "jrg_test.h"
#include "node_bench.h"

enum { WILD_BYTES = 600 };

static uint32_t state;
static uint8_t good_blob[JRG_MODEL_BLOB_BYTES], good_hash[32];

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
    node_bench_now_ms += draw(50) ? draw(20) : draw(5000);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, node_bench_now_ms);
    fake_host_forget(&node_bench_host);
    (void)jrg_node_wait_ms(&node_bench_node, node_bench_now_ms);
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

/* A blob the board would verify, most of the time; else nothing it knows. */
static struct zcbor_string draw_hash(void)
{
    static uint8_t wild[32];
    draw_bytes(wild, sizeof wild);
    return (struct zcbor_string){.value = draw(8) ? good_hash : wild, .len = 32};
}

static struct zcbor_string draw_base(void)
{
    struct zcbor_string base = draw_hash();
    if (draw(3) == 0)
        base.len = draw(2) ? 0 : draw(33);
    return base;
}

static void wild_blob_begin(struct blob_begin *request)
{
    request->blob_begin_id = draw(65536);
    request->blob_begin_sha256 = draw_hash();
    request->blob_begin_size_bytes = JRG_MODEL_BLOB_BYTES + (draw(16) == 0);
}

static void wild_job_begin(struct job_begin *request)
{
    request->job_begin_id = draw(65536);
    request->job_begin_job = draw(4);
    request->job_begin_kind = draw(16) ? draw(3) : draw(256);
    request->job_begin_base = draw_base();
    request->job_begin_rate_mantissa = draw(8) ? 16384 + draw(16384) : draw(65536);
    request->job_begin_rate_exponent = draw(256);
    request->job_begin_samples = draw(40);
    request->job_begin_seed = draw(65536);
    request->job_begin_batch = draw(4);
    request->job_begin_clip = draw(65536);
    request->job_begin_least_loss = draw(65536);
}

static void wild_update_read(struct update_read *request)
{
    request->update_read_id = draw(65536);
    request->update_read_job = draw(4);
    request->update_read_offset = draw(JRG_MODEL_BLOB_BYTES + 10);
}

/* A request that the decoder takes, and that makes sense now and then: blobs are completed, jobs are done. */
static uint16_t wild_request(uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    struct request_r request = {.request_choice = (int)draw(10)};
    size_t len_bytes = 0;
    request.request_job_end_m = (struct job_end){.job_end_id = draw(65536), .job_end_job = draw(4)};
    if (request.request_choice == request_blob_begin_m_c)
        wild_blob_begin(&request.request_blob_begin_m);
    else if (request.request_choice == request_blob_end_m_c)
        request.request_blob_end_m.blob_end_sha256 = draw_hash();
    else if (request.request_choice == request_job_begin_m_c)
        wild_job_begin(&request.request_job_begin_m);
    else if (request.request_choice == request_online_begin_m_c)
        request.request_online_begin_m.online_begin_base = (struct zcbor_string){.value = (const uint8_t *)"", .len = 0};
    else if (request.request_choice == request_update_read_m_c)
        wild_update_read(&request.request_update_read_m);
    CHECK_EQUAL(cbor_encode_request(payload, JRG_LIMIT_MAX_PAYLOAD_BYTES, &request, &len_bytes), 0);
    return (uint16_t)len_bytes;
}

/* The next bytes of the good blob. */
static uint16_t next_data(uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    uint32_t at = node_bench_node.staged.received_bytes;
    uint32_t left_bytes = JRG_MODEL_BLOB_BYTES - at;
    uint32_t data_bytes = left_bytes < 236 ? left_bytes : 236;
    jrg_bytes_put_u32(payload, at);
    memcpy(payload + 4, good_blob + at, data_bytes);
    return (uint16_t)(4 + data_bytes);
}

/* The next sample or a piece of it, its label right or not. */
static uint16_t next_sample(uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    jrg_bytes_put_u16(payload, (uint16_t)node_bench_node.job.done);
    jrg_bytes_put_u16(payload + 2, (uint16_t)node_bench_node.job.sample_bytes);
    jrg_bytes_put_u16(payload + 4, (uint16_t)draw(3));
    return (uint16_t)(4 + (draw(4) ? 2 * (JRG_MODEL_TARGETS + JRG_MODEL_INPUTS) : draw(10)));
}

static uint16_t wild_payload(jrg_frame_type type, uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES])
{
    draw_bytes(payload, JRG_LIMIT_MAX_PAYLOAD_BYTES);
    if (type == JRG_FRAME_TYPE_MSG && draw(8))
        return wild_request(payload);
    if (type == JRG_FRAME_TYPE_DATA && draw(8))
        return next_data(payload);
    if (type == JRG_FRAME_TYPE_SAMPLE && draw(8))
        return next_sample(payload);
    return (uint16_t)draw(JRG_LIMIT_MAX_PAYLOAD_BYTES + 1);
}

/* Mostly the types that reach the node. */
static jrg_frame_type draw_type(void)
{
    return draw(4) ? (jrg_frame_type)(JRG_FRAME_TYPE_MSG + draw(3)) : (jrg_frame_type)draw(16);
}

/* Mostly whole; else a segment, from where the board stands or from anywhere. */
static void draw_place(jrg_frame *frame)
{
    const jrg_link *link = &node_bench_node.link;
    frame->total = (uint8_t)frame->len_bytes;
    if (draw(4) != 0)
        return;
    if (draw(2) == 0 && link->part_bytes > 0 && frame->type == link->part_type) {
        frame->offset = link->part_bytes;
        frame->total = link->part_total;
        uint16_t left_bytes = (uint16_t)(link->part_total - link->part_bytes);
        frame->len_bytes = frame->len_bytes < left_bytes ? frame->len_bytes : left_bytes;
    } else {
        frame->offset = draw(2) ? 0 : (uint8_t)draw(256);
        frame->total = (uint8_t)(frame->len_bytes + draw(100));
    }
}

/* In the right session and mostly with the number expected, so that it reaches the node. */
static size_t wild_frame(uint8_t out[JRG_LIMIT_MAX_ENCODED_BYTES])
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    jrg_frame_type type = draw_type();
    jrg_frame frame = {
        .major = draw(50) ? JRG_PROTOCOL_MAJOR : (uint8_t)draw(16),
        .type = (uint8_t)type,
        .seq = (uint8_t)(node_bench_node.link.expected + (draw(10) ? 0 : draw(256))),
        .ack = (uint8_t)(node_bench_node.link.send_base + (draw(4) ? node_bench_node.link.send_count : draw(10))),
        .ack_offset = draw(4) ? 0 : (uint8_t)draw(256),
        .session = draw(50) ? node_bench_node.link.session : (uint16_t)draw(65536),
        .len_bytes = wild_payload(type, payload),
        .payload = payload,
    };
    draw_place(&frame);
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
    jrg_segment_init(&node_bench_node.link.segment); /* the line is clean again: the answer comes in one frame */
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
    node_bench_make_blob(1, good_blob, good_hash);
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
