/* One second of sound on the bench's board: reads options and 16,000 samples, writes features and what they cost. */
#include "bench_board.h"
#include "jrg_feat.h"

#define SECOND 16000

static uint8_t options[4]; /* whether there are any, then those of jrg_feat_options */
static int16_t samples[SECOND];
static int16_t levels[JRG_FEAT_COUNT];
static int16_t features[JRG_FEAT_COUNT];
static jrg_feat_scratch scratch;

static jrg_feat_options chosen(void)
{
    return (jrg_feat_options){
        .normalised = options[1] != 0u,
        .pooling = (jrg_feat_pooling)options[2],
        .cepstrum = options[3] != 0u,
    };
}

static void frame_of(const int16_t *own, int16_t *row)
{
    if (options[1] != 0u) {
        jrg_feat_frame_normalised(own, &scratch, row);
    } else {
        jrg_feat_frame(own, &scratch, row);
    }
}

/* F12: the second frame of all rows but the last. */
static void second_of(const int16_t *own, int16_t *row)
{
    static int16_t second[JRG_FEAT_BANDS];
    frame_of(own, second);
    jrg_feat_add_frame(chosen(), second, row);
}

static void row_of(uint32_t row)
{
    const int16_t *own = &samples[row * JRG_FEAT_HOP_SAMPLES];
    frame_of(own, &levels[row * JRG_FEAT_BANDS]);
    if (options[2] != 0u && row + 1u < JRG_FEAT_FRAMES) {
        second_of(own + JRG_FEAT_SHORT_HOP_SAMPLES, &levels[row * JRG_FEAT_BANDS]);
    }
}

static void clip_of(void)
{
    if (options[0] != 0u) {
        jrg_feat_clip_with(chosen(), levels, features);
    } else {
        jrg_feat_clip(levels, features);
    }
}

int main(void)
{
    bench_board_open();
    bench_board_read(options, sizeof options);
    bench_board_read(samples, sizeof samples);
    const uint32_t stack_top = bench_board_stack_pointer();
    bench_board_paint_stack();
    const uint32_t begin = bench_board_ticks();
    for (uint32_t row = 0; row < JRG_FEAT_FRAMES; row++) {
        row_of(row);
    }
    const uint32_t middle = bench_board_ticks();
    clip_of();
    const uint32_t end = bench_board_ticks();
    const uint32_t figures[3] = {
        bench_board_instructions(begin, middle),
        bench_board_instructions(middle, end),
        bench_board_stack_bytes(stack_top),
    };
    bench_board_write(features, sizeof features);
    bench_board_write(figures, sizeof figures);
    return BENCH_EXIT_OK;
}
