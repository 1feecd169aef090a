/* QEMU's machine `virt`: a 16550 UART, the core's timer, and an interrupt controller (PLIC). It has no watchdog. */
#include "jrg_chip.h"

#include "jrg_cpu.h" // jrg_cpu_wait

#define UART(offset) (*(volatile uint8_t *)(0x10000000u + (offset)))
enum { DATA = 0, ENABLED = 1, FIFOS = 2, STATE = 5, RX_FULL = 1, TX_EMPTY = 0x20, FIFOS_ON = 1 };
enum { RX_INTERRUPT = 1, TX_INTERRUPT = 2 };

#define TIME_LOW JRG_REGISTER(0x0200BFF8u)
#define TIME_HIGH JRG_REGISTER(0x0200BFFCu)
#define ALARM_LOW JRG_REGISTER(0x02004000u)
#define ALARM_HIGH JRG_REGISTER(0x02004004u)
enum { TICKS_PER_MS = 10000 };

#define PRIORITY(source) JRG_REGISTER(0x0C000000u + 4u * (source))
#define SOURCES JRG_REGISTER(0x0C002000u)
#define THRESHOLD JRG_REGISTER(0x0C200000u)
#define CLAIM JRG_REGISTER(0x0C200004u)
enum { SOURCE_UART = 10 };

static uint32_t count_started;

void jrg_rv32_on_timer(void);
__attribute__((interrupt("machine"))) void jrg_rv32_on_timer(void)
{
    ALARM_HIGH = UINT32_MAX;
}

void jrg_rv32_on_external(void);
__attribute__((interrupt("machine"))) void jrg_rv32_on_external(void)
{
    const uint32_t source = CLAIM;
    if (source == SOURCE_UART)
        jrg_bare_on_line();
    CLAIM = source;
}

void jrg_chip_start(void)
{
    ALARM_HIGH = UINT32_MAX;
    UART(FIFOS) = FIFOS_ON;
    PRIORITY(SOURCE_UART) = 1;
    SOURCES = 1u << SOURCE_UART;
    THRESHOLD = 0;
}

/* Only without a launcher: all boards are then one. */
uint16_t jrg_chip_identify(jrg_port_info *info)
{
    info->uid_len_bytes = 8;
    return 0;
}

bool jrg_chip_receive(uint8_t *byte)
{
    if (!(UART(STATE) & RX_FULL))
        return false;
    *byte = UART(DATA);
    return true;
}

bool jrg_chip_send(uint8_t byte)
{
    if (!(UART(STATE) & TX_EMPTY))
        return false;
    UART(DATA) = byte;
    return true;
}

void jrg_chip_interrupts(bool received, bool can_send)
{
    UART(ENABLED) = (uint8_t)((received ? RX_INTERRUPT : 0) | (can_send ? TX_INTERRUPT : 0));
}

uint32_t jrg_chip_ticks(void)
{
    return TIME_LOW;
}

uint32_t jrg_chip_ticks_per_ms(void)
{
    return TICKS_PER_MS;
}

/* Written so that it is never too early in between (RISC-V Privileged Architecture, 3.2.1). */
static void set_alarm(uint64_t at)
{
    ALARM_HIGH = UINT32_MAX;
    ALARM_LOW = (uint32_t)at;
    ALARM_HIGH = (uint32_t)(at >> 32);
}

static uint64_t now(void)
{
    uint32_t high, low;
    do {
        high = TIME_HIGH;
        low = TIME_LOW;
    } while (high != TIME_HIGH);
    return (uint64_t)high << 32 | low;
}

void jrg_chip_sleep(uint32_t timeout_ms)
{
    set_alarm(now() + timeout_ms * TICKS_PER_MS);
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
}
