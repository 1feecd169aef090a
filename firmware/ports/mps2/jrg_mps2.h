/* Where the MPS2 machines have their devices. AN505 is one with TrustZone: the image runs secure, at other addresses. */
#ifndef JRG_MPS2_H
#define JRG_MPS2_H

#include "jrg_chip.h" // JRG_REGISTER

#if defined(__ARM_ARCH_8M_MAIN__) /* mps2-an505 */
#define JRG_MPS2_UART 0x50200000u
#define JRG_MPS2_CLOCK 0x50000000u /* CMSDK timers 0 and 1 */
#define JRG_MPS2_ALARM 0x50001000u
#define JRG_MPS2_WATCHDOG 0x50081000u
enum { JRG_MPS2_IRQ_RX = 32, JRG_MPS2_IRQ_TX = 33, JRG_MPS2_IRQ_ALARM = 4, JRG_MPS2_TICKS_PER_MS = 20000 };
#else /* mps2-an385, -an386 and -an500 */
#define JRG_MPS2_UART 0x40004000u
#define JRG_MPS2_CLOCK 0x40000000u
#define JRG_MPS2_ALARM 0x40001000u
#define JRG_MPS2_WATCHDOG 0x40008000u
enum { JRG_MPS2_IRQ_RX = 0, JRG_MPS2_IRQ_TX = 1, JRG_MPS2_IRQ_ALARM = 9, JRG_MPS2_TICKS_PER_MS = 25000 };
#endif

void jrg_mps2_on_line(void);
void jrg_mps2_on_alarm(void);

/* Once started it must be fed before JRG_PORT_WATCHDOG_MS are over, or the board starts anew with cause `watchdog`. */
void jrg_mps2_start_watchdog(void);

#endif
