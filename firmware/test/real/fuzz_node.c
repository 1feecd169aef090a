#include "fuzz_node.h"

#include "jrg_bytes.h"
#include "jrg_messages_decode.h"
#include "jrg_messages_encode.h"
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum { WILD_BYTES = 600, MOST_JOBS = 4, MOST_SAMPLES = 24, MOST_ACTS = 4000, NO_ID = 0x10000 };

_Static_assert(FUZZ_NODE_JOB_KINDS == JRG_JOB_KIND_TRAIN_ENROLLED + 1, "one count for each kind");

static const uint8_t *choices;
static size_t choices_left;
static fuzz_node_counts counts;

const fuzz_node_counts *fuzz_node_counted(void)
{
    return &counts;
}

/* ---- choices ------------------------------------------------------------------------------------------------------ */

static uint8_t next_choice(void)
{
    if (choices_left == 0)
        return 0;
    choices_left--;
    return *choices++;
}

/* One byte where that is enough, so that a fuzzer which changes a byte changes one thing. below: 1..2^32 - 1. */
static uint32_t draw(uint32_t below)
{
    uint32_t drawn = next_choice();
    for (uint32_t reach = 256; reach != 0 && reach < below; reach <<= 8)
        drawn = drawn << 8 | next_choice();
    return drawn % below;
}

static bool once_in(uint32_t times)
{
    return draw(times) == times - 1u; /* choices that have ended are 0, and those mean nothing special */
}

static void draw_bytes(uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        bytes[i] = next_choice();
}

static uint32_t draw_word(void)
{
    uint8_t bytes[4];
    draw_bytes(bytes, sizeof bytes);
    return jrg_bytes_get_u32(bytes);
}

/* A number that is `good`, or one time in 16 any of `bits` bits, or one beside it. */
static uint32_t about(uint32_t good, unsigned bits)
{
    const uint32_t most = bits == 32 ? UINT32_MAX : (1u << bits) - 1u;
    if (!once_in(16))
        return good;
    if (draw(2) == 0)
        return draw_word() & most;
    return (good + (draw(2) != 0 ? 1u : most)) & most;
}

/* ---- what comes back ---------------------------------------------------------------------------------------------- */

static bool is_message(uint8_t type)
{
    return type == JRG_FRAME_TYPE_MSG || type == JRG_FRAME_TYPE_EVENT;
}

static void count_answer(const struct response_r *answer)
{
    if (answer->response_choice == response_status_m_c)
        counts.refused += answer->response_status_m.status_code != JRG_STATUS_OK;
    if (answer->response_choice == response_prediction_m_c || answer->response_choice == response_recognition_m_c)
        counts.predictions++;
}

/* A message that has come whole, in one frame or in segments (L3.7); what came of it before is sent again from its begin. */
static const uint8_t *whole_message(const fake_host_frame *frame)
{
    static uint8_t message[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    static uint16_t so_far;
    if (frame->header.offset == 0)
        so_far = 0;
    if (frame->header.offset != so_far || so_far + frame->header.len_bytes > frame->header.total)
        return NULL;
    memcpy(message + so_far, frame->payload, frame->header.len_bytes);
    so_far = (uint16_t)(so_far + frame->header.len_bytes);
    return so_far == frame->header.total ? message : NULL;
}

/* The status with this id among what has come, if it refuses: JRG_STATUS_OK if there is none. Everything a board says can be
 * read by the definition it was made from (fake_host_write looks at the frame itself). */
static jrg_status check_answers(uint32_t id)
{
    jrg_status found = JRG_STATUS_OK;
    for (unsigned i = 0; i < node_bench_host.count; i++) {
        const fake_host_frame *frame = &node_bench_host.frames[i];
        const uint8_t *message = is_message(frame->header.type) ? whole_message(frame) : NULL;
        struct response_r answer;
        size_t read_bytes = 0;
        if (message == NULL)
            continue;
        CHECK_EQUAL(cbor_decode_response(message, frame->header.total, &answer, &read_bytes), 0);
        CHECK_EQUAL(read_bytes, frame->header.total);
        count_answer(&answer);
        if (answer.response_choice == response_status_m_c && answer.response_status_m.status_id == id)
            found = (jrg_status)answer.response_status_m.status_code;
    }
    fake_host_forget(&node_bench_host);
    return found;
}

static void forget_answers(void)
{
    (void)check_answers(NO_ID);
}

static void poll(void)
{
    (void)jrg_node_wait_ms(&node_bench_node, node_bench_now_ms);
    jrg_node_poll(&node_bench_node, node_bench_now_ms);
    forget_answers();
}

static void feed(const uint8_t *bytes, size_t len_bytes)
{
    node_bench_now_ms += once_in(50) ? draw(5000) : draw(20);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, node_bench_now_ms);
    forget_answers();
    poll();
}

