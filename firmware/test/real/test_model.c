/* The calls of jrg_model.h in the wrong order: a status, and nothing is read, written or learned. */
#include "jrg_model.h"
#include "jrg_test.h"
#include "real_bench.h"

enum { UNTOUCHED = 0x5A5A };

static const jrg_nn_rate rate = {20000, 19};
static int16_t outputs[JRG_MODEL_OUTPUTS], target[JRG_MODEL_TARGETS];

TEST(before_bind_nothing_computes)
{
    jrg_nn_result result = {.correct = true, .loss = UNTOUCHED};
    real_bench_load_weights();
    outputs[0] = UNTOUCHED;
    CHECK_EQUAL(jrg_model_set_rate(rate), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_set_accumulation(1), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_forward(real_bench_x, outputs), JRG_NN_NOT_BOUND);
    CHECK_EQUAL(jrg_model_evaluate(real_bench_x, target, &result), JRG_NN_NOT_BOUND);
    CHECK_EQUAL(jrg_model_train(real_bench_x, target, &result), JRG_NN_NOT_BOUND);
    CHECK_EQUAL(jrg_model_apply(), JRG_NN_NOT_BOUND);
    CHECK_EQUAL(outputs[0], UNTOUCHED);
    CHECK(result.correct && result.loss == UNTOUCHED);
}

TEST(without_a_rate_nothing_trains)
{
    jrg_nn_result result = {.loss = UNTOUCHED};
    real_bench_load_weights();
    CHECK_EQUAL(jrg_model_bind(real_bench_weights), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_train(real_bench_x, target, &result), JRG_NN_NO_RATE);
    CHECK_EQUAL(jrg_model_set_rate((jrg_nn_rate){1, 1}), JRG_NN_BAD_RATE);
    CHECK_EQUAL(jrg_model_train(real_bench_x, target, &result), JRG_NN_NO_RATE);
    CHECK_EQUAL(result.loss, UNTOUCHED);
    CHECK(!real_bench_weights_have_moved());
    CHECK_EQUAL(jrg_model_evaluate(real_bench_x, target, &result), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_forward(real_bench_x, outputs), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_apply(), JRG_NN_OK);
}

TEST(with_weights_and_a_rate_it_trains)
{
    jrg_nn_result result;
    real_bench_load_weights();
    CHECK_EQUAL(jrg_model_set_rate(rate), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_bind(real_bench_weights), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_train(real_bench_x, target, &result), JRG_NN_OK);
    CHECK(real_bench_weights_have_moved());
}

TEST(weights_that_are_refused_leave_the_model_as_it_was)
{
    jrg_nn_result result;
    static uint32_t other[(JRG_MODEL_BLOB_BYTES + 3) / 4];
    real_bench_load_weights();
    CHECK_EQUAL(jrg_model_set_rate(rate), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_bind(other), JRG_NN_BAD_MAGIC);
    CHECK_EQUAL(jrg_model_train(real_bench_x, target, &result), JRG_NN_NOT_BOUND);
    CHECK_EQUAL(jrg_model_bind(real_bench_weights), JRG_NN_OK);
    CHECK_EQUAL(jrg_model_bind(other), JRG_NN_BAD_MAGIC);
    CHECK_EQUAL(jrg_model_set_rate((jrg_nn_rate){1, 1}), JRG_NN_BAD_RATE);
    CHECK_EQUAL(jrg_model_train(real_bench_x, target, &result), JRG_NN_OK);
    CHECK(real_bench_weights_have_moved());
}
