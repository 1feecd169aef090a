/* The core: RISC-V, machine mode. */
#ifndef JRG_CPU_H
#define JRG_CPU_H

/* The control registers are an extension of their own, which a compiler may not know to be there. */
#define JRG_CPU_CONTROL(instruction) ".option push\n\t.option arch, +zicsr\n\t" instruction "\n\t.option pop\n\t"

static inline void jrg_cpu_interrupts_off(void)
{
    __asm__ volatile(JRG_CPU_CONTROL("csrci mstatus, 8")::: "memory");
}

static inline void jrg_cpu_interrupts_on(void)
{
    __asm__ volatile(JRG_CPU_CONTROL("csrsi mstatus, 8")::: "memory");
}

/* A pending interrupt ends it, though interrupts are off. */
static inline void jrg_cpu_wait(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

#endif
