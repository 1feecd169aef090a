/* The watchdog of the emulated Cortex-M4: a board that hangs comes back by itself (emulator.md, Watchdog). */
#include "jrg_port_qemu_m4.h"

/* CMSDK APB watchdog (Cortex-M System Design Kit, ARM DDI 0479): counts down from LOAD. At zero it raises NMI and
 * begins again; at zero once more, with NMI not cleared, it resets the board. */
#define WATCHDOG_LOAD REGISTER(0x40008000u)
#define WATCHDOG_CONTROL REGISTER(0x40008008u)
#define WATCHDOG_CLEAR REGISTER(0x4000800Cu) /* any write: no NMI, and the count begins again */
#define WATCHDOG_LOCK REGISTER(0x40008C00u)  /* all writes but those after the key are ignored */
#define WATCHDOG_KEY 0x1ACCE551u
enum { WATCHDOG_LOCKED = 0 };
enum { WATCHDOG_NMI_ON = 1, WATCHDOG_RESET_ON = 2 };

_Static_assert(JRG_PORT_WATCHDOG_MS <= UINT32_MAX / JRG_PORT_TICKS_PER_MS, "the watchdog counts with 32 bits");

void jrg_port_watchdog_start(void)
{
    WATCHDOG_LOCK = WATCHDOG_KEY;
    WATCHDOG_LOAD = (uint32_t)JRG_PORT_WATCHDOG_MS * JRG_PORT_TICKS_PER_MS;
    WATCHDOG_CONTROL = WATCHDOG_NMI_ON | WATCHDOG_RESET_ON;
    WATCHDOG_LOCK = WATCHDOG_LOCKED;
}

void jrg_port_watchdog_feed(void)
{
    WATCHDOG_LOCK = WATCHDOG_KEY;
    WATCHDOG_CLEAR = 1;
    WATCHDOG_LOCK = WATCHDOG_LOCKED;
}
