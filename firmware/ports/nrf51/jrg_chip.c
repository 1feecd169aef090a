/* nRF51822 on a BBC micro:bit v1 (nRF51 Series Reference Manual 3.0). The interface chip of the micro:bit makes a USB
 * serial port of the UART. */
#include "jrg_chip.h"

#include "jrg_cpu.h"     // jrg_cpu_wait
#include "jrg_vectors.h" // JRG_NRF51_IRQ_UART

#define UART(offset) JRG_REGISTER(0x40002000u + (offset))
#define TIMER(offset) JRG_REGISTER(0x40008000u + (offset))
#define RANDOM(offset) JRG_REGISTER(0x4000D000u + (offset))
#define WATCHDOG(offset) JRG_REGISTER(0x40010000u + (offset))
#define CLOCK(offset) JRG_REGISTER(0x40000000u + (offset))
#define PIN(number) JRG_REGISTER(0x50000700u + 4u * (number))
#define RESET_REASON JRG_REGISTER(0x40000400u)
#define DEVICE_ID(word) JRG_REGISTER(0x10000060u + 4u * (word))

/* Chapter 29, UART. */
enum { START_RX = 0x000, START_TX = 0x008, RX_READY = 0x108, TX_READY = 0x11C, INTERRUPT_SET = 0x304 };
enum { INTERRUPT_CLEAR = 0x308, ENABLE = 0x500, PIN_TX = 0x50C, PIN_RX = 0x514, RX_BYTE = 0x518, TX_BYTE = 0x51C };
enum { BAUD_RATE = 0x524, UART_ON = 4, RX_INTERRUPT = 1 << 2, TX_INTERRUPT = 1 << 7 };
#define BAUD_115200 0x01D7E000u
enum { MICROBIT_TX = 24, MICROBIT_RX = 25 };
enum { PIN_OUTPUT = 1, PIN_INPUT = 0 };

/* Chapter 19, TIMER: channel 0 is read, channel 1 is the alarm. Only timer 0 has 32 bits. */
enum { TIMER_START = 0x000, CAPTURE_0 = 0x040, COMPARE_1 = 0x144, BIT_MODE = 0x508, PRESCALER = 0x510 };
enum { CHANNEL_0 = 0x540, CHANNEL_1 = 0x544, BITS_32 = 3, COMPARE_1_INTERRUPT = 1 << 17, TICKS_PER_MS = 16000 };

/* Chapter 24, WDT: counts at 32,768 Hz, and starts the oscillator for it. */
enum { WATCHDOG_START = 0x000, RELOAD_VALUE = 0x504, RELOAD_ON = 0x508, WATCHDOG_CONFIG = 0x50C, RELOAD = 0x600 };
enum { RUN_IN_SLEEP = 1, PAUSE_IN_HALT = 0 };
#define RELOAD_KEY 0x6E524635u

enum { RANDOM_START = 0x000, RANDOM_STOP = 0x004, RANDOM_READY = 0x100, RANDOM_BYTE = 0x508 };

/* Chapter 12.2.8: bits stay set until ones are written; none set is power-on. */
enum { BY_PIN = 1, BY_WATCHDOG = 2, BY_SOFTWARE = 4, BY_LOCKUP = 8 };

enum { CRYSTAL_START = 0x000, CRYSTAL_STARTED = 0x100, CRYSTAL_LOOPS = 100000 };

static bool is_sending; /* the transmitter is silent about the first byte */
static uint32_t count_started;

void jrg_nrf51_on_line(void)
{
    jrg_bare_on_line();
}

void jrg_nrf51_on_alarm(void)
{
    TIMER(COMPARE_1) = 0;
    TIMER(INTERRUPT_CLEAR) = COMPARE_1_INTERRUPT;
}

static void start_watchdog(void)
{
    WATCHDOG(WATCHDOG_CONFIG) = RUN_IN_SLEEP | PAUSE_IN_HALT;
    WATCHDOG(RELOAD_VALUE) = (uint32_t)JRG_PORT_WATCHDOG_MS * 32u + (uint32_t)JRG_PORT_WATCHDOG_MS * 96u / 125u;
    WATCHDOG(RELOAD_ON) = 1;
    WATCHDOG(WATCHDOG_START) = 1;
}

/* The UART's speed needs the crystal; with a board that has none it stays with the RC oscillator. */
static void start_crystal(void)
{
    CLOCK(CRYSTAL_STARTED) = 0;
    CLOCK(CRYSTAL_START) = 1;
    for (uint32_t i = 0; i < CRYSTAL_LOOPS && CLOCK(CRYSTAL_STARTED) == 0; i++) {
    }
}

