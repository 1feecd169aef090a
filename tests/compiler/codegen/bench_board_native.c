/* The part of the bench's board that a test of kernels needs, on this machine: in.bin and out.bin in the working folder. */
#include <stdio.h>
#include <stdlib.h>

#include "bench_board.h"

static FILE *input;
static FILE *output;

void bench_board_exit(uint32_t code)
{
    exit((int)code);
}

uint32_t bench_board_instructions(uint32_t ticks_before, uint32_t ticks_after)
{
    return ticks_before - ticks_after;
}

void bench_board_open(void)
{
    input = fopen("in.bin", "rb");
    output = fopen("out.bin", "wb");
    if (input == NULL || output == NULL) {
        bench_board_exit(BENCH_EXIT_INPUT);
    }
}

void bench_board_read(void *data, uint32_t len_bytes)
{
    if (fread(data, 1, len_bytes, input) != len_bytes) {
        bench_board_exit(BENCH_EXIT_INPUT);
    }
}

void bench_board_write(const void *data, uint32_t len_bytes)
{
    if (fwrite(data, 1, len_bytes, output) != len_bytes) {
        bench_board_exit(BENCH_EXIT_OUTPUT);
    }
}
