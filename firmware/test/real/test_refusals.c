/* L4.12: a request that is refused changes nothing. Every request in every form a board refuses is put to a board that is
 * idle, takes a blob, trains, learns online, or gives its update away; what it was doing then ends as if nobody had asked. */
#include "jrg_bytes.h"
#include "jrg_messages_encode.h"
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum {
    JOB = 4,
    OTHER_JOB = 5,
    UNKNOWN_JOB = 99,
    SAMPLES = 8,
    TAKEN = 4,
    PART = REAL_SAMPLE_BYTES < 12 ? 2 : 6,
    MOST_ROWS = 256
};

/* What the board is doing; a row holds for a set of them. */
enum {
    IDLE = 1u << 0,
    TRANSFER = 1u << 1, /* half of a blob has come */
    TRAINING = 1u << 2, /* a step is half summed (A11.1), and a sample has come in part */
    WHOLE = 1u << 3,    /* as TRAINING, at the end of a sample */
    ONLINE = 1u << 4,
    DONE = 1u << 5, /* a job has ended, its update is on its way */
    WITH_JOB = TRAINING | WHOLE | ONLINE,
    BOUND = WITH_JOB | DONE,
    ANY = IDLE | TRANSFER | BOUND,
};

typedef struct {
    const char *name;
    unsigned doing;
    jrg_frame_type type;
    uint8_t payload[JRG_LIMIT_MAX_PAYLOAD_BYTES];
    uint16_t len_bytes;
    jrg_status code;
} row;

static row rows[MOST_ROWS];
static unsigned row_count;

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static row *add_frame(const char *name, unsigned doing, jrg_frame_type type, jrg_status code)
{
    CHECK(row_count < MOST_ROWS);
    rows[row_count] = (row){.name = name, .doing = doing, .type = type, .code = code};
    return &rows[row_count++];
}

static void add(const char *name, unsigned doing, const struct request_r *request, jrg_status code)
{
    row *added = add_frame(name, doing, JRG_FRAME_TYPE_MSG, code);
    size_t len_bytes = 0;
    CHECK_EQUAL(cbor_encode_request(added->payload, sizeof added->payload, request, &len_bytes), 0);
    added->len_bytes = (uint16_t)len_bytes;
}

static const uint8_t unknown_hash[JRG_LIMIT_SIGNATURE_BYTES] = {0xEE};

static struct zcbor_string unknown(size_t len_bytes)
{
    return (struct zcbor_string){.value = unknown_hash, .len = len_bytes};
}

/* A good request of each kind, for a board that is doing something else. */
static struct request_r good(int choice)
{
    struct request_r request = {0};
    request.request_choice = (__typeof__(request.request_choice))choice; /* zcbor gives the enum no name */
    if (choice == request_blob_begin_m_c)
        request.request_blob_begin_m = (struct blob_begin){
            .blob_begin_id = 1, .blob_begin_sha256 = unknown(32), .blob_begin_size_bytes = JRG_MODEL_BLOB_BYTES};
    if (choice == request_blob_end_m_c)
        request.request_blob_end_m = (struct blob_end){.blob_end_id = 1, .blob_end_sha256 = unknown(32)};
    if (choice == request_blob_signature_m_c)
        request.request_blob_signature_m =
            (struct blob_signature){.blob_signature_id = 1,
                                    .blob_signature_sha256 = unknown(32),
                                    .blob_signature_root = unknown(0),
                                    .blob_signature_signature = unknown(JRG_LIMIT_SIGNATURE_BYTES)};
    if (choice == request_job_begin_m_c)
        request = real_bench_job(OTHER_JOB, JRG_JOB_KIND_TRAIN, REAL_NO_BASE, 1);
    if (choice == request_online_begin_m_c)
        request = real_bench_online(OTHER_JOB, REAL_NO_BASE, 1);
    return request;
}

