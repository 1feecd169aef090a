/* Clocks of RP2040 and RP2350: crystal, PLL at 125 MHz, and the tick of a microsecond. */
#include "jrg_rp2.h"

#define XOSC(offset) JRG_REGISTER(JRG_RP2_XOSC + (offset))
#define PLL(offset) JRG_REGISTER(JRG_RP2_PLL + (offset))
#define CLOCKS(offset) JRG_REGISTER(JRG_RP2_CLOCKS + (offset))

enum { XOSC_CONTROL = 0x00, XOSC_STATE = 0x04, XOSC_STARTUP = 0x0C };
#define XOSC_ON 0x00FABAA0u /* 1 to 15 MHz */
#define XOSC_STABLE 0x80000000u
enum { XOSC_DELAY = JRG_RP2_CRYSTAL_MHZ * 1000 / 256 + 1 }; /* 1 ms in steps of 256 periods */

enum { PLL_STATE = 0x00, PLL_POWER = 0x04, PLL_FEEDBACK = 0x08, PLL_DIVIDERS = 0x0C };
#define PLL_LOCKED 0x80000000u
enum { PLL_DIVIDERS_OFF = 1 << 3, PLL_MAIN_AND_VCO_OFF = 1 << 5 | 1 };
/* 12 MHz * 125 / 6 / 2 = 125 MHz. */
enum { FEEDBACK = 125, DIVIDERS = 6 << 16 | 2 << 12 };

enum { REF_CONTROL = 0x30, REF_SELECTED = 0x38, SYS_CONTROL = 0x3C, SYS_SELECTED = 0x44, PERI_CONTROL = 0x48 };
enum { REF_FROM_CRYSTAL = 2, REF_IS_CRYSTAL = 1 << 2, SYS_FROM_PLL = 1, SYS_IS_REF = 1, SYS_IS_PLL = 2 };
enum { PERI_ON = 1 << 11, PERI_FROM_CRYSTAL = 4 << 5 };

static void wait_for(volatile uint32_t *state, uint32_t bit)
{
    while (!(*state & bit)) {
    }
}

static void start_crystal(void)
{
    XOSC(XOSC_STARTUP) = XOSC_DELAY;
    XOSC(XOSC_CONTROL) = XOSC_ON;
    wait_for(&XOSC(XOSC_STATE), XOSC_STABLE);
}

/* The core leaves the PLL before the PLL is set: after a reset of the core alone it may run on it. */
static void run_on_crystal(void)
{
    CLOCKS(SYS_CONTROL) = 0;
    wait_for(&CLOCKS(SYS_SELECTED), SYS_IS_REF);
    CLOCKS(REF_CONTROL) = REF_FROM_CRYSTAL;
    wait_for(&CLOCKS(REF_SELECTED), REF_IS_CRYSTAL);
}

static void start_pll(void)
{
    PLL(PLL_STATE) = 1; /* divides the crystal by 1 */
    PLL(PLL_FEEDBACK) = FEEDBACK;
    PLL(PLL_POWER) &= ~(uint32_t)PLL_MAIN_AND_VCO_OFF;
    wait_for(&PLL(PLL_STATE), PLL_LOCKED);
    PLL(PLL_DIVIDERS) = DIVIDERS;
    PLL(PLL_POWER) &= ~(uint32_t)PLL_DIVIDERS_OFF;
}

#if defined(__ARM_ARCH_6M__)
#define WATCHDOG_TICK JRG_REGISTER(JRG_RP2_WATCHDOG + 0x2Cu)
static void start_ticks(void)
{
    WATCHDOG_TICK = JRG_RP2_CRYSTAL_MHZ | 1u << 9;
}
#else
#define TICKS(offset) JRG_REGISTER(0x40108000u + (offset))
enum { TICK_TIMER = 0x18, TICK_WATCHDOG = 0x30, TICK_CYCLES = 4 };
static void start_ticks(void)
{
    TICKS(TICK_TIMER + TICK_CYCLES) = JRG_RP2_CRYSTAL_MHZ;
    TICKS(TICK_TIMER) = 1;
    TICKS(TICK_WATCHDOG + TICK_CYCLES) = JRG_RP2_CRYSTAL_MHZ;
    TICKS(TICK_WATCHDOG) = 1;
}
#endif

void jrg_rp2_start_clocks(void)
{
    start_crystal();
    run_on_crystal();
    start_pll();
    CLOCKS(SYS_CONTROL) = SYS_FROM_PLL;
    wait_for(&CLOCKS(SYS_SELECTED), SYS_IS_PLL);
    CLOCKS(PERI_CONTROL) = PERI_ON | PERI_FROM_CRYSTAL;
    start_ticks();
}
