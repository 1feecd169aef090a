/* An STM32 of the families F1, F4 or F7: UART, watchdog, identity. */
#include "jrg_chip.h"

#include "jrg_cpu.h"     // JRG_CPU_NVIC_ENABLE
#include "jrg_stm32.h"   // JRG_STM32_UART_STATE
#include "jrg_systick.h" // jrg_systick_start
#include "jrg_vectors.h" // jrg_stm32_on_line

enum { BAUD = 115200 };
enum { OVERRUN = 1 << 3, RX_FULL = 1 << 5, TX_EMPTY = 1 << 7 };
enum { RECEIVER = 1 << 2, TRANSMITTER = 1 << 3, RX_INTERRUPT = 1 << 5, TX_INTERRUPT = 1 << 7 };

/* RM0090, 21: the independent watchdog counts at about 32 kHz / 256; 12 bits. It cannot be stopped. */
#define WATCHDOG_KEY JRG_REGISTER(0x40003000u)
#define WATCHDOG_PRESCALER JRG_REGISTER(0x40003004u)
#define WATCHDOG_RELOAD JRG_REGISTER(0x40003008u)
enum { WATCHDOG_START = 0xCCCC, WATCHDOG_UNLOCK = 0x5555, WATCHDOG_FEED = 0xAAAA, BY_256 = 6 };
_Static_assert(JRG_PORT_WATCHDOG_MS / 8 <= 4095, "the watchdog counts 12 bits of 8 ms");

/* Bits of RCC_CSR, the same in all three families; RM0090, 7.3.21. */
enum { FORGET = 1 << 24, BY_PIN = 1 << 26, BY_POWER = 1 << 27, BY_SOFTWARE = 1 << 28, BY_WATCHDOG = 1 << 29 };

void jrg_stm32_on_line(void)
{
    jrg_bare_on_line();
}

static void start_watchdog(void)
{
    WATCHDOG_KEY = WATCHDOG_START;
    WATCHDOG_KEY = WATCHDOG_UNLOCK;
    WATCHDOG_PRESCALER = BY_256;
    WATCHDOG_RELOAD = JRG_PORT_WATCHDOG_MS / 8;
    jrg_chip_feed();
}

static void start_line(uint32_t uart_khz)
{
    JRG_BOARD_RCC_USART |= JRG_BOARD_RCC_USART_ON;
    jrg_stm32_start_pins();
    JRG_STM32_UART_BAUD = (uart_khz * 1000u + BAUD / 2) / BAUD;
    JRG_STM32_UART_OPTIONS = JRG_STM32_UART_NO_OVERRUN;
    JRG_STM32_UART_CONTROL = JRG_STM32_UART_ON | RECEIVER | TRANSMITTER;
}

void jrg_chip_start(void)
{
    uint32_t uart_khz;
    start_watchdog();
    jrg_systick_start(jrg_stm32_start_clock(&uart_khz));
    start_line(uart_khz);
    JRG_CPU_NVIC_ENABLE(JRG_BOARD_USART_IRQ);
}

static jrg_reset_cause cause_of(uint32_t state)
{
    if (state & BY_WATCHDOG)
        return JRG_RESET_CAUSE_WATCHDOG;
    if (state & BY_SOFTWARE)
        return JRG_RESET_CAUSE_SOFTWARE;
    if (state & BY_POWER)
        return JRG_RESET_CAUSE_POWER_ON;
    return state & BY_PIN ? JRG_RESET_CAUSE_PIN : JRG_RESET_CAUSE_UNKNOWN;
}

/* 96 bits of the factory. Not all of these chips have random numbers: jrg_port_bare.c adds the RAM's. */
uint16_t jrg_chip_identify(jrg_port_info *info)
{
    info->uid_len_bytes = 12;
    for (unsigned i = 0; i < 12; i++)
        info->uid[i] = (uint8_t)(JRG_REGISTER(JRG_STM32_UID + i / 4 * 4) >> (8 * (i % 4)));
    info->reset_cause = cause_of(JRG_STM32_RCC_STATE);
    JRG_STM32_RCC_STATE |= FORGET;
    return 0;
}

/* Reading the byte clears an overrun too. */
bool jrg_chip_receive(uint8_t *byte)
{
    const uint32_t state = JRG_STM32_UART_STATE;
    if (!(state & (RX_FULL | OVERRUN)))
        return false;
    *byte = (uint8_t)JRG_STM32_UART_RX;
    return (state & RX_FULL) != 0;
}

bool jrg_chip_send(uint8_t byte)
{
    if (!(JRG_STM32_UART_STATE & TX_EMPTY))
        return false;
    JRG_STM32_UART_TX = byte;
    return true;
}

void jrg_chip_interrupts(bool received, bool can_send)
{
    JRG_STM32_UART_CONTROL = JRG_STM32_UART_ON | RECEIVER | TRANSMITTER | (received ? (uint32_t)RX_INTERRUPT : 0u) |
                             (can_send ? (uint32_t)TX_INTERRUPT : 0u);
}

void jrg_chip_feed(void)
{
    WATCHDOG_KEY = WATCHDOG_FEED;
}
