/* Interrupts of QEMU's MPS2 machines, for jrg_start.c. */
#ifndef JRG_VECTORS_H
#define JRG_VECTORS_H

#include "jrg_mps2.h" // JRG_MPS2_IRQ_RX

#define JRG_VECTOR_SYSTICK on_fault
#define JRG_VECTORS                                                                                                    \
    [16 + JRG_MPS2_IRQ_RX] = jrg_mps2_on_line, [16 + JRG_MPS2_IRQ_TX] = jrg_mps2_on_line,                              \
          [16 + JRG_MPS2_IRQ_ALARM] = jrg_mps2_on_alarm

#endif
