/* Interrupts of the nRF51 that the port uses, for jrg_start.c. */
#ifndef JRG_VECTORS_H
#define JRG_VECTORS_H

enum { JRG_NRF51_IRQ_UART = 2, JRG_NRF51_IRQ_TIMER = 8 };

void jrg_nrf51_on_line(void);
void jrg_nrf51_on_alarm(void);

#define JRG_VECTOR_SYSTICK on_fault /* it has none */
#define JRG_VECTORS [16 + JRG_NRF51_IRQ_UART] = jrg_nrf51_on_line, [16 + JRG_NRF51_IRQ_TIMER] = jrg_nrf51_on_alarm

#endif