/* L4.9: of each kind what the decoder refuses; no byte of a request can be left out, added, or be of another kind. */
static void add_malformed(void)
{
    for (int choice = request_identify_m_c; choice <= request_blob_signature_m_c; choice++) {
        const struct request_r request = good(choice);
        row *shorter = add_frame("cut off", ANY, JRG_FRAME_TYPE_MSG, JRG_STATUS_MALFORMED);
        size_t len_bytes = 0;
        CHECK_EQUAL(cbor_encode_request(shorter->payload, sizeof shorter->payload, &request, &len_bytes), 0);
        shorter->len_bytes = (uint16_t)(len_bytes - 1u);
        row *longer = add_frame("a byte too many", ANY, JRG_FRAME_TYPE_MSG, JRG_STATUS_MALFORMED);
        memcpy(longer->payload, shorter->payload, len_bytes);
        longer->len_bytes = (uint16_t)(len_bytes + 1u);
        row *tag = add_frame("unknown tag", ANY, JRG_FRAME_TYPE_MSG, JRG_STATUS_MALFORMED);
        memcpy(tag->payload, shorter->payload, len_bytes);
        tag->payload[1] = 0;
        tag->len_bytes = (uint16_t)len_bytes;
        row *id = add_frame("an id that is null", ANY, JRG_FRAME_TYPE_MSG, JRG_STATUS_MALFORMED);
        memcpy(id->payload, shorter->payload, len_bytes);
        id->payload[2] = 0xF6;
        id->len_bytes = (uint16_t)len_bytes;
    }
    add_frame("an empty message", ANY, JRG_FRAME_TYPE_MSG, JRG_STATUS_MALFORMED);
}

static void add_blob_rows(void)
{
    struct request_r begin = good(request_blob_begin_m_c);
    begin.request_blob_begin_m.blob_begin_size_bytes++;
    add("blob-begin: a byte too many", ANY, &begin, JRG_STATUS_BAD_SIZE);
    begin.request_blob_begin_m.blob_begin_size_bytes = 0;
    add("blob-begin: no bytes", ANY, &begin, JRG_STATUS_BAD_SIZE);
    const struct request_r signature = good(request_blob_signature_m_c);
    add("blob-signature: no key in the image", ANY, &signature, JRG_STATUS_UNSUPPORTED);
    struct request_r end = good(request_blob_end_m_c);
    add("blob-end: of another blob", ANY, &end, JRG_STATUS_NO_TRANSFER);
    end.request_blob_end_m.blob_end_sha256 = (struct zcbor_string){.value = real_bench_hash(0), .len = 32};
    add("blob-end: half of it is there", TRANSFER, &end, JRG_STATUS_INCOMPLETE);
}

static void add_rate(unsigned mantissa, unsigned exponent)
{
    struct request_r request = real_bench_job(OTHER_JOB, JRG_JOB_KIND_TRAIN, REAL_NO_BASE, 2);
    request.request_job_begin_m.job_begin_rate_mantissa = mantissa;
    request.request_job_begin_m.job_begin_rate_exponent = exponent;
    add("job-begin: a rate that is none", BOUND, &request, JRG_STATUS_BAD_RATE);
    if (JRG_NODE_BUFFERS == 1) /* there what was staged is used up (L4.3) */
        return;
    request.request_job_begin_m.job_begin_base = (struct zcbor_string){.value = real_bench_hash(0), .len = 32};
    add("job-begin: from a blob, with a rate that is none", BOUND, &request, JRG_STATUS_BAD_RATE);
}

