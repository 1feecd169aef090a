/* Interrupts of RP2040 and RP2350 that the port uses, for jrg_start.c. */
#ifndef JRG_VECTORS_H
#define JRG_VECTORS_H

#include "jrg_rp2.h" // JRG_RP2_IRQ_UART

#define JRG_VECTOR_SYSTICK on_fault
#define JRG_VECTORS [16 + JRG_RP2_IRQ_UART] = jrg_rp2_on_line, [16 + JRG_RP2_IRQ_TIMER] = jrg_rp2_on_alarm

#endif
