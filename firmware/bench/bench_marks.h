/* Marks in a step: where an operator begins and ends (jaragua_bench.emulated.sections puts them in the engine's C).
 * A mark is one instruction, `svc #place`, whose exception keeps all registers: the code between marks is what it is
 * without them. Each takes the same number of instructions, which the host finds from two marks with nothing between. */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

enum {
    BENCH_MARK_BEGIN = 254,
    BENCH_MARK_END = 255,
};

#ifdef BENCH_MARKS
#define BENCH_MARK(place) __asm__ volatile("svc %0" ::"i"(place) : "memory")

/* Forgets all marks, and makes the two that have nothing between them. */
void bench_marks_begin(void);

/* Writes how many marks there are, and of each its place and the timer's ticks, to out.bin. */
void bench_marks_write(void);
#else
#define BENCH_MARK(place) ((void)0)
#define bench_marks_begin() ((void)0)
#define bench_marks_write() ((void)0)
#endif

#endif
