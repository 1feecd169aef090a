/* Start-up of a Cortex-M: vectors, memory, faults. The chip says its interrupts in jrg_vectors.h. */
#include <stdint.h>

#include "jrg_boot.h"    // jrg_boot_restart
#include "jrg_chip.h"    // JRG_REGISTER
#include "jrg_memory.h"  // jrg_memory_start
#include "jrg_vectors.h" // JRG_VECTORS

#define AIRCR JRG_REGISTER(0xE000ED0Cu)
#define AIRCR_SYSTEM_RESET 0x05FA0004u

extern int main(int argc, char **argv);

_Noreturn void jrg_boot_restart(jrg_reset_cause cause)
{
    jrg_port_kept.magic = JRG_KEPT_MAGIC;
    jrg_port_kept.reset_cause = cause;
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = AIRCR_SYSTEM_RESET;
    for (;;) {
    }
}

_Noreturn __attribute__((used)) void jrg_start_fault(void)
{
    jrg_boot_restart(JRG_RESET_CAUSE_FAULT);
}

_Noreturn __attribute__((used)) void jrg_start_watchdog(void)
{
    jrg_boot_restart(JRG_RESET_CAUSE_WATCHDOG);
}

/* If the stack is what faulted, a push would fault again and lock the core up: first of all the stack is emptied. */
#define WITH_AN_EMPTY_STACK(handler)                                                                                   \
    "ldr r0, 1f\n\tmov sp, r0\n\tldr r0, 2f\n\tbx r0\n\t.align 2\n1:\t.word jrg_port_stack_top\n2:\t.word " #handler

__attribute__((naked)) static void on_fault(void)
{
    __asm__ volatile(WITH_AN_EMPTY_STACK(jrg_start_fault));
}

__attribute__((naked)) static void on_watchdog(void)
{
    __asm__ volatile(WITH_AN_EMPTY_STACK(jrg_start_watchdog));
}

/* Below the stack must be nothing: an overrun is then a fault, not a changed variable. On some machines and chips there
 * is something; the core forbids it where it can. */
#if defined(__ARM_ARCH_8M_MAIN__)
/* ARMv8-M, B3.21: the core faults when the stack pointer goes below its limit. */
static void guard_stack(void)
{
    __asm__ volatile("msr msplim, %0" ::"r"(jrg_port_stack_end));
}
#elif defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__)
/* ARMv7-M, B3.5: a region of 2^(size + 1) bytes; without access rights whoever touches it faults. */
#define MPU_TYPE JRG_REGISTER(0xE000ED90u)
#define MPU_CONTROL JRG_REGISTER(0xE000ED94u)
#define MPU_REGION_NUMBER JRG_REGISTER(0xE000ED98u)
#define MPU_REGION_BASE JRG_REGISTER(0xE000ED9Cu)
#define MPU_REGION_RIGHTS JRG_REGISTER(0xE000EDA0u)
enum { MPU_ON = 1, MPU_REST_AS_BEFORE = 4, MPU_REGION_ON = 1, MPU_REGION_4_KB = 11 << 1 };
#define GUARD_BYTES 0x1000u
static void guard_stack(void)
{
    if (MPU_TYPE == 0)
        return; /* an STM32F1 has no such unit; nothing is below its RAM */
    MPU_REGION_NUMBER = 0;
    MPU_REGION_BASE = (uint32_t)(uintptr_t)jrg_port_stack_end - GUARD_BYTES;
    MPU_REGION_RIGHTS = MPU_REGION_4_KB | MPU_REGION_ON;
    MPU_CONTROL = MPU_REST_AS_BEFORE | MPU_ON;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
#else
static void guard_stack(void)
{
}
#endif

/* A boot loader may have left its own vectors in their place. A Cortex-M0 has no choice; the RP2040's second stage sets
 * them. */
#if defined(__ARM_ARCH_6M__)
static void take_vectors(void)
{
}
#else
#define VECTOR_TABLE JRG_REGISTER(0xE000ED08u)
extern const uint32_t jrg_port_vectors[];
static void take_vectors(void)
{
    VECTOR_TABLE = (uint32_t)(uintptr_t)jrg_port_vectors;
}
#endif

_Noreturn void jrg_port_reset(void);
_Noreturn void jrg_port_reset(void)
{
    take_vectors();
    jrg_memory_start();
    guard_stack();
    (void)main(0, 0);
    jrg_boot_restart(JRG_RESET_CAUSE_SOFTWARE);
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[] = {
    (vector)jrg_port_stack_top,
    jrg_port_reset,
    on_watchdog, /* NMI */
    on_fault,    /* hard fault */
    on_fault,    /* memory */
    on_fault,    /* bus */
    on_fault,    /* usage */
    on_fault,    /* secure */
    0,
    0,
    0,
    on_fault, /* SVC */
    on_fault, /* debug */
    0,
    on_fault, /* PendSV */
    JRG_VECTOR_SYSTICK,
    JRG_VECTORS,
};
