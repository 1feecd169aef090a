/* Interrupts of an STM32 that the port uses, for jrg_start.c. */
#ifndef JRG_VECTORS_H
#define JRG_VECTORS_H

#include "jrg_board.h"   // JRG_BOARD_USART_IRQ
#include "jrg_systick.h" // jrg_systick_on_wrap

void jrg_stm32_on_line(void);

#define JRG_VECTOR_SYSTICK jrg_systick_on_wrap
#define JRG_VECTORS [16 + JRG_BOARD_USART_IRQ] = jrg_stm32_on_line

#endif
