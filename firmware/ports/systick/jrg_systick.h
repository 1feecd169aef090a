/* The core's own timer as the chip's: ticks, and an interrupt every 8 ms that ends sleeps. For chips with a SysTick. */
#ifndef JRG_SYSTICK_H
#define JRG_SYSTICK_H

#include <stdint.h>

void jrg_systick_start(uint32_t clock_khz);
void jrg_systick_on_wrap(void);

#endif