/* ---- frames ------------------------------------------------------------------------------------------------------- */

/* Mostly whole; else a segment, from where the board stands or from anywhere (L3.7). */
static void draw_place(jrg_frame *frame)
{
    const jrg_link *link = &node_bench_node.link;
    frame->total = (uint8_t)frame->len_bytes;
    if (!once_in(60))
        return;
    if (draw(2) == 0 && link->part_bytes > 0 && frame->type == link->part_type) {
        const uint16_t left_bytes = (uint16_t)(link->part_total - link->part_bytes);
        frame->offset = link->part_bytes;
        frame->total = link->part_total;
        frame->len_bytes = frame->len_bytes < left_bytes ? frame->len_bytes : left_bytes;
    } else {
        frame->offset = draw(2) != 0 ? 0 : (uint8_t)draw(256);
        frame->total = (uint8_t)(frame->len_bytes + draw(100));
    }
}

/* In the right session and mostly with the number expected, so that it reaches the node. */
static size_t frame_bytes(jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes,
                          uint8_t out[JRG_LIMIT_MAX_ENCODED_BYTES])
{
    const jrg_link *link = &node_bench_node.link;
    jrg_frame frame = {
        .major = (uint8_t)(once_in(100) ? draw(16) : JRG_PROTOCOL_MAJOR),
        .type = (uint8_t)type,
        .seq = (uint8_t)(link->expected + (once_in(30) ? draw(256) : 0)),
        .ack = (uint8_t)(link->send_base + (once_in(20) ? draw(10) : link->highest >> 8)),
        .ack_offset = (uint8_t)(once_in(20) ? draw(256) : link->highest & 255u),
        .session = once_in(100) ? (uint16_t)draw(65536) : link->session,
        .len_bytes = len_bytes,
        .payload = payload,
    };
    draw_place(&frame);
    counts.frames++;
    return jrg_frame_encode(&frame, out);
}

/* L4.12; blob-end is the one request whose refusal ends something: the transfer of bytes that are no good. */
static void check_refusal(const real_bench_state *before, bool ends_transfer)
{
    static real_bench_state after;
    real_bench_note(&after);
    if (ends_transfer && !after.announced)
        return;
    after.prediction_left = before->prediction_left; /* what is left of one is told before the next frame is taken */
    CHECK(memcmp(before, &after, sizeof after) == 0);
}

/* id: of the request in it, or NO_ID. */
static void send(jrg_frame_type type, const uint8_t *payload, uint16_t len_bytes, uint32_t id, bool ends_transfer)
{
    static real_bench_state before;
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    size_t encoded_bytes = frame_bytes(type, payload, len_bytes, bytes);
    if (once_in(60))
        bytes[draw((uint32_t)encoded_bytes)] = next_choice();
    if (type == JRG_FRAME_TYPE_MSG)
        real_bench_note(&before);
    node_bench_now_ms += draw(20);
    jrg_node_receive(&node_bench_node, bytes, encoded_bytes, node_bench_now_ms);
    if (check_answers(id) != JRG_STATUS_OK)
        check_refusal(&before, ends_transfer);
    poll();
}

