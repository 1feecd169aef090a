/* Start-up of the emulated Cortex-M4: vectors, memory, faults. */
#include <stdint.h>

#include "jrg_port_qemu_m4.h"

#define AIRCR REGISTER(0xE000ED0Cu)
#define AIRCR_SYSTEM_RESET 0x05FA0004u

/* ARMv7-M, B3.5: a region of 2^(size + 1) bytes; without access rights whoever touches it faults. */
#define MPU_CONTROL REGISTER(0xE000ED94u)
#define MPU_REGION_NUMBER REGISTER(0xE000ED98u)
#define MPU_REGION_BASE REGISTER(0xE000ED9Cu)
#define MPU_REGION_RIGHTS REGISTER(0xE000EDA0u)
enum { MPU_ON = 1, MPU_REST_AS_BEFORE = 4, MPU_REGION_ON = 1, MPU_REGION_64_KB = 15 << 1 };
#define GUARD_BYTES 0x10000u

extern uint32_t jrg_port_stack_end[], jrg_port_stack_top[];
extern uint32_t jrg_port_data_start[], jrg_port_data_end[], jrg_port_data_image[];
extern uint32_t jrg_port_bss_start[], jrg_port_bss_end[];
extern int main(int argc, char **argv);

static void copy_words(uint32_t *to, const uint32_t *end, const uint32_t *from)
{
    while (to < end)
        *to++ = *from++;
}

static void fill_words(uint32_t *to, const uint32_t *end, uint32_t value)
{
    while (to < end)
        *to++ = value;
}

void jrg_port_restart(jrg_reset_cause cause)
{
    jrg_port_kept.magic = JRG_PORT_KEPT_MAGIC;
    jrg_port_kept.reset_cause = cause;
    AIRCR = AIRCR_SYSTEM_RESET;
    for (;;) {
    }
}

_Noreturn void jrg_port_on_fault(void)
{
    jrg_port_restart(JRG_RESET_CAUSE_FAULT);
}

_Noreturn void jrg_port_on_watchdog(void)
{
    jrg_port_restart(JRG_RESET_CAUSE_WATCHDOG);
}

/* If the stack is what faulted, a push would fault again and lock the core up: first of all the stack is emptied. */
#define WITH_AN_EMPTY_STACK(handler) "ldr r0, =jrg_port_stack_top\n\tmov sp, r0\n\tb " #handler

__attribute__((naked)) static void on_fault(void)
{
    __asm__ volatile(WITH_AN_EMPTY_STACK(jrg_port_on_fault));
}

__attribute__((naked)) static void on_watchdog(void)
{
    __asm__ volatile(WITH_AN_EMPTY_STACK(jrg_port_on_watchdog));
}

/* QEMU has a device below the RAM that swallows writes without a fault; the guard makes an overrun one. */
static void guard_stack(void)
{
    MPU_REGION_NUMBER = 0;
    MPU_REGION_BASE = (uint32_t)(uintptr_t)jrg_port_stack_end - GUARD_BYTES;
    MPU_REGION_RIGHTS = MPU_REGION_64_KB | MPU_REGION_ON;
    MPU_CONTROL = MPU_REST_AS_BEFORE | MPU_ON;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* The paint ends below the frame of this function, which must not be overwritten. */
void jrg_port_reset(void)
{
    fill_words(jrg_port_stack_end, (uint32_t *)__builtin_frame_address(0) - 16, JRG_PORT_STACK_PAINT);
    copy_words(jrg_port_data_start, jrg_port_data_end, jrg_port_data_image);
    fill_words(jrg_port_bss_start, jrg_port_bss_end, 0);
    guard_stack();
    (void)main(0, 0);
    jrg_port_restart(JRG_RESET_CAUSE_SOFTWARE);
}

void jrg_port_stack(uint32_t *size_bytes, uint32_t *free_bytes)
{
    const uint32_t words =
        (uint32_t)(((uintptr_t)jrg_port_stack_top - (uintptr_t)jrg_port_stack_end) / sizeof(uint32_t));
    uint32_t painted = 0;
    while (painted < words && jrg_port_stack_end[painted] == JRG_PORT_STACK_PAINT)
        painted++;
    *size_bytes = words * (uint32_t)sizeof(uint32_t);
    *free_bytes = painted * (uint32_t)sizeof(uint32_t);
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16 + 10] = {
    (vector)jrg_port_stack_top,
    jrg_port_reset,
    on_watchdog, /* NMI */
    on_fault,    /* hard fault */
    on_fault,    /* memory */
    on_fault,    /* bus */
    on_fault,    /* usage */
    0,
    0,
    0,
    0,
    on_fault, /* SVC */
    on_fault, /* debug */
    0,
    on_fault, /* PendSV */
    on_fault, /* SysTick, not used */
    [16 + JRG_PORT_IRQ_UART_RX] = jrg_port_on_uart_rx,
    [16 + JRG_PORT_IRQ_UART_TX] = jrg_port_on_uart_tx,
    [16 + JRG_PORT_IRQ_ALARM] = jrg_port_on_alarm,
};
