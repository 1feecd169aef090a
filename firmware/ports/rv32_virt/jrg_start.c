/* Start-up of a RISC-V core in machine mode: traps, memory, faults. */
#include <stdint.h>

#include "jrg_boot.h"   // jrg_boot_restart
#include "jrg_chip.h"   // JRG_REGISTER
#include "jrg_cpu.h"    // JRG_CPU_CONTROL
#include "jrg_memory.h" // jrg_memory_start

/* The machine's own device: a word restarts it. */
#define FINISHER JRG_REGISTER(0x00100000u)
enum { RESTART = 0x7777 };

extern int main(int argc, char **argv);
extern uint8_t jrg_flash_guard[];

_Noreturn void jrg_boot_restart(jrg_reset_cause cause)
{
    jrg_port_kept.magic = JRG_KEPT_MAGIC;
    jrg_port_kept.reset_cause = cause;
    FINISHER = RESTART;
    for (;;) {
    }
}

_Noreturn __attribute__((used)) void jrg_start_fault(void)
{
    jrg_boot_restart(JRG_RESET_CAUSE_FAULT);
}

/* Vectored: exceptions go to the first entry, the timer's and the outer world's interrupts to entries 7 and 11. If the
 * stack is what faulted, first of all it is emptied. */
void jrg_rv32_on_timer(void);
void jrg_rv32_on_external(void);
__attribute__((naked, aligned(64))) static void traps(void)
{
    __asm__ volatile(".option push\n\t.option norvc\n\t"
                     "j 1f\n\tj 1f\n\tj 1f\n\tj 1f\n\tj 1f\n\tj 1f\n\tj 1f\n\tj jrg_rv32_on_timer\n\t"
                     "j 1f\n\tj 1f\n\tj 1f\n\tj jrg_rv32_on_external\n\t"
                     ".option pop\n\t"
                     "1: la sp, jrg_port_stack_top\n\tj jrg_start_fault");
}

/* RISC-V Privileged Architecture, 3.7: a locked region binds machine mode too. The image, which lies below the stack on
 * this machine, cannot be written: a stack overrun is a fault. */
static void guard_image(void)
{
    const uint32_t locked_range_to_read_and_run = 0x80 | 0x18 | 0x4 | 0x1;
    __asm__ volatile(JRG_CPU_CONTROL("csrw pmpaddr0, %0")::"r"(jrg_flash_guard));
    __asm__ volatile(JRG_CPU_CONTROL("csrw pmpcfg0, %0")::"r"(locked_range_to_read_and_run));
}

static void take_traps(void)
{
    const uint32_t timer_and_external = 1u << 7 | 1u << 11;
    __asm__ volatile(JRG_CPU_CONTROL("csrw mtvec, %0")::"r"((uintptr_t)traps | 1u));
    __asm__ volatile(JRG_CPU_CONTROL("csrw mie, %0")::"r"(timer_and_external));
}

_Noreturn __attribute__((used)) void jrg_start(void);
_Noreturn __attribute__((used)) void jrg_start(void)
{
    jrg_memory_start();
    guard_image();
    take_traps();
    (void)main(0, 0);
    jrg_boot_restart(JRG_RESET_CAUSE_SOFTWARE);
}

void jrg_port_reset(void);
__attribute__((naked, section(".start"), used)) void jrg_port_reset(void)
{
    __asm__ volatile("la sp, jrg_port_stack_top\n\tj jrg_start");
}