/* Ids of their own, so that an answer which comes late is not taken for another's; encoded in three bytes (256..65535). */
static uint32_t give_id(uint8_t *payload)
{
    static uint16_t last_id;
    last_id = last_id < 256 || last_id == UINT16_MAX ? 256 : (uint16_t)(last_id + 1);
    CHECK_EQUAL(payload[2], 0x19);
    payload[3] = (uint8_t)(last_id >> 8);
    payload[4] = (uint8_t)last_id;
    return last_id;
}

static void send_request(struct request_r *request)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    size_t len_bytes = 0;
    memcpy(&request->request_identify_m, &(uint32_t){UINT16_MAX},
           sizeof(uint32_t)); /* `id` is the first field of each */
    if (cbor_encode_request(payload, sizeof payload, request, &len_bytes) != 0)
        return; /* a field has a value that the definition rules out */
    const uint32_t id = give_id(payload);
    if (once_in(20)) /* CBOR that is well formed in most places */
        payload[draw((uint32_t)len_bytes)] = next_choice();
    if (once_in(40))
        len_bytes = draw(JRG_LIMIT_MAX_PAYLOAD_BYTES + 1u);
    send(JRG_FRAME_TYPE_MSG, payload, (uint16_t)len_bytes, id, request->request_choice == request_blob_end_m_c);
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

/* A blob the board would verify, most of the time; else nothing it knows. */
static struct zcbor_string draw_hash(void)
{
    static uint8_t wild[JRG_SHA256_BYTES];
    if (!once_in(12))
        return (struct zcbor_string){.value = real_bench_hash(draw(REAL_BLOBS)), .len = sizeof wild};
    draw_bytes(wild, sizeof wild);
    return (struct zcbor_string){.value = wild, .len = sizeof wild};
}

static struct zcbor_string draw_base(void)
{
    struct zcbor_string base = draw_hash();
    if (node_bench_node.staged.verified && !once_in(8))
        base.value = node_bench_node.staged.hash;
    if (draw(3) == 1)
        base.len = once_in(4) ? draw(33) : 0;
    return base;
}

#if JRG_NODE_PROTOTYPES
/* Mostly what the board can do: it recognises nothing before a sample is enrolled (L4.13). */
static jrg_job_kind draw_kind(void)
{
    static const jrg_job_kind kinds[] = {JRG_JOB_KIND_TRAIN,          JRG_JOB_KIND_EVALUATE,
                                         JRG_JOB_KIND_INFER,          JRG_JOB_KIND_ENROL,
                                         JRG_JOB_KIND_RECOGNISE,      JRG_JOB_KIND_RECOGNISE,
                                         JRG_JOB_KIND_TRAIN_ENROLLED, JRG_JOB_KIND_TRAIN_ENROLLED,
                                         JRG_JOB_KIND_TRAIN_ENROLLED, JRG_JOB_KIND_TRAIN_ENROLLED};
    const jrg_job_kind kind = kinds[draw(sizeof kinds / sizeof kinds[0])];
    bool enrolled = once_in(8);
    for (uint32_t label = 0; label < JRG_MODEL_PROTOTYPES; label++)
        enrolled = enrolled || jrg_model_enrolled(label) != 0u;
    const bool compares = kind == JRG_JOB_KIND_RECOGNISE || kind == JRG_JOB_KIND_TRAIN_ENROLLED;
    return compares && !enrolled ? JRG_JOB_KIND_ENROL : kind;
}
#else
static jrg_job_kind draw_kind(void)
{
    return (jrg_job_kind)draw(3);
}
#endif

