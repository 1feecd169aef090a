/* jrg_chip_ticks and what goes with it on SysTick (ARMv6-M, B3.3): 24 bits, downwards, at the clock of the core. */
#include "jrg_systick.h"

#include "jrg_chip.h" // jrg_chip_ticks
#include "jrg_cpu.h"  // jrg_cpu_wait

#define SYSTICK_CONTROL JRG_REGISTER(0xE000E010u)
#define SYSTICK_RELOAD JRG_REGISTER(0xE000E014u)
#define SYSTICK_VALUE JRG_REGISTER(0xE000E018u)
enum { SYSTICK_ON = 1, SYSTICK_INTERRUPT = 2, SYSTICK_CORE_CLOCK = 4, SYSTICK_WRAPPED = 1 << 16 };
#define SYSTICK_LARGEST 0xFFFFFFu
enum { PERIOD_MS = 8 };

static struct {
    volatile uint32_t before; /* ticks up to the last wrap */
    uint32_t per_ms, period;
} systick;

/* Writing VALUE clears it; the first tick loads RELOAD. */
static void run(uint32_t period, uint32_t interrupt)
{
    SYSTICK_RELOAD = period - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_ON | SYSTICK_CORE_CLOCK | interrupt;
}

void jrg_systick_start(uint32_t clock_khz)
{
    systick.per_ms = clock_khz;
    systick.period = clock_khz * PERIOD_MS;
    run(systick.period, SYSTICK_INTERRUPT);
}

void jrg_systick_on_wrap(void)
{
    systick.before += systick.period;
}

static uint32_t since_wrap(void)
{
    const uint32_t value = SYSTICK_VALUE;
    return value == 0 ? 0 : systick.period - value;
}

uint32_t jrg_chip_ticks(void)
{
    uint32_t before, part;
    do {
        before = systick.before;
        part = since_wrap();
    } while (before != systick.before);
    return before + part;
}

uint32_t jrg_chip_ticks_per_ms(void)
{
    return systick.per_ms;
}

/* The next wrap ends it. */
void jrg_chip_sleep(uint32_t timeout_ms)
{
    (void)timeout_ms;
    jrg_cpu_wait();
}

/* The longest period, without the interrupt: a sample of more ticks is not counted. */
void jrg_chip_count_start(void)
{
    systick.before += since_wrap();
    SYSTICK_CONTROL = 0;
    (void)SYSTICK_CONTROL; /* a wrap before this is forgotten */
    run(SYSTICK_LARGEST + 1, 0);
}

uint32_t jrg_chip_count_stop(void)
{
    const uint32_t value = SYSTICK_VALUE;
    const bool wrapped = (SYSTICK_CONTROL & SYSTICK_WRAPPED) != 0;
    const uint32_t ticks = SYSTICK_LARGEST + 1 - value;
    systick.before += wrapped ? SYSTICK_LARGEST + 1 : ticks;
    run(systick.period, SYSTICK_INTERRUPT);
    return wrapped ? 0 : ticks;
}
