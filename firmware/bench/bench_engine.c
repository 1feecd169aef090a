/* Runs the steps of in.bin through the engine and writes what each gave to out.bin: figures, result, outputs, weights.
 * One program serves the measurement and the bit-exactness test, so what is counted is what is checked.
 *
 * in.bin:  header, then per step: step_head | blob if step_head.blob_follows | input int16[] | target int16[]
 * out.bin: per step: step_record | outputs int16[] | blob, and with BENCH_MARKS: marks uint32 | per mark: ticks uint32, place uint32
 * (little endian, nothing padded; jaragua_bench.steps.steps writes and reads them) */
#include "bench_board.h"
#include "bench_marks.h"
#include "jrg_model.h"
#include "jrg_model_config.h"

#define MAGIC 0x58474A42u /* "BJGX" */

struct header {
    uint32_t magic;
    uint32_t blob_bytes;
    uint16_t inputs;
    uint16_t outputs;
    uint16_t targets;
    uint16_t reserved;
    uint32_t steps;
};

struct step_head {
    uint16_t mantissa;
    uint8_t exponent;
    uint8_t blob_follows;
    uint32_t seed;  /* of the dither (A8.5), if a blob follows */
    uint32_t clip;  /* A11.7 */
    uint16_t batch; /* samples of a step (A11.1), if a blob follows */
    uint8_t flush;  /* the step of the samples there are follows (A11.5) */
    uint8_t reserved;
    uint32_t loss_threshold; /* A11.8 */
};

struct step_record {
    uint32_t forward_instructions;
    uint32_t train_instructions;
    uint32_t forward_stack_bytes;
    uint32_t train_stack_bytes;
    uint32_t correct;
    uint32_t loss;
};

static _Alignas(4) uint8_t blob[JRG_MODEL_BLOB_BYTES];
static int16_t input[JRG_MODEL_INPUTS];
static int16_t target[JRG_MODEL_TARGETS];
static int16_t outputs[JRG_MODEL_OUTPUTS];

static void require(bool condition, uint32_t exit_code)
{
    if (!condition) {
        bench_board_exit(exit_code);
    }
}

static uint32_t read_header(void)
{
    struct header header;
    bench_board_read(&header, sizeof header);
    require(header.magic == MAGIC && header.blob_bytes == sizeof blob, BENCH_EXIT_INPUT);
    require(header.inputs == JRG_MODEL_INPUTS && header.outputs == JRG_MODEL_OUTPUTS, BENCH_EXIT_INPUT);
    require(header.targets == JRG_MODEL_TARGETS, BENCH_EXIT_INPUT);
    return header.steps;
}

/* Returns whether the step of the samples there are follows this one. */
static bool read_step(void)
{
    struct step_head head;
    bench_board_read(&head, sizeof head);
    if (head.blob_follows != 0) {
        bench_board_read(blob, sizeof blob);
        require(jrg_model_bind(blob) == JRG_NN_OK, BENCH_EXIT_REFUSED);
        jrg_model_set_seed(head.seed);
        require(jrg_model_set_accumulation(head.batch) == JRG_NN_OK, BENCH_EXIT_REFUSED);
    }
    jrg_model_set_clip(head.clip);
    jrg_model_set_loss_threshold(head.loss_threshold);
    bench_board_read(input, sizeof input);
    bench_board_read(target, sizeof target);
    const jrg_nn_rate rate = {head.mantissa, head.exponent};
    require(jrg_model_set_rate(rate) == JRG_NN_OK, BENCH_EXIT_REFUSED);
    return head.flush != 0;
}

static void count_forward(struct step_record *record)
{
    bench_board_paint_stack();
    const uint32_t before = bench_board_ticks();
    const jrg_nn_status status = jrg_model_forward(input, outputs);
    const uint32_t after = bench_board_ticks();
    require(status == JRG_NN_OK, BENCH_EXIT_REFUSED);
    record->forward_stack_bytes = bench_board_stack_bytes(bench_board_stack_pointer());
    record->forward_instructions = bench_board_instructions(before, after);
}

static uint32_t count_apply(void)
{
    const uint32_t before = bench_board_ticks();
    const jrg_nn_status status = jrg_model_apply();
    const uint32_t after = bench_board_ticks();
    require(status == JRG_NN_OK, BENCH_EXIT_REFUSED);
    return bench_board_instructions(before, after);
}

static void count_train(struct step_record *record, bool flush)
{
    jrg_nn_result result;
    bench_board_paint_stack();
    bench_marks_begin();
    const uint32_t before = bench_board_ticks();
    BENCH_MARK(BENCH_MARK_BEGIN);
    const jrg_nn_status status = jrg_model_train(input, target, &result);
    BENCH_MARK(BENCH_MARK_END);
    const uint32_t after = bench_board_ticks();
    require(status == JRG_NN_OK, BENCH_EXIT_REFUSED);
    record->train_stack_bytes = bench_board_stack_bytes(bench_board_stack_pointer());
    record->train_instructions = bench_board_instructions(before, after);
    record->correct = result.correct;
    record->loss = result.loss;
    if (flush) {
        record->train_instructions += count_apply();
    }
}

int main(void)
{
    bench_board_open();
    for (uint32_t steps = read_header(); steps > 0; steps--) {
        struct step_record record;
        const bool flush = read_step();
        count_forward(&record);
        count_train(&record, flush);
        bench_board_write(&record, sizeof record);
        bench_board_write(outputs, sizeof outputs);
        bench_board_write(blob, sizeof blob);
        bench_marks_write();
    }
    return BENCH_EXIT_OK;
}