static void draw_job_begin(struct request_r *request)
{
    const bool has_sums = (jrg_model.operators & JRG_MODEL_OPERATOR_ACCUMULATION) != 0u;
    *request = real_bench_job(draw(MOST_JOBS), draw_kind(), REAL_NO_BASE, draw(MOST_SAMPLES));
    struct job_begin *begin = &request->request_job_begin_m;
    begin->job_begin_kind = about(begin->job_begin_kind, 8);
    begin->job_begin_base = draw_base();
    begin->job_begin_rate_mantissa = about(16384 + draw(16384), 16);
    begin->job_begin_rate_exponent = about(15 + draw(32), 8);
    begin->job_begin_samples = about(begin->job_begin_samples, 32);
    begin->job_begin_seed = draw(65536);
    begin->job_begin_batch = about(has_sums ? 1 + draw(5) : 1, 16);
    begin->job_begin_clip = draw(3) == 1 ? draw_word() : 0;
    begin->job_begin_loss_threshold = draw(3) == 1 ? draw(8192) : 0;
    begin->job_begin_temperature_mantissa = about(draw(3) == 1 ? 16384 + draw(16384) : 0, 16);
    begin->job_begin_temperature_exponent = about(15 + draw(32), 8);
    begin->job_begin_fresh = draw(8) == 1;
    begin->job_begin_rejection = draw(65536);
}

static void draw_online_begin(struct request_r *request)
{
    *request = real_bench_online(draw(MOST_JOBS), REAL_NO_BASE, draw(4 * MOST_SAMPLES));
    struct online_begin *begin = &request->request_online_begin_m;
    begin->online_begin_base = draw_base();
    begin->online_begin_rate_mantissa = about(16384 + draw(16384), 16);
    begin->online_begin_rate_exponent = about(15 + draw(32), 8);
    begin->online_begin_samples = about(begin->online_begin_samples, 32);
    begin->online_begin_fresh = draw(2) != 0;
    begin->online_begin_known = about(1 + draw(1023), 32);
    begin->online_begin_standardise = draw(2) != 0;
    begin->online_begin_warm_up = about(draw(8), 16);
    begin->online_begin_horizon = about(draw(4) == 1 ? 0 : 4 + draw(11), 8);
    begin->online_begin_replays = about(draw(4), 8);
    begin->online_begin_slack = about(draw(500), 16);
    begin->online_begin_threshold = about(draw(3) == 1 ? 0 : draw(40000), 32);
}

static void draw_signature(struct blob_signature *sent)
{
    static uint8_t bytes[JRG_LIMIT_SIGNATURE_BYTES];
    draw_bytes(bytes, sizeof bytes);
    sent->blob_signature_sha256 = draw_hash();
    sent->blob_signature_generation = draw_word();
    sent->blob_signature_root = (struct zcbor_string){.value = bytes, .len = draw(JRG_LIMIT_TOPIC_ROOT_BYTES + 1u)};
    sent->blob_signature_signature = (struct zcbor_string){.value = bytes, .len = sizeof bytes};
}

static void draw_request(void)
{
    struct request_r request = {0};
    request.request_choice = (__typeof__(request.request_choice))(request_identify_m_c + (int)draw(13));
    request.request_job_end_m = (struct job_end){.job_end_id = draw(65536), .job_end_job = draw(MOST_JOBS)};
    switch (request.request_choice) {
    case request_blob_begin_m_c:
        request.request_blob_begin_m.blob_begin_sha256 = draw_hash();
        request.request_blob_begin_m.blob_begin_size_bytes = about(JRG_MODEL_BLOB_BYTES, 32);
        break;
    case request_blob_end_m_c:
        request.request_blob_end_m.blob_end_sha256 = draw_hash();
        break;
    case request_job_begin_m_c:
        draw_job_begin(&request);
        break;
    case request_online_begin_m_c:
        draw_online_begin(&request);
        break;
    case request_update_read_m_c:
        request.request_update_read_m.update_read_offset = about(draw(JRG_MODEL_BLOB_BYTES + 1u), 32);
        break;
    case request_forget_m_c:
        request.request_forget_m.forget_label = about(draw(JRG_MODEL_OUTPUTS + 1u), 16);
        break;
    case request_blob_signature_m_c:
        draw_signature(&request.request_blob_signature_m);
        break;
    case request_prototype_read_m_c:
        request.request_prototype_read_m.prototype_read_label = about(draw(JRG_MODEL_OUTPUTS + 1u), 16);
        request.request_prototype_read_m.prototype_read_offset = about(draw(100), 16);
        break;
    default:
        break;
    }
    send_request(&request);
}

