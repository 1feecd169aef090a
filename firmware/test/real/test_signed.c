/* A board with the coordinator's key in its image (docs/design/security.md, G32 and G33). tests/firmware/real_programs.py
 * makes the key and the signatures. */
#include "jrg_test.h"
#include "real_bench.h"

static jrg_status answer_to(const struct request_r *request)
{
    const struct response_r answer = node_bench_ask(request);
    CHECK_EQUAL(answer.response_choice, response_status_m_c);
    return (jrg_status)answer.response_status_m.status_code;
}

/* L4.12: a refusal changes nothing. */
static void check_no(const struct request_r *request, jrg_status code)
{
    static real_bench_state before, after;
    real_bench_note(&before);
    CHECK_EQUAL(answer_to(request), code);
    real_bench_note(&after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

static jrg_status sign(unsigned which, unsigned generation)
{
    const struct request_r request = real_bench_signature(which, generation);
    return answer_to(&request);
}

static void check_refused(unsigned which, jrg_status code)
{
    static real_bench_state before, after;
    real_bench_note(&before);
    const struct response_r answer = node_bench_begin_blob(real_bench_hash(which), JRG_MODEL_BLOB_BYTES);
    CHECK_EQUAL(answer.response_choice, response_status_m_c);
    CHECK_EQUAL(answer.response_status_m.status_code, code);
    real_bench_note(&after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

TEST(g32_2_no_blob_without_a_signature)
{
    node_bench_connect(4);
    check_refused(0, JRG_STATUS_NOT_SIGNED);
    CHECK_EQUAL(sign(0, 0), JRG_STATUS_OK);
    check_refused(1, JRG_STATUS_NOT_SIGNED);
    node_bench_stage(real_blobs[0], real_bench_hash(0));
    const struct request_r job = real_bench_job(4, JRG_JOB_KIND_EVALUATE, 0, 1);
    CHECK_EQUAL(node_bench_ask(&job).response_choice, response_job_state_m_c);
    check_refused(1, JRG_STATUS_NOT_SIGNED);
}

TEST(g32_1_the_identity_says_that_the_board_verifies)
{
    node_bench_connect(4);
    const struct request_r request = {.request_choice = request_identify_m_c};
    CHECK((node_bench_ask(&request).response_identity_m.identity_operators & JRG_OPERATOR_SIGNED) != 0u);
}

/* A damaged signature, or one of another hash, generation, counter or topic. */
TEST(g33_2_a_signature_of_anything_else_is_refused)
{
    uint8_t damaged[JRG_LIMIT_SIGNATURE_BYTES];
    node_bench_connect(4);
    for (unsigned n = 0; n < sizeof damaged; n += 7) {
        memcpy(damaged, real_signatures[0][0], sizeof damaged);
        damaged[n] ^= 1u;
        struct request_r request = real_bench_signature(0, 0);
        request.request_blob_signature_m.blob_signature_signature.value = damaged;
        check_no(&request, JRG_STATUS_BAD_SIGNATURE);
    }
    struct request_r request = real_bench_signature(0, 0);
    request.request_blob_signature_m.blob_signature_sha256.value = real_bench_hash(1);
    check_no(&request, JRG_STATUS_BAD_SIGNATURE);
    request = real_bench_signature(0, 0);
    request.request_blob_signature_m.blob_signature_generation++;
    check_no(&request, JRG_STATUS_BAD_SIGNATURE);
    request = real_bench_signature(0, 0);
    request.request_blob_signature_m.blob_signature_counter++;
    check_no(&request, JRG_STATUS_BAD_SIGNATURE);
    request = real_bench_signature(0, 0);
    request.request_blob_signature_m.blob_signature_root.len--;
    check_no(&request, JRG_STATUS_BAD_SIGNATURE);
    check_refused(0, JRG_STATUS_NOT_SIGNED);
}

TEST(g33_3_an_earlier_generation_is_refused_until_the_board_starts_again)
{
    node_bench_connect(4);
    CHECK_EQUAL(sign(1, 1), JRG_STATUS_OK);
    const struct request_r old = real_bench_signature(0, 0);
    check_no(&old, JRG_STATUS_OLD_SIGNATURE);
    check_refused(0, JRG_STATUS_NOT_SIGNED);
    node_bench_stage(real_blobs[1], real_bench_hash(1));
    node_bench_connect(4);
    CHECK_EQUAL(sign(0, 0), JRG_STATUS_OK);
}

TEST(g33_4_what_is_staged_needs_no_new_signature)
{
    node_bench_connect(4);
    CHECK_EQUAL(sign(0, 0), JRG_STATUS_OK);
    node_bench_stage(real_blobs[0], real_bench_hash(0));
    CHECK_EQUAL(sign(1, 0), JRG_STATUS_OK);
    CHECK(node_bench_begin_blob(real_bench_hash(0), JRG_MODEL_BLOB_BYTES).response_blob_state_m.blob_state_complete);
}
