#include "bench_board.h"

enum {
    SEMIHOSTING_OPEN = 0x01,
    SEMIHOSTING_WRITE0 = 0x04,
    SEMIHOSTING_WRITE = 0x05,
    SEMIHOSTING_READ = 0x06,
    SEMIHOSTING_EXIT_EXTENDED = 0x20,
    SEMIHOSTING_READ_BINARY = 1, /* modes of OPEN: fopen's "rb" and "wb" */
    SEMIHOSTING_WRITE_BINARY = 5,
};
#define APPLICATION_EXIT 0x20026u /* ADP_Stopped_ApplicationExit */
#define STACK_PAINT 0xA5C35A3Cu
#define PAINT_GAP_BYTES 64u /* room for the painting function's own frame */

/* From bench_m4.ld or bench_rv32.ld. */
extern uint32_t bench_data_load[], bench_data_start[], bench_data_end[], bench_bss_start[], bench_bss_end[];
extern uint32_t bench_stack_limit[], bench_stack_top[];

extern int main(void);
_Noreturn void bench_board_reset(void);

static uint32_t input_file;
static uint32_t output_file;
static uint32_t reading_instructions; /* what two readings with nothing between them cost */

#if defined(__riscv)
/* RISC-V Semihosting Specification: three instructions of four bytes in one page. */
static __attribute__((noinline, aligned(16))) uint32_t semihosting(uint32_t operation, const void *argument)
{
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n\t.option norvc\n\t.balign 16\n\t"
                     "slli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\t.option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
}
#else
static uint32_t semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
#endif

void bench_board_exit(uint32_t code)
{
    const uint32_t block[2] = {APPLICATION_EXIT, code};
    for (;;) {
        (void)semihosting(SEMIHOSTING_EXIT_EXTENDED, block);
    }
}

static _Noreturn void end_with(uint32_t code, const char *sentence)
{
    (void)semihosting(SEMIHOSTING_WRITE0, sentence);
    bench_board_exit(code);
}

static _Noreturn void fault(void)
{
    end_with(BENCH_EXIT_FAULT, "bench: the processor took a fault\n");
}

static uint32_t open_file(const char *name, uint32_t name_length, uint32_t mode)
{
    const uint32_t block[3] = {(uint32_t)(uintptr_t)name, mode, name_length};
    return semihosting(SEMIHOSTING_OPEN, block);
}

void bench_board_open(void)
{
    input_file = open_file("in.bin", 6, SEMIHOSTING_READ_BINARY);
    if (input_file == UINT32_MAX) {
        end_with(BENCH_EXIT_INPUT, "bench: in.bin cannot be opened\n");
    }
    output_file = open_file("out.bin", 7, SEMIHOSTING_WRITE_BINARY);
    if (output_file == UINT32_MAX) {
        end_with(BENCH_EXIT_OUTPUT, "bench: out.bin cannot be opened\n");
    }
}

/* READ and WRITE answer with the number of bytes they did not transfer. */
void bench_board_read(void *data, uint32_t len_bytes)
{
    const uint32_t block[3] = {input_file, (uint32_t)(uintptr_t)data, len_bytes};
    if (semihosting(SEMIHOSTING_READ, block) != 0) {
        end_with(BENCH_EXIT_INPUT, "bench: in.bin is too short\n");
    }
}

void bench_board_write(const void *data, uint32_t len_bytes)
{
    const uint32_t block[3] = {output_file, (uint32_t)(uintptr_t)data, len_bytes};
    if (semihosting(SEMIHOSTING_WRITE, block) != 0) {
        end_with(BENCH_EXIT_OUTPUT, "bench: out.bin cannot be written\n");
    }
}

#if defined(__riscv)
static uint32_t instructions_since_start(uint32_t ticks)
{
    return ticks;
}
#else
/* The timer was started by an instruction, so after n more it has done 1.6 n ticks, rounded down: n is that exactly. */
static uint32_t instructions_since_start(uint32_t ticks)
{
    return (uint32_t)(((uint64_t)(UINT32_MAX - ticks) * 5u + 7u) / 8u);
}
#endif

uint32_t bench_board_instructions(uint32_t ticks_before, uint32_t ticks_after)
{
    const uint32_t between = instructions_since_start(ticks_after) - instructions_since_start(ticks_before);
    return between - reading_instructions;
}

void bench_board_paint_stack(void)
{
    const uint32_t end = bench_board_stack_pointer() - PAINT_GAP_BYTES;
    for (volatile uint32_t *word = bench_stack_limit; (uint32_t)(uintptr_t)word < end; word++) {
        *word = STACK_PAINT;
    }
}

uint32_t bench_board_stack_bytes(uint32_t top)
{
    const volatile uint32_t *word = bench_stack_limit;
    while (*word == STACK_PAINT) {
        word++;
    }
    return top - (uint32_t)(uintptr_t)word;
}

static void measure_reading(void)
{
    const uint32_t before = bench_board_ticks();
    const uint32_t after = bench_board_ticks();
    reading_instructions = bench_board_instructions(before, after);
}

static void initialise_memory(void)
{
    /* volatile: no calls of memcpy and memset, which would hide what the engine itself needs of the C library */
    const uint32_t *from = bench_data_load;
    for (volatile uint32_t *to = bench_data_start; to < bench_data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = bench_bss_start; to < bench_bss_end; to++) {
        *to = 0;
    }
}

#if defined(__riscv)
void bench_board_reset(void)
{
    initialise_memory();
    measure_reading();
    bench_board_exit((uint32_t)main());
}

_Noreturn void bench_board_fault(void);
__attribute__((used)) void bench_board_fault(void)
{
    fault();
}

__attribute__((naked, aligned(4))) static void trap(void)
{
    __asm__ volatile("la sp, bench_stack_top\n\tj bench_board_fault");
}

void bench_board_start(void);
__attribute__((naked, section(".start"), used)) void bench_board_start(void)
{
    __asm__ volatile(
        ".option push\n\t.option arch, +zicsr\n\t"
        "la sp, bench_stack_top\n\tla t0, %0\n\tcsrw mtvec, t0\n\tj bench_board_reset\n\t.option pop" ::"i"(trap));
}
#else
#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)

static void start_timer(void)
{
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1u;
    measure_reading();
}

void bench_board_reset(void)
{
    CPACR |= 0xFu << 20; /* the float32 baseline uses the FPU */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    initialise_memory();
    start_timer();
    bench_board_exit((uint32_t)main());
}

/* A program with marks (bench_marks.c) has its own. */
__attribute__((weak, alias("fault"))) void bench_board_supervisor_call(void);

typedef void (*vector)(void);
extern const vector bench_board_vectors[16];
__attribute__((section(".vectors"), used)) const vector bench_board_vectors[16] = {
    (vector)(uintptr_t)bench_stack_top,
    bench_board_reset,
    fault,
    fault,
    fault,
    fault,
    fault,
    0,
    0,
    0,
    0,
    bench_board_supervisor_call,
    fault,
    0,
    fault,
    fault,
};
#endif