/* ---- sequences ---------------------------------------------------------------------------------------------------- */

/* The next bytes of a blob, at the place the board is at or about it. */
static void send_data(const uint8_t *blob)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    const uint32_t at = node_bench_node.staged.received_bytes;
    const uint32_t left_bytes = JRG_MODEL_BLOB_BYTES - at;
    uint32_t data_bytes = left_bytes < REAL_PART_BYTES ? left_bytes : REAL_PART_BYTES;
    jrg_bytes_put_u32(payload, about(at, 32));
    memcpy(payload + 4, blob + at, data_bytes);
    if (once_in(200))
        payload[4 + draw(REAL_PART_BYTES)] = next_choice();
    if (once_in(50))
        data_bytes = draw(REAL_PART_BYTES + 1u);
    send(JRG_FRAME_TYPE_DATA, payload, (uint16_t)(4u + data_bytes), NO_ID, false);
}

/* One that the board verifies, or at times one that its hash fits and the model refuses (A6.1). */
static void draw_blob(uint8_t blob[JRG_MODEL_BLOB_BYTES], uint8_t hash[JRG_SHA256_BYTES])
{
    memcpy(blob, real_blobs[draw(REAL_BLOBS)], JRG_MODEL_BLOB_BYTES);
    if (once_in(6))
        blob[draw(2) != 0 ? draw(24) : draw(JRG_MODEL_BLOB_BYTES)] = next_choice();
    jrg_sha256(blob, JRG_MODEL_BLOB_BYTES, hash);
}

static void stage_blob(void)
{
    static uint8_t blob[JRG_MODEL_BLOB_BYTES], digest[JRG_SHA256_BYTES];
    const struct zcbor_string hash = {.value = digest, .len = sizeof digest};
    draw_blob(blob, digest);
    struct request_r begin = {.request_choice = request_blob_begin_m_c};
    struct request_r end = {.request_choice = request_blob_end_m_c};
    begin.request_blob_begin_m = (struct blob_begin){1, hash, JRG_MODEL_BLOB_BYTES};
    end.request_blob_end_m = (struct blob_end){1, hash};
    send_request(&begin);
    const bool had_it = node_bench_node.staged.verified;
    for (uint32_t i = 0;
         i < JRG_MODEL_BLOB_BYTES / REAL_PART_BYTES + 3u && !had_it && choices_left > 0 && !once_in(100); i++)
        send_data(blob);
    send_request(&end);
    counts.blobs_verified += !had_it && node_bench_node.staged.verified;
}

/* The next piece of the sample the board waits for, whole or not, its numbers small, wild, or the largest there are. */
static void send_sample_part(void)
{
    static uint8_t sample[REAL_SAMPLE_BYTES];
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    const jrg_node_job *job = &node_bench_node.job;
    const uint32_t at = job->sample_bytes;
    const uint32_t left_bytes = REAL_SAMPLE_BYTES - at;
    uint32_t part_bytes = left_bytes < REAL_PART_BYTES ? left_bytes : REAL_PART_BYTES;
    real_bench_make_sample(job->done + draw(8), sample);
    if (draw(4) == 1)
        memset(sample + 2u * JRG_MODEL_TARGETS, draw(2) != 0 ? 0x7F : 0x80, sizeof sample - 2u * JRG_MODEL_TARGETS);
    if (once_in(16))
        sample[draw(REAL_SAMPLE_BYTES)] = next_choice();
    if (once_in(12))
        part_bytes = draw(REAL_PART_BYTES + 1u);
    jrg_bytes_put_u16(payload, (uint16_t)about(job->done & 65535u, 16));
    jrg_bytes_put_u16(payload + 2, (uint16_t)about(at & 65535u, 16));
    memcpy(payload + 4, sample + at, part_bytes < left_bytes ? part_bytes : left_bytes);
    send(JRG_FRAME_TYPE_SAMPLE, payload, (uint16_t)(4u + part_bytes), NO_ID, false);
}

