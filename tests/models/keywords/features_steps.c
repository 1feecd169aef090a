/* One second of sound on the bench's board: reads 16,000 samples, writes 650 features and what they cost. */
#include "bench_board.h"
#include "jrg_feat.h"

#define SECOND 16000

static int16_t samples[SECOND];
static int16_t levels[JRG_FEAT_COUNT];
static int16_t features[JRG_FEAT_COUNT];
static jrg_feat_scratch scratch;

int main(void)
{
    bench_board_open();
    bench_board_read(samples, sizeof samples);
    const uint32_t stack_top = bench_board_stack_pointer();
    bench_board_paint_stack();
    const uint32_t begin = bench_board_ticks();
    for (uint32_t frame = 0; frame < JRG_FEAT_FRAMES; frame++) {
        jrg_feat_frame(&samples[frame * JRG_FEAT_HOP_SAMPLES], &scratch, &levels[frame * JRG_FEAT_BANDS]);
    }
    const uint32_t middle = bench_board_ticks();
    jrg_feat_clip(levels, features);
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