static void add_job_rows(void)
{
    struct request_r request = real_bench_job(OTHER_JOB, JRG_JOB_KIND_ONLINE, REAL_NO_BASE, 2);
    add("job-begin: of kind online", ANY, &request, JRG_STATUS_UNSUPPORTED);
    request.request_job_begin_m.job_begin_kind = 255;
    add("job-begin: of a kind that is none", ANY, &request, JRG_STATUS_UNSUPPORTED);
    for (int kind = JRG_JOB_KIND_TRAIN; kind <= JRG_JOB_KIND_TRAIN_ENROLLED; kind++) {
        if (kind == JRG_JOB_KIND_ONLINE)
            continue;
        request = real_bench_job(OTHER_JOB, (jrg_job_kind)kind, REAL_NO_BASE, 2);
        add("job-begin: no weights to go on with", IDLE | TRANSFER, &request, JRG_STATUS_NOT_BOUND);
        request.request_job_begin_m.job_begin_base = unknown(32);
        add("job-begin: from a blob that is not there", ANY, &request, JRG_STATUS_NO_BLOB);
        request.request_job_begin_m.job_begin_base = (struct zcbor_string){.value = real_bench_hash(0), .len = 32};
        add("job-begin: from a blob that has come in part", TRANSFER, &request, JRG_STATUS_NO_BLOB);
        for (size_t len_bytes = 1; len_bytes < 32; len_bytes += 15) {
            request.request_job_begin_m.job_begin_base = unknown(len_bytes);
            add("job-begin: a hash that is none", ANY, &request, JRG_STATUS_MALFORMED);
        }
    }
    add_rate(16383, 20);
    add_rate(32768, 20);
    add_rate(20000, 14);
    add_rate(20000, 47);
    add_rate(0, 0);
    request = real_bench_job(OTHER_JOB, JRG_JOB_KIND_TRAIN, REAL_NO_BASE, 2);
    request.request_job_begin_m.job_begin_rate_mantissa = 32767; /* good, and must not stay when the batch is refused */
    request.request_job_begin_m.job_begin_rate_exponent = 16;
    request.request_job_begin_m.job_begin_batch = 0;
    add("job-begin: steps of no sample", BOUND, &request, JRG_STATUS_UNSUPPORTED);
    request.request_job_begin_m.job_begin_batch = 2;
    if ((jrg_model.operators & JRG_MODEL_OPERATOR_ACCUMULATION) == 0u)
        add("job-begin: steps of two samples", BOUND, &request, JRG_STATUS_UNSUPPORTED);
}

static void add_update_row(const char *name, unsigned doing, uint32_t job, uint32_t offset, jrg_status code)
{
    struct request_r request = {.request_choice = request_update_read_m_c};
    request.request_update_read_m =
        (struct update_read){.update_read_id = 1, .update_read_job = job, .update_read_offset = offset};
    add(name, doing, &request, code);
}

static void add_update_rows(void)
{
    add_update_row("update-read: of no job", ANY, UNKNOWN_JOB, 0, JRG_STATUS_NO_JOB);
    add_update_row("update-read: of a job that runs", WITH_JOB, JOB, 0, JRG_STATUS_BUSY);
    add_update_row("update-read: from behind its end", DONE, JOB, JRG_MODEL_BLOB_BYTES + 1u, JRG_STATUS_BAD_OFFSET);
}

