/* The RAM before main: painted stack, variables with and without first values. For the start-up code of a core. */
#ifndef JRG_MEMORY_H
#define JRG_MEMORY_H

#include <stdint.h>

#define JRG_MEMORY_PAINT 0xA5C3A5C3u

extern uint32_t jrg_port_stack_end[], jrg_port_stack_top[];
extern uint32_t jrg_port_data_start[], jrg_port_data_end[], jrg_port_data_image[];
extern uint32_t jrg_port_bss_start[], jrg_port_bss_end[];

static inline void jrg_memory_fill(uint32_t *to, const uint32_t *end, uint32_t value)
{
    while ((uintptr_t)to < (uintptr_t)end)
        *(volatile uint32_t *)to++ = value;
}

/* The paint ends below the frame of the caller, which must not be overwritten. Volatile: a loop that a compiler takes
 * for memcpy or memset would call it before there is a C library's data. */
static inline void jrg_memory_start(void)
{
    jrg_memory_fill(jrg_port_stack_end, (uint32_t *)__builtin_frame_address(0) - 16, JRG_MEMORY_PAINT);
    const uint32_t *from = jrg_port_data_image;
    for (uint32_t *to = jrg_port_data_start; (uintptr_t)to < (uintptr_t)jrg_port_data_end; to++)
        *(volatile uint32_t *)to = *from++;
    jrg_memory_fill(jrg_port_bss_start, jrg_port_bss_end, 0);
}

#endif
