/* The watchdog of the MPS2 machines: a board that hangs comes back by itself (emulator.md, Watchdog). */
#include "jrg_mps2.h"

/* CMSDK APB watchdog (Cortex-M System Design Kit, ARM DDI 0479): counts down from LOAD. At zero it raises NMI and
 * begins again; at zero once more, with NMI not cleared, it resets the board. */
#define WATCHDOG_LOAD JRG_REGISTER(JRG_MPS2_WATCHDOG + 0x000u)
#define WATCHDOG_CONTROL JRG_REGISTER(JRG_MPS2_WATCHDOG + 0x008u)
#define WATCHDOG_CLEAR JRG_REGISTER(JRG_MPS2_WATCHDOG + 0x00Cu) /* any write: no NMI, and the count begins again */
#define WATCHDOG_LOCK JRG_REGISTER(JRG_MPS2_WATCHDOG + 0xC00u)  /* all writes but those after the key are ignored */
#define WATCHDOG_KEY 0x1ACCE551u
enum { WATCHDOG_LOCKED = 0 };
enum { WATCHDOG_NMI_ON = 1, WATCHDOG_RESET_ON = 2 };

_Static_assert(JRG_PORT_WATCHDOG_MS <= UINT32_MAX / JRG_MPS2_TICKS_PER_MS, "the watchdog counts with 32 bits");

void jrg_mps2_start_watchdog(void)
{
    WATCHDOG_LOCK = WATCHDOG_KEY;
    WATCHDOG_LOAD = (uint32_t)JRG_PORT_WATCHDOG_MS * JRG_MPS2_TICKS_PER_MS;
    WATCHDOG_CONTROL = WATCHDOG_NMI_ON | WATCHDOG_RESET_ON;
    WATCHDOG_LOCK = WATCHDOG_LOCKED;
}

void jrg_chip_feed(void)
{
    WATCHDOG_LOCK = WATCHDOG_KEY;
    WATCHDOG_CLEAR = 1;
    WATCHDOG_LOCK = WATCHDOG_LOCKED;
}
