/* QEMU's MPS2 machines: CMSDK UART and timers (Cortex-M System Design Kit, ARM DDI 0479). */
#include "jrg_chip.h"

#include "jrg_cpu.h"  // jrg_cpu_wait
#include "jrg_mps2.h" // JRG_MPS2_UART

/* QEMU takes any divider of at least 16 and moves bytes as fast as the host does. */
#define UART_DATA JRG_REGISTER(JRG_MPS2_UART)
#define UART_STATE JRG_REGISTER(JRG_MPS2_UART + 0x04u)
#define UART_CONTROL JRG_REGISTER(JRG_MPS2_UART + 0x08u)
#define UART_INTERRUPT JRG_REGISTER(JRG_MPS2_UART + 0x0Cu)
#define UART_DIVIDER JRG_REGISTER(JRG_MPS2_UART + 0x10u)
enum { UART_TX_FULL = 1, UART_RX_FULL = 2 };
enum { UART_RAISED = 3 };
enum { UART_TX_ON = 1, UART_RX_ON = 2, UART_TX_INTERRUPT = 4, UART_RX_INTERRUPT = 8 };

/* Timer 0 runs freely and downwards; timer 1 is the alarm that ends a sleep. */
#define CLOCK_CONTROL JRG_REGISTER(JRG_MPS2_CLOCK)
#define CLOCK_VALUE JRG_REGISTER(JRG_MPS2_CLOCK + 0x04u)
#define CLOCK_RELOAD JRG_REGISTER(JRG_MPS2_CLOCK + 0x08u)
#define ALARM_CONTROL JRG_REGISTER(JRG_MPS2_ALARM)
#define ALARM_VALUE JRG_REGISTER(JRG_MPS2_ALARM + 0x04u)
#define ALARM_RELOAD JRG_REGISTER(JRG_MPS2_ALARM + 0x08u)
#define ALARM_CLEAR JRG_REGISTER(JRG_MPS2_ALARM + 0x0Cu)
enum { TIMER_ON = 1, TIMER_INTERRUPT = 8 };

static uint32_t count_started;

/* Cleared first: a byte that comes after the last look raises the interrupt again. */
void jrg_mps2_on_line(void)
{
    UART_INTERRUPT = UART_RAISED;
    jrg_bare_on_line();
}

void jrg_mps2_on_alarm(void)
{
    ALARM_CONTROL = 0;
    ALARM_CLEAR = 1;
}

void jrg_chip_start(void)
{
    jrg_mps2_start_watchdog();
    CLOCK_RELOAD = UINT32_MAX;
    CLOCK_VALUE = UINT32_MAX;
    CLOCK_CONTROL = TIMER_ON;
    UART_DIVIDER = 16;
    UART_CONTROL = UART_TX_ON | UART_RX_ON;
    JRG_CPU_NVIC_ENABLE(JRG_MPS2_IRQ_RX);
    JRG_CPU_NVIC_ENABLE(JRG_MPS2_IRQ_TX);
    JRG_CPU_NVIC_ENABLE(JRG_MPS2_IRQ_ALARM);
}

/* Only without a launcher: all boards are then one. */
uint16_t jrg_chip_identify(jrg_port_info *info)
{
    info->uid_len_bytes = 8;
    return 0;
}

bool jrg_chip_receive(uint8_t *byte)
{
    if (!(UART_STATE & UART_RX_FULL))
        return false;
    *byte = (uint8_t)UART_DATA;
    return true;
}

bool jrg_chip_send(uint8_t byte)
{
    if (UART_STATE & UART_TX_FULL)
        return false;
    UART_DATA = byte;
    return true;
}

void jrg_chip_interrupts(bool received, bool can_send)
{
    UART_CONTROL = UART_TX_ON | UART_RX_ON | (received ? (uint32_t)UART_RX_INTERRUPT : 0u) |
                   (can_send ? (uint32_t)UART_TX_INTERRUPT : 0u);
}

uint32_t jrg_chip_ticks(void)
{
    return UINT32_MAX - CLOCK_VALUE;
}

uint32_t jrg_chip_ticks_per_ms(void)
{
    return JRG_MPS2_TICKS_PER_MS;
}

void jrg_chip_sleep(uint32_t timeout_ms)
{
    ALARM_CONTROL = 0;
    ALARM_RELOAD = timeout_ms * JRG_MPS2_TICKS_PER_MS;
    ALARM_VALUE = timeout_ms * JRG_MPS2_TICKS_PER_MS;
    ALARM_CONTROL = TIMER_ON | TIMER_INTERRUPT;
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
