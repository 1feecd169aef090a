/* RP2040 and RP2350: UART 0 on the pins GP0 and GP1, timer, watchdog. */
#include "jrg_chip.h"

#include "jrg_cpu.h" // jrg_cpu_wait
#include "jrg_rp2.h"

#define RESETS(offset) JRG_REGISTER(JRG_RP2_RESETS + (offset))
#define UART(offset) JRG_REGISTER(JRG_RP2_UART + (offset))
#define TIMER(offset) JRG_REGISTER(JRG_RP2_TIMER + (offset))
#define WATCHDOG(offset) JRG_REGISTER(JRG_RP2_WATCHDOG + (offset))
#define PIN_FUNCTION(pin) JRG_REGISTER(JRG_RP2_IO + 8u * (pin) + 4u)
#define PAD(pin) JRG_REGISTER(JRG_RP2_PADS + 4u * (pin) + 4u)

enum { RESET = 0x0, RESET_DONE = 0x8 };
enum { NEEDED = JRG_RP2_RESET_IO | JRG_RP2_RESET_PADS | JRG_RP2_RESET_PLL | JRG_RP2_RESET_TIMER | JRG_RP2_RESET_UART };

/* ARM PrimeCell UART (PL011, DDI 0183): 12 MHz / 16 / (6 + 33/64) = 115,108 baud. */
enum { DATA = 0x00, FLAGS = 0x18, BAUD_WHOLE = 0x24, BAUD_FRACTION = 0x28, LINE = 0x2C, CONTROL = 0x30, LEVELS = 0x34 };
enum { MASK = 0x38, RX_EMPTY = 1 << 4, TX_FULL = 1 << 5 };
enum { EIGHT_BITS = 3 << 5, FIFOS_ON = 1 << 4, UART_ON = 1, TX_ON = 1 << 8, RX_ON = 1 << 9 };
enum {
    RX_INTERRUPTS = 1 << 4 | 1 << 6,
    TX_INTERRUPT = 1 << 5
}; /* the FIFO is an eighth full, or no byte came for long */
enum { PAD_INPUT_PULLED_UP = 1 << 6 | 1 << 4 | 1 << 3 | 1 << 1, FUNCTION_UART = 2, PIN_TX = 0, PIN_RX = 1 };

enum { ALARM = 0x10, RAW = 0x28, RAISED = JRG_RP2_TIMER_INTERRUPTS, ENABLED = JRG_RP2_TIMER_INTERRUPTS + 4 };
enum { TICKS_PER_MS = 1000 };

/* 24 bits of microseconds are the most that it counts: less than JRG_PORT_WATCHDOG_MS. */
enum {
    WATCHDOG_CONTROL = 0x0,
    WATCHDOG_LOAD = 0x4,
    WATCHDOG_ON = 1 << 30,
    WATCHDOG_US = 8000000,
    WHAT_IT_RESETS = 0x8
};
_Static_assert(JRG_CHIP_LONGEST_SLEEP_MS < WATCHDOG_US / 1000, "sleeps end before the watchdog does (W3)");

/* SysTick counts cycles of the core, 24 bits; without its interrupt. */
#define CYCLES_CONTROL JRG_REGISTER(0xE000E010u)
#define CYCLES_RELOAD JRG_REGISTER(0xE000E014u)
#define CYCLES_VALUE JRG_REGISTER(0xE000E018u)
enum { CYCLES_ON = 5, CYCLES_WRAPPED = 1 << 16 };
#define CYCLES_LARGEST 0xFFFFFFu

void jrg_rp2_on_line(void)
{
    jrg_bare_on_line();
}

void jrg_rp2_on_alarm(void)
{
    TIMER(RAISED) = 1;
    TIMER(ENABLED) = 0;
}

static void start_watchdog(void)
{
    JRG_REGISTER(JRG_RP2_PSM + WHAT_IT_RESETS) = JRG_RP2_WATCHDOG_ALL;
    WATCHDOG(WATCHDOG_CONTROL) = 0;
    jrg_chip_feed();
    WATCHDOG(WATCHDOG_CONTROL) = WATCHDOG_ON;
}

static void start_line(void)
{
    PAD(PIN_TX) = PAD_INPUT_PULLED_UP;
    PAD(PIN_RX) = PAD_INPUT_PULLED_UP;
    PIN_FUNCTION(PIN_TX) = FUNCTION_UART;
    PIN_FUNCTION(PIN_RX) = FUNCTION_UART;
    UART(BAUD_WHOLE) = 6;
    UART(BAUD_FRACTION) = 33;
    UART(LINE) = EIGHT_BITS | FIFOS_ON;
    UART(LEVELS) = 0;
    UART(CONTROL) = UART_ON | TX_ON | RX_ON;
}

/* IO and PLL stay as they are after a reset of the core alone: they are set anew below. */
void jrg_chip_start(void)
{
    RESETS(RESET) &= ~(uint32_t)(NEEDED);
    while ((RESETS(RESET_DONE) & NEEDED) != NEEDED) {
    }
    jrg_rp2_start_clocks();
    start_watchdog();
    start_line();
    JRG_CPU_NVIC_ENABLE(JRG_RP2_IRQ_UART);
    JRG_CPU_NVIC_ENABLE(JRG_RP2_IRQ_TIMER);
}

uint16_t jrg_chip_identify(jrg_port_info *info)
{
    info->uid_len_bytes = 8;
    info->reset_cause = jrg_rp2_reset_cause();
    jrg_rp2_read_uid(info->uid);
    return 0;
}

bool jrg_chip_receive(uint8_t *byte)
{
    if (UART(FLAGS) & RX_EMPTY)
        return false;
    *byte = (uint8_t)UART(DATA);
    return true;
}

bool jrg_chip_send(uint8_t byte)
{
    if (UART(FLAGS) & TX_FULL)
        return false;
    UART(DATA) = byte;
    return true;
}

void jrg_chip_interrupts(bool received, bool can_send)
{
    UART(MASK) = (received ? (uint32_t)(RX_INTERRUPTS) : 0u) | (can_send ? (uint32_t)TX_INTERRUPT : 0u);
}

uint32_t jrg_chip_ticks(void)
{
    return TIMER(RAW);
}

uint32_t jrg_chip_ticks_per_ms(void)
{
    return TICKS_PER_MS;
}

void jrg_chip_sleep(uint32_t timeout_ms)
{
    TIMER(RAISED) = 1;
    TIMER(ALARM) = TIMER(RAW) + timeout_ms * TICKS_PER_MS;
    TIMER(ENABLED) = 1;
    jrg_cpu_wait();
}

void jrg_chip_count_start(void)
{
    CYCLES_CONTROL = 0;
    CYCLES_RELOAD = CYCLES_LARGEST;
    CYCLES_VALUE = 0;
    CYCLES_CONTROL = CYCLES_ON;
    (void)CYCLES_CONTROL; /* an earlier wrap is forgotten; rp2040js also takes the first load for one */
}

uint32_t jrg_chip_count_stop(void)
{
    const uint32_t value = CYCLES_VALUE;
    return CYCLES_CONTROL & CYCLES_WRAPPED ? 0 : CYCLES_LARGEST + 1 - value;
}

void jrg_chip_feed(void)
{
    WATCHDOG(WATCHDOG_LOAD) = WATCHDOG_US * JRG_RP2_WATCHDOG_COUNTS_PER_US;
}