static void start_timer(void)
{
    TIMER(BIT_MODE) = BITS_32;
    TIMER(PRESCALER) = 0;
    TIMER(TIMER_START) = 1;
}

static void start_line(void)
{
    PIN(MICROBIT_TX) = PIN_OUTPUT;
    PIN(MICROBIT_RX) = PIN_INPUT;
    UART(PIN_TX) = MICROBIT_TX;
    UART(PIN_RX) = MICROBIT_RX;
    UART(BAUD_RATE) = BAUD_115200;
    UART(ENABLE) = UART_ON;
    UART(START_TX) = 1;
    UART(START_RX) = 1;
}

void jrg_chip_start(void)
{
    start_watchdog();
    start_crystal();
    start_timer();
    start_line();
    JRG_CPU_NVIC_ENABLE(JRG_NRF51_IRQ_UART);
    JRG_CPU_NVIC_ENABLE(JRG_NRF51_IRQ_TIMER);
}

static jrg_reset_cause cause_of(uint32_t reasons)
{
    if (reasons & BY_WATCHDOG)
        return JRG_RESET_CAUSE_WATCHDOG;
    if (reasons & BY_LOCKUP)
        return JRG_RESET_CAUSE_FAULT;
    if (reasons & BY_SOFTWARE)
        return JRG_RESET_CAUSE_SOFTWARE;
    return reasons & BY_PIN ? JRG_RESET_CAUSE_PIN : JRG_RESET_CAUSE_POWER_ON;
}

static uint8_t random_byte(void)
{
    RANDOM(RANDOM_READY) = 0;
    while (RANDOM(RANDOM_READY) == 0) {
    }
    return (uint8_t)RANDOM(RANDOM_BYTE);
}

static uint16_t random_number(void)
{
    RANDOM(RANDOM_START) = 1;
    const uint16_t number = (uint16_t)(random_byte() | random_byte() << 8);
    RANDOM(RANDOM_STOP) = 1;
    return number;
}

uint16_t jrg_chip_identify(jrg_port_info *info)
{
    info->uid_len_bytes = 8;
    for (unsigned i = 0; i < 8; i++)
        info->uid[i] = (uint8_t)(DEVICE_ID(i / 4) >> (8 * (i % 4)));
    const uint32_t reasons = RESET_REASON;
    RESET_REASON = reasons;
    info->reset_cause = cause_of(reasons);
    return random_number();
}

/* The UART keeps six bytes; the event is cleared before a byte is taken, so that the next one raises it again. */
bool jrg_chip_receive(uint8_t *byte)
{
    if (UART(RX_READY) == 0)
        return false;
    UART(RX_READY) = 0;
    *byte = (uint8_t)UART(RX_BYTE);
    return true;
}

/* TX_READY stays set while nothing is sent: jrg_chip_interrupts and the next byte look at it. */
bool jrg_chip_send(uint8_t byte)
{
    if (is_sending && UART(TX_READY) == 0)
        return false;
    UART(TX_READY) = 0;
    is_sending = true;
    UART(TX_BYTE) = byte;
    return true;
}

void jrg_chip_interrupts(bool received, bool can_send)
{
    UART(INTERRUPT_CLEAR) = (received ? 0u : (uint32_t)RX_INTERRUPT) | (can_send ? 0u : (uint32_t)TX_INTERRUPT);
    UART(INTERRUPT_SET) = (received ? (uint32_t)RX_INTERRUPT : 0u) | (can_send ? (uint32_t)TX_INTERRUPT : 0u);
}

uint32_t jrg_chip_ticks(void)
{
    TIMER(CAPTURE_0) = 1;
    return TIMER(CHANNEL_0);
}

uint32_t jrg_chip_ticks_per_ms(void)
{
    return TICKS_PER_MS;
}

void jrg_chip_sleep(uint32_t timeout_ms)
{
    TIMER(COMPARE_1) = 0;
    TIMER(CHANNEL_1) = jrg_chip_ticks() + timeout_ms * TICKS_PER_MS;
    TIMER(INTERRUPT_SET) = COMPARE_1_INTERRUPT;
    jrg_cpu_wait();
}

void jrg_chip_count_start(void)
{
    count_started = jrg_chip_ticks();
}

uint32_t jrg_chip_count_stop(void)
{
    return jrg_chip_ticks() - count_started;
}

void jrg_chip_feed(void)
{
    WATCHDOG(RELOAD) = RELOAD_KEY;
}
