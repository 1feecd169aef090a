/* The bare board of the bench: start-up, files of the host through semihosting, the instruction counter, the stack's mark.
 * It runs on QEMU's mps2-an386, or virt for RISC-V, and serves nothing but measuring (docs/results/benchmarks.md). */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes, read by jaragua_bench.emulated.emulator. */
enum {
    BENCH_EXIT_OK = 0,
    BENCH_EXIT_INPUT = 2,   /* the input file is missing, too short, or of another program */
    BENCH_EXIT_OUTPUT = 3,  /* the output file cannot be written */
    BENCH_EXIT_REFUSED = 4, /* the engine refused a blob or a rate */
    BENCH_EXIT_FAULT = 99,
};

_Noreturn void bench_board_exit(uint32_t code);

/* Opens in.bin and out.bin in the emulator's working folder; ends the program if it cannot. */
void bench_board_open(void);

/* Reads exactly len_bytes of in.bin, or ends the program. */
void bench_board_read(void *data, uint32_t len_bytes);

/* Appends len_bytes to out.bin, or ends the program. */
void bench_board_write(const void *data, uint32_t len_bytes);

#if defined(__riscv)
/* Under `-icount shift=0` the counter of retired instructions counts them; after 4,294 million it begins anew. */
static inline uint32_t bench_board_ticks(void)
{
    uint32_t ticks;
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, minstret\n\t.option pop"
                     : "=r"(ticks)::"memory");
    return ticks;
}
#else
/* CMSDK timer 0 counts down at 25 MHz. Under `-icount shift=6` an instruction takes 64 ns, so n instructions are 1.6 n ticks;
 * after 2,684 million of them it begins anew, and counts are no longer exact. */
static inline uint32_t bench_board_ticks(void)
{
    __asm__ volatile("" ::: "memory");
    const uint32_t ticks = *(volatile uint32_t *)0x40000004u;
    __asm__ volatile("" ::: "memory");
    return ticks;
}
#endif

/* Instructions between two readings, that of the reading itself subtracted. */
uint32_t bench_board_instructions(uint32_t ticks_before, uint32_t ticks_after);

static inline uint32_t bench_board_stack_pointer(void)
{
    uint32_t pointer;
#if defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer)::"memory");
#else
    __asm__ volatile("mov %0, sp" : "=r"(pointer)::"memory");
#endif
    return pointer;
}

/* Paints the free stack; bench_board_stack_bytes then tells how far below `top` it was used. */
void bench_board_paint_stack(void);
uint32_t bench_board_stack_bytes(uint32_t top);

#endif
