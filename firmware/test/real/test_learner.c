/* O9.3. The calls of jrg_online.h and jrg_online_model.h in the wrong order: a status, and nothing is read, written or learned. */
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum { UNTOUCHED = 0x5A5A };

static const jrg_nn_rate rate = {20000, 19};
static const jrg_online_settings settings = {
    .known = 7, .warm_up = 2, .horizon_log2 = 6, .standardise = true, .replays = 1};

TEST(before_begin_nothing_is_learned_online)
{
    jrg_online_outcome outcome = {.loss = UNTOUCHED};
    real_bench_load_weights();
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, 1, &outcome), JRG_ONLINE_NOT_BEGUN);
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, JRG_MODEL_OUTPUTS, &outcome), JRG_ONLINE_NOT_BEGUN);
    CHECK_EQUAL(jrg_online_model_resume(real_bench_weights, &settings, rate), JRG_ONLINE_NOT_BEGUN);
    CHECK_EQUAL(jrg_online_model_begin(real_bench_weights, &settings, (jrg_nn_rate){0, 0}), JRG_ONLINE_BAD_SETTINGS);
    real_bench_weights[0] ^= 1u;
    CHECK_EQUAL(jrg_online_model_begin(real_bench_weights, &settings, rate), JRG_ONLINE_BAD_WEIGHTS);
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, 1, &outcome), JRG_ONLINE_NOT_BEGUN);
    CHECK_EQUAL(outcome.loss, UNTOUCHED);
}

TEST(a_head_of_ones_own_is_asked_for_too)
{
    static jrg_online own; /* all 0 */
    jrg_online_outcome outcome = {0};
    const jrg_online_step step = {.exponents = {.forward_shift = 2}, .rate = {20000, 19}};
    const jrg_nn_dense head = {0};
    CHECK_EQUAL(jrg_online_prepare(&own, real_bench_x), JRG_ONLINE_NOT_BEGUN);
    CHECK_EQUAL(jrg_online_learn(&own, real_bench_x, 0, &outcome), JRG_ONLINE_NOT_BEGUN);
    CHECK_EQUAL(jrg_online_change(&own, &head, &settings, &step), JRG_ONLINE_NOT_BEGUN);
}

TEST(an_online_sample_is_learned_or_refused_by_name)
{
    jrg_online_outcome outcome = {.loss = UNTOUCHED};
    real_bench_load_weights();
    CHECK_EQUAL(jrg_online_model_begin(real_bench_weights, &settings, rate), JRG_ONLINE_OK); /* binds the model, too */
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, JRG_MODEL_OUTPUTS, &outcome), JRG_ONLINE_BAD_LABEL);
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, 1, &outcome), JRG_ONLINE_WARMING_UP);
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, 1, &outcome), JRG_ONLINE_WARMING_UP);
    CHECK_EQUAL(outcome.loss, UNTOUCHED);
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, 1, &outcome), JRG_ONLINE_OK);
    CHECK_EQUAL(jrg_online_model_state()->report.samples, 1);
}

TEST(a_learner_goes_on_with_weights_at_another_place)
{
    static uint32_t other[(JRG_MODEL_BLOB_BYTES + 3) / 4];
    jrg_online_settings known = {.known = 7, .replays = 1};
    jrg_online_outcome outcome;
    real_bench_load_weights();
    CHECK_EQUAL(jrg_online_model_begin(real_bench_weights, &known, rate), JRG_ONLINE_OK);
    memcpy(other, real_bench_weights, sizeof other);
    CHECK_EQUAL(jrg_online_model_resume(other, &known, rate), JRG_ONLINE_OK);
    real_bench_load_weights();
    CHECK_EQUAL(jrg_online_model_learn(real_bench_x, 1, &outcome), JRG_ONLINE_OK);
    CHECK(!real_bench_weights_have_moved());
    CHECK(memcmp(other, real_bench_weights, sizeof other) != 0);
}
