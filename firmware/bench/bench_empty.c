/* The bench's board without a program: what it takes of flash and RAM is subtracted to find what the engine takes. */
#include "bench_board.h"

int main(void)
{
    return BENCH_EXIT_OK;
}