static void do_job(void)
{
    const jrg_node_job *job = &node_bench_node.job;
    struct request_r begin;
    if (draw(3) == 1)
        draw_online_begin(&begin);
    else
        draw_job_begin(&begin);
    send_request(&begin);
    const bool ran = job->state == JRG_JOB_STATE_RUNNING;
    for (unsigned i = 0; i < 8 * MOST_SAMPLES && job->state == JRG_JOB_STATE_RUNNING && choices_left > 0; i++) {
        send_sample_part();
        if (once_in(40))
            draw_request();
    }
    if (ran && job->state == JRG_JOB_STATE_DONE)
        counts.jobs_done[job->kind]++;
}

static void read_update(void)
{
    struct request_r request = {.request_choice = request_update_read_m_c};
    request.request_update_read_m.update_read_job = node_bench_node.job.number;
    request.request_update_read_m.update_read_offset = about(draw(JRG_MODEL_BLOB_BYTES + 1u), 32);
    send_request(&request);
    const bool reads = node_bench_node.update.running;
    for (unsigned i = 0; i < JRG_MODEL_BLOB_BYTES / REAL_PART_BYTES + 2u && node_bench_node.update.running; i++)
        send(JRG_FRAME_TYPE_ACK, NULL, 0, NO_ID, false);
    counts.updates_read += reads && !node_bench_node.update.running;
}

static void say_hello(void)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    feed((const uint8_t[]){0}, 1);
    feed(bytes, fake_host_hello_bytes((uint16_t)draw(65536), (uint8_t)draw(10), bytes));
    counts.sessions++;
}

/* Mostly few bytes: they use up choices. */
static uint32_t wild_length(uint32_t most)
{
    return once_in(8) ? draw(most + 1u) : draw(24);
}

static void feed_noise(void)
{
    uint8_t bytes[WILD_BYTES];
    const size_t len_bytes = wild_length(WILD_BYTES);
    draw_bytes(bytes, len_bytes);
    feed(bytes, len_bytes);
}

static void send_wild_frame(void)
{
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    const uint16_t len_bytes = (uint16_t)wild_length(JRG_LIMIT_MAX_PAYLOAD_BYTES);
    draw_bytes(payload, len_bytes);
    send((jrg_frame_type)draw(16), payload, len_bytes, NO_ID, true);
}

static void act(void)
{
    static void (*const acts[])(void) = {
        do_job,     do_job,      do_job,      do_job,           do_job,          draw_request, draw_request,
        stage_blob, read_update, read_update, send_sample_part, send_wild_frame, feed_noise,   say_hello,
    };
    acts[draw(sizeof acts / sizeof acts[0])]();
}

/* After all that, the board does what it is asked. */
static void check_alive(void)
{
    uint8_t bytes[JRG_LIMIT_MAX_ENCODED_BYTES];
    const uint8_t identify[] = {0x82, 0x01, 0x05};
    jrg_segment_init(&node_bench_node.link.segment); /* the line is clean again: the answer comes in one frame */
    feed((const uint8_t[]){0}, 1);
    const size_t len_bytes = fake_host_hello_bytes(1, 8, bytes);
    jrg_node_receive(&node_bench_node, bytes, len_bytes, node_bench_now_ms);
    forget_answers();
    node_bench_say(JRG_FRAME_TYPE_MSG, identify, sizeof identify);
    CHECK_EQUAL(node_bench_newest(JRG_FRAME_TYPE_MSG).response_choice, response_identity_m_c);
    forget_answers();
}

void fuzz_node_run(const uint8_t *from, size_t len_bytes)
{
    choices = from;
    choices_left = len_bytes;
    real_bench_forget();
    node_bench_connect(8);
    forget_answers();
    if (!once_in(8))
        stage_blob();
    for (unsigned i = 0; i < MOST_ACTS && choices_left > 0; i++)
        act();
    check_alive();
}
