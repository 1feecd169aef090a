/* The core: Cortex-M. */
#ifndef JRG_CPU_H
#define JRG_CPU_H

#include <stdint.h>

#define JRG_CPU_NVIC_ENABLE(number)                                                                                    \
    (*(volatile uint32_t *)(0xE000E100u + 4u * ((number) / 32u)) = 1u << ((number) % 32u))

static inline void jrg_cpu_interrupts_off(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void jrg_cpu_interrupts_on(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

/* A pending interrupt ends it, though interrupts are off. */
static inline void jrg_cpu_wait(void)
{
    __asm__ volatile("dsb\n\twfi" ::: "memory");
}

#endif
