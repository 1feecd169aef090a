/* Shared by the files of this port. */
#ifndef JRG_PORT_QEMU_M4_H
#define JRG_PORT_QEMU_M4_H

#include "jrg_port.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

enum { JRG_PORT_TICKS_PER_MS = 25000 }; /* of the timers and of the watchdog */

/* Between two feeds. So long because the board's clock goes on with the host's while the board sleeps, and a busy host
 * may not let the emulator run for seconds: that is no hang. */
#ifndef JRG_PORT_WATCHDOG_MS
#define JRG_PORT_WATCHDOG_MS 30000
#endif

enum { JRG_PORT_IRQ_UART_RX = 0, JRG_PORT_IRQ_UART_TX = 1, JRG_PORT_IRQ_ALARM = 9 };

#define JRG_PORT_STACK_PAINT 0xA5C3A5C3u
#define JRG_PORT_BOOT_MAGIC 0x4247524Au /* "JRGB" */
#define JRG_PORT_KEPT_MAGIC 0x4B47524Au /* "JRGK" */

/* Written by whoever launches the emulator (docs/design/emulator.md); all zero if nobody did. */
typedef struct {
    uint32_t magic;
    uint32_t nanoseconds_log2; /* of one instruction under -icount shift=N; 0 if instructions are not counted */
    uint32_t uid[2];
    uint32_t nonce;
    uint32_t unused[3];
} jrg_port_boot;
extern const volatile jrg_port_boot jrg_port_boot_block;

/* Outlives a reset, but not the emulator. */
typedef struct {
    uint32_t magic;
    uint32_t reset_cause;
    uint32_t starts;
    uint32_t unused[5];
} jrg_port_keep;
extern volatile jrg_port_keep jrg_port_kept;

_Noreturn void jrg_port_restart(jrg_reset_cause cause);
_Noreturn void jrg_port_on_fault(void);
_Noreturn void jrg_port_on_watchdog(void);
void jrg_port_on_uart_rx(void);
void jrg_port_on_uart_tx(void);
void jrg_port_on_alarm(void);

/* Once started it must be fed before JRG_PORT_WATCHDOG_MS are over, or the board starts anew with cause `watchdog`. */
void jrg_port_watchdog_start(void);
void jrg_port_watchdog_feed(void);
#endif