#if JRG_NODE_ONLINE
/* A field of a good request with another value; `base`: also for a board that is to begin with another blob. */
#define ADD_SETTING(field, value)                                                                                      \
    do {                                                                                                               \
        struct request_r changed_ = real_bench_online(OTHER_JOB, REAL_NO_BASE, 2);                                     \
        changed_.request_online_begin_m.field = (value);                                                               \
        add("online-begin: " #field " " #value, BOUND, &changed_, JRG_STATUS_BAD_SETTING);                             \
        changed_ = real_bench_online(OTHER_JOB, 0, 2);                                                                 \
        changed_.request_online_begin_m.field = (value);                                                               \
        add("online-begin from a blob: " #field " " #value, BOUND, &changed_, JRG_STATUS_BAD_SETTING);                 \
    } while (0)

static void add_online_rows(void)
{
    struct request_r request = real_bench_online(OTHER_JOB, REAL_NO_BASE, 2);
    add("online-begin: no weights to go on with", IDLE | TRANSFER, &request, JRG_STATUS_NOT_BOUND);
    request.request_online_begin_m.online_begin_fresh = false;
    add("online-begin: no learner to go on with", ANY & ~(unsigned)ONLINE, &request, JRG_STATUS_NOT_BOUND);
    request.request_online_begin_m.online_begin_base = unknown(32);
    add("online-begin: from a blob that is not there", ANY, &request, JRG_STATUS_NO_BLOB);
    request.request_online_begin_m.online_begin_base = unknown(31);
    add("online-begin: a hash that is none", ANY, &request, JRG_STATUS_MALFORMED);
    ADD_SETTING(online_begin_rate_mantissa, 16383);
    ADD_SETTING(online_begin_rate_mantissa, 0);
    ADD_SETTING(online_begin_rate_exponent, 47);
    ADD_SETTING(online_begin_known, 0);
    ADD_SETTING(online_begin_known, 1ull << JRG_MODEL_OUTPUTS);
    ADD_SETTING(online_begin_horizon, 3);
    ADD_SETTING(online_begin_horizon, 15);
    ADD_SETTING(online_begin_replays, 65);
    ADD_SETTING(online_begin_threshold, (1u << 24) + 1u);
    request = real_bench_online(OTHER_JOB, REAL_NO_BASE, 2);
    request.request_online_begin_m.online_begin_fresh = false;
    request.request_online_begin_m.online_begin_replays = 65;
    add("online-begin: goes on, with a bad setting", ONLINE, &request, JRG_STATUS_BAD_SETTING);
}
#else
static void add_online_rows(void)
{
    const struct request_r begin = real_bench_online(OTHER_JOB, REAL_NO_BASE, 2);
    const struct request_r from_blob = real_bench_online(OTHER_JOB, 0, 2);
    const struct request_r read = {.request_choice = request_online_read_m_c};
    add("online-begin: no learner in the image", ANY, &begin, JRG_STATUS_UNSUPPORTED);
    add("online-begin from a blob: no learner in the image", ANY, &from_blob, JRG_STATUS_UNSUPPORTED);
    add("online-read: no learner in the image", ANY, &read, JRG_STATUS_UNSUPPORTED);
}
#endif

/* A job that computes with prototypes, with this temperature. */
static struct request_r job_with_prototypes(jrg_job_kind kind, unsigned mantissa, unsigned exponent)
{
    struct request_r request = real_bench_job(OTHER_JOB, kind, REAL_NO_BASE, 2);
    request.request_job_begin_m.job_begin_temperature_mantissa = mantissa;
    request.request_job_begin_m.job_begin_temperature_exponent = exponent;
    return request;
}

/* Steps of enrolled samples take gradients of prototypes. code: of an image that has them. */
static void add_enrolled_job(const char *name, jrg_status code)
{
    const bool has_gradients = (jrg_model.operators & JRG_MODEL_OPERATOR_PROTOTYPE_GRADIENTS) != 0u;
    const struct request_r enrolled = job_with_prototypes(JRG_JOB_KIND_TRAIN_ENROLLED, 20000, 20);
    const struct request_r cold = job_with_prototypes(JRG_JOB_KIND_TRAIN_ENROLLED, 16383, 20);
    add(name, BOUND, &enrolled, has_gradients ? code : JRG_STATUS_UNSUPPORTED);
    add("job-begin: a temperature that is none", BOUND, &cold,
        has_gradients ? JRG_STATUS_BAD_RATE : JRG_STATUS_UNSUPPORTED);
}

/* What an image without prototypes, or one whose classes have no samples, does not do. */
static void add_jobs_with_prototypes(const char *name, jrg_status code)
{
    const struct request_r train = job_with_prototypes(JRG_JOB_KIND_TRAIN, 20000, 20);
    const struct request_r evaluate = job_with_prototypes(JRG_JOB_KIND_EVALUATE, 20000, 20);
    const struct request_r recognise = job_with_prototypes(JRG_JOB_KIND_RECOGNISE, 0, 0);
    const struct request_r read = {.request_choice = request_prototype_read_m_c};
    add(name, BOUND, &train, code);
    add(name, BOUND, &evaluate, code);
    add(name, BOUND, &recognise, code);
    add_enrolled_job(name, code);
    add(name, ANY, &read, code);
}

#if JRG_NODE_PROTOTYPES
static void add_prototype_rows(void)
{
    const struct request_r cold = job_with_prototypes(JRG_JOB_KIND_TRAIN, 16383, 20);
    const struct request_r hot = job_with_prototypes(JRG_JOB_KIND_EVALUATE, 20000, 14);
    struct request_r forget = {.request_choice = request_forget_m_c};
    struct request_r read = {.request_choice = request_prototype_read_m_c};
    forget.request_forget_m.forget_label = JRG_MODEL_PROTOTYPES;
    read.request_prototype_read_m.prototype_read_label = JRG_MODEL_PROTOTYPES;
    add_jobs_with_prototypes("no class has a sample", JRG_STATUS_NO_PROTOTYPE);
    add("job-begin: a temperature that is none", BOUND, &cold, JRG_STATUS_BAD_RATE);
    add("job-begin: a temperature that is none", BOUND, &hot, JRG_STATUS_BAD_RATE);
    add("forget: a class that is none", ANY, &forget, JRG_STATUS_BAD_SAMPLE);
    add("prototype-read: a class that is none", ANY, &read, JRG_STATUS_BAD_SAMPLE);
}
#else
static void add_prototype_rows(void)
{
    const struct request_r enrol = real_bench_job(OTHER_JOB, JRG_JOB_KIND_ENROL, REAL_NO_BASE, 2);
    const struct request_r forget = {.request_choice = request_forget_m_c};
    add_jobs_with_prototypes("no prototypes in the image", JRG_STATUS_UNSUPPORTED);
    add("enrol: no prototypes in the image", BOUND, &enrol, JRG_STATUS_UNSUPPORTED);
    add("forget: no prototypes in the image", ANY, &forget, JRG_STATUS_UNSUPPORTED);
}
#endif

static void add_data(const char *name, unsigned doing, uint32_t offset, uint16_t len_bytes, jrg_status code)
{
    row *added = add_frame(name, doing, JRG_FRAME_TYPE_DATA, code);
    jrg_bytes_put_u32(added->payload, offset);
    added->len_bytes = len_bytes;
}

static void add_sample(const char *name, unsigned doing, uint16_t index, uint16_t offset, uint16_t len_bytes,
                       jrg_status code)
{
    row *added = add_frame(name, doing, JRG_FRAME_TYPE_SAMPLE, code);
    memset(added->payload, 0xFF, sizeof added->payload);
    jrg_bytes_put_u16(added->payload, index);
    jrg_bytes_put_u16(added->payload + 2, offset);
    added->len_bytes = len_bytes;
}

static void add_stream_rows(void)
{
    add_data("DATA: no offset", ANY, 0, 3, JRG_STATUS_MALFORMED);
    add_data("DATA: no transfer", ANY & ~(unsigned)TRANSFER, 0, 100, JRG_STATUS_NO_TRANSFER);
    add_data("DATA: at another offset", TRANSFER, 1, 100, JRG_STATUS_BAD_OFFSET);
    add_sample("SAMPLE: no head", ANY, TAKEN, PART, 3, JRG_STATUS_MALFORMED);
    add_sample("SAMPLE: no job", IDLE | TRANSFER | DONE, 0, 0, 8, JRG_STATUS_NO_JOB);
    add_sample("SAMPLE: another one", WITH_JOB, TAKEN + 1, 0, 8, JRG_STATUS_BAD_SAMPLE);
    add_sample("SAMPLE: at another offset", TRAINING | ONLINE, TAKEN, PART + 1, 8, JRG_STATUS_BAD_SAMPLE);
    if (REAL_SAMPLE_BYTES < REAL_PART_BYTES)
        add_sample("SAMPLE: too long", WHOLE, TAKEN, 0, (uint16_t)(4u + REAL_SAMPLE_BYTES + 1u), JRG_STATUS_BAD_SAMPLE);
    if (jrg_model.classifier && REAL_SAMPLE_BYTES <= REAL_PART_BYTES)
        add_sample("SAMPLE: a label that is no output", WHOLE, TAKEN, 0, (uint16_t)(4u + REAL_SAMPLE_BYTES),
                   JRG_STATUS_BAD_SAMPLE);
}

static void add_rows(void)
{
    row_count = 0;
    add_malformed();
    add_blob_rows();
    add_job_rows();
    add_update_rows();
    add_online_rows();
    add_prototype_rows();
    add_stream_rows();
}

/* ---- what the board is doing -------------------------------------------------------------------------------------- */

static void stage(unsigned which)
{
    node_bench_stage(real_blobs[which], real_bench_hash(which));
}

static void begin_work(unsigned doing)
{
    const struct request_r request =
        doing == ONLINE ? real_bench_online(JOB, 0, SAMPLES) : real_bench_job(JOB, JRG_JOB_KIND_TRAIN, 0, SAMPLES);
    stage(0);
    CHECK_EQUAL(node_bench_ask(&request).response_choice, response_job_state_m_c);
    for (uint32_t i = 0; i < TAKEN; i++)
        real_bench_send_sample(i, 0, REAL_SAMPLE_BYTES);
    if (doing != WHOLE)
        real_bench_send_sample(TAKEN, 0, PART);
}

static void end_work(void)
{
    real_bench_send_sample(TAKEN, node_bench_node.job.sample_bytes, REAL_SAMPLE_BYTES);
    for (uint32_t i = TAKEN + 1; i < SAMPLES; i++)
        real_bench_send_sample(i, 0, REAL_SAMPLE_BYTES);
    CHECK_EQUAL(node_bench_end_job(JOB).response_job_state_m.job_state_state, JRG_JOB_STATE_DONE);
}

static void begin(unsigned doing)
{
    real_bench_forget();
    node_bench_connect(4);
    if (doing == TRANSFER) {
        (void)node_bench_begin_blob(real_bench_hash(0), JRG_MODEL_BLOB_BYTES);
        real_bench_send_blob(real_blobs[0], 0, JRG_MODEL_BLOB_BYTES / 2u);
    } else if (doing == DONE) {
        begin_work(TRAINING);
        end_work();
        node_bench_settle();
        CHECK_EQUAL(node_bench_read_update(JOB, 0).response_status_m.status_code, JRG_STATUS_OK);
    } else if (doing != IDLE) {
        begin_work(doing);
    }
    node_bench_say(JRG_FRAME_TYPE_ACK, NULL, 0);
}

static uint8_t update[JRG_MODEL_BLOB_BYTES];

/* Every DATA frame that comes is put where it belongs, until the update is whole. */
static void read_on(void)
{
    for (uint32_t end = 0; end < JRG_MODEL_BLOB_BYTES;) {
        fake_host_forget(&node_bench_host);
        node_bench_settle();
        CHECK(node_bench_host.count > 0);
        for (unsigned i = 0; i < node_bench_host.count; i++) {
            const fake_host_frame *frame = &node_bench_host.frames[i];
            if (frame->header.type != JRG_FRAME_TYPE_DATA)
                continue;
            const uint32_t part_bytes = frame->header.len_bytes - 4u;
            CHECK_EQUAL(jrg_bytes_get_u32(frame->payload), end);
            CHECK(end + part_bytes <= sizeof update);
            memcpy(update + end, frame->payload + 4, part_bytes);
            end += part_bytes;
        }
    }
}

/* The blob that was on its way is used: what it is good for shows in a job. */
static void end_transfer(void)
{
    real_bench_send_blob(real_blobs[0], node_bench_node.staged.received_bytes, JRG_MODEL_BLOB_BYTES);
    CHECK_EQUAL(node_bench_end_blob(real_bench_hash(0)).response_status_m.status_code, JRG_STATUS_OK);
    begin_work(TRAINING);
    end_work();
}

static void end(unsigned doing)
{
    memset(update, 0, sizeof update);
    if (doing == TRANSFER)
        end_transfer();
    else if (doing == DONE)
        read_on();
    else if (doing != IDLE)
        end_work();
}

/* ---- the rule ----------------------------------------------------------------------------------------------------- */

static void put_to_the_board(const row *refused)
{
    static real_bench_state before, after;
    real_bench_note(&before);
    fake_host_forget(&node_bench_host);
    node_bench_say(refused->type, refused->payload, refused->len_bytes);
    const struct response_r answer = node_bench_newest(JRG_FRAME_TYPE_MSG);
    CHECK_EQUAL(answer.response_choice, response_status_m_c);
    CHECK_EQUAL(answer.response_status_m.status_code, refused->code);
    real_bench_note(&after);
    if (before.job.sample_bytes ==
        0) /* of a sample with a bad label all bytes come again (L4.4): the buffer is not kept */
        memcpy(before.job.target, after.job.target, sizeof before.job.target);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

static void check_while(unsigned doing)
{
    static real_bench_state undisturbed, disturbed;
    static uint8_t first_update[JRG_MODEL_BLOB_BYTES];
    unsigned checked = 0;
    begin(doing);
    end(doing);
    real_bench_note(&undisturbed);
    memcpy(first_update, update, sizeof first_update);
    add_rows();
    for (unsigned i = 0; i < row_count; i++) {
        if ((rows[i].doing & doing) == 0u)
            continue;
        fprintf(stderr, "%s\n", rows[i].name);
        begin(doing);
        put_to_the_board(&rows[i]);
        end(doing);
        real_bench_note(&disturbed);
        CHECK(memcmp(&undisturbed, &disturbed, sizeof disturbed) == 0);
        CHECK(memcmp(first_update, update, sizeof update) == 0);
        checked++;
    }
    CHECK(checked > 20);
}

TEST(l4_12_what_is_refused_changes_nothing_while_idle)
{
    check_while(IDLE);
}

TEST(l4_12_what_is_refused_changes_nothing_while_a_blob_comes)
{
    check_while(TRANSFER);
}

TEST(l4_12_what_is_refused_changes_nothing_while_training)
{
    check_while(TRAINING);
}

TEST(l4_12_what_is_refused_changes_nothing_between_two_samples)
{
    check_while(WHOLE);
}

TEST(l4_12_what_is_refused_changes_nothing_while_learning_online)
{
    if (JRG_NODE_ONLINE)
        check_while(ONLINE);
}

TEST(l4_12_what_is_refused_changes_nothing_while_an_update_goes_out)
{
    check_while(DONE);
}

/* A row of a blob's bytes that are not what was announced, or no blob of this network (A6.1). */
typedef struct {
    uint32_t offset;
    uint8_t value;
    bool announced; /* the hash is that of the changed bytes */
    jrg_status code;
} bad_blob;

static void refuse_blob(const bad_blob *bad)
{
    static uint8_t blob[JRG_MODEL_BLOB_BYTES], hash[JRG_SHA256_BYTES];
    memcpy(blob, real_blobs[1], sizeof blob);
    CHECK(blob[bad->offset] != bad->value);
    blob[bad->offset] = bad->value;
    jrg_sha256(bad->announced ? blob : real_blobs[1], sizeof blob, hash);
    CHECK_EQUAL(node_bench_begin_blob(hash, sizeof blob).response_choice, response_blob_state_m_c);
    real_bench_send_blob(blob, 0, sizeof blob - 10u);
    node_bench_data(sizeof blob - 10u, blob, 11);
    CHECK_EQUAL(node_bench_newest(JRG_FRAME_TYPE_MSG).response_status_m.status_code, JRG_STATUS_BAD_SIZE);
    real_bench_send_blob(blob, sizeof blob - 10u, sizeof blob);
    CHECK_EQUAL(node_bench_end_blob(hash).response_status_m.status_code, bad->code);
    CHECK_EQUAL(node_bench_begin_blob(hash, sizeof blob).response_blob_state_m.blob_state_offset, 0);
}

TEST(l4_12_a_blob_that_is_refused_ends_its_transfer_and_nothing_else)
{
    static real_bench_state undisturbed, disturbed;
    const bad_blob all[] = {
        {40, 0x55, false, JRG_STATUS_BAD_HASH},
        {0, 'X', true, JRG_STATUS_BAD_MAGIC},
        {8, 0x55, true, JRG_STATUS_BAD_ARCHITECTURE},
        {16, 99, true, JRG_STATUS_BAD_EXPONENT},
        {REAL_BIAS_OFFSET + 3, 0x7F, true, JRG_STATUS_BAD_VALUE},
    };
    if (JRG_NODE_BUFFERS == 1) /* there the download takes the working weights (L4.3) */
        return;
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin(TRAINING);
        end(TRAINING);
        real_bench_note(&undisturbed);
        begin(TRAINING);
        refuse_blob(&all[i]);
        end(TRAINING);
        real_bench_note(&disturbed);
        CHECK(memcmp(undisturbed.working, disturbed.working, sizeof disturbed.working) == 0);
        CHECK(memcmp(&undisturbed.job, &disturbed.job, sizeof disturbed.job) == 0);
    }
}
