/* Serial line, time and identity of the emulated Cortex-M4 (QEMU machine mps2-an386). */
#include "jrg_port_qemu_m4.h"

/* CMSDK UART 0. QEMU takes any divider of at least 16 and moves bytes as fast as the host does. */
#define UART_DATA REGISTER(0x40004000u)
#define UART_STATE REGISTER(0x40004004u)
#define UART_CONTROL REGISTER(0x40004008u)
#define UART_INTERRUPT REGISTER(0x4000400Cu)
#define UART_DIVIDER REGISTER(0x40004010u)
enum { UART_TX_FULL = 1, UART_RX_FULL = 2 };
enum { UART_TX_RAISED = 1, UART_RX_RAISED = 2 };
enum { UART_TX_ON = 1, UART_RX_ON = 2, UART_TX_INTERRUPT = 4, UART_RX_INTERRUPT = 8 };

/* CMSDK timer 0 runs freely and downwards at 25 MHz; timer 1 is the alarm that ends a sleep. */
#define CLOCK_CONTROL REGISTER(0x40000000u)
#define CLOCK_VALUE REGISTER(0x40000004u)
#define CLOCK_RELOAD REGISTER(0x40000008u)
#define ALARM_CONTROL REGISTER(0x40001000u)
#define ALARM_VALUE REGISTER(0x40001004u)
#define ALARM_RELOAD REGISTER(0x40001008u)
#define ALARM_CLEAR REGISTER(0x4000100Cu)
enum { TIMER_ON = 1, TIMER_INTERRUPT = 8, NANOSECONDS_PER_TICK = 40 };

/* Leaves the watchdog most of its time, should the host be late. The clock, read at least that often, wraps round after
 * 171 s. */
enum { LONGEST_SLEEP_MS = JRG_PORT_WATCHDOG_MS / 8 };

#define NVIC_ENABLE REGISTER(0xE000E100u)

enum { RX_RING_BYTES = 2048 }; /* a window of eight whole frames; a power of two */

static struct {
    volatile uint32_t head, tail;
    volatile uint8_t bytes[RX_RING_BYTES]; /* as the two above, so that the compiler keeps their order */
} rx_ring;

static struct {
    uint32_t last_value;
    uint64_t ticks;
} board_clock;

static jrg_port_info info;
static struct {
    uint32_t started, overhead;
} counter;

extern uint8_t jrg_port_ram_bytes[], jrg_port_flash_bytes[];

static inline void interrupts_off(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void interrupts_on(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

static inline void wait_for_interrupt(void)
{
    __asm__ volatile("dsb\n\twfi" ::: "memory");
}

static uint32_t rx_ring_used(void)
{
    return rx_ring.head - rx_ring.tail;
}

/* With a full ring the byte stays in the UART and QEMU holds the rest back until jrg_port_read has made room. */
static void drain_uart(void)
{
    while ((UART_STATE & UART_RX_FULL) && rx_ring_used() < RX_RING_BYTES) {
        rx_ring.bytes[rx_ring.head % RX_RING_BYTES] = (uint8_t)UART_DATA;
        rx_ring.head++;
    }
}

/* Cleared first: a byte that comes after the last look raises the interrupt again. */
void jrg_port_on_uart_rx(void)
{
    UART_INTERRUPT = UART_RX_RAISED;
    drain_uart();
}

void jrg_port_on_uart_tx(void)
{
    UART_INTERRUPT = UART_TX_RAISED;
    UART_CONTROL &= ~(uint32_t)UART_TX_INTERRUPT;
}

void jrg_port_on_alarm(void)
{
    ALARM_CONTROL = 0;
    ALARM_CLEAR = 1;
}

static uint16_t mixed_nonce(uint32_t nonce, uint32_t starts)
{
    uint32_t mixed = (nonce + starts) * 0x9E3779B1u;
    return (uint16_t)(mixed >> 16);
}

static void copy_uid(const volatile uint32_t words[2])
{
    info.uid_len_bytes = 8;
    for (unsigned i = 0; i < 8; i++)
        info.uid[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
}

static void identify_start(void)
{
    bool restarted = jrg_port_kept.magic == JRG_PORT_KEPT_MAGIC;
    info.reset_cause = restarted ? (jrg_reset_cause)jrg_port_kept.reset_cause : JRG_RESET_CAUSE_POWER_ON;
    jrg_port_kept.starts = restarted ? jrg_port_kept.starts + 1 : 1;
    /* Whatever restarts the board without saying why is the emulator's own reset. */
    jrg_port_kept.magic = JRG_PORT_KEPT_MAGIC;
    jrg_port_kept.reset_cause = JRG_RESET_CAUSE_PIN;
}

/* No interrupt may fall between start and stop: QEMU holds the bytes back meanwhile. */
__attribute__((noinline)) void jrg_port_count_start(void)
{
    interrupts_off();
    counter.started = CLOCK_VALUE;
}

__attribute__((noinline)) uint32_t jrg_port_count_stop(void)
{
    uint64_t ticks = counter.started - CLOCK_VALUE;
    interrupts_on();
    uint32_t shift = jrg_port_boot_block.nanoseconds_log2;
    if (jrg_port_boot_block.magic != JRG_PORT_BOOT_MAGIC || shift == 0)
        return 0;
    return (uint32_t)((ticks * NANOSECONDS_PER_TICK + (1u << (shift - 1))) >> shift) - counter.overhead;
}

/* What the two calls themselves cost. */
static void calibrate_counter(void)
{
    counter.overhead = 0;
    jrg_port_count_start();
    counter.overhead = jrg_port_count_stop();
}

void jrg_port_start(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    jrg_port_watchdog_start();
    identify_start();
    info.board = "qemu_m4";
    info.boot_nonce = mixed_nonce(jrg_port_boot_block.nonce, jrg_port_kept.starts);
    info.ram_bytes = (uint32_t)(uintptr_t)jrg_port_ram_bytes;
    info.flash_bytes = (uint32_t)(uintptr_t)jrg_port_flash_bytes;
    copy_uid(jrg_port_boot_block.uid);
    CLOCK_RELOAD = UINT32_MAX;
    CLOCK_VALUE = UINT32_MAX;
    CLOCK_CONTROL = TIMER_ON;
    board_clock.last_value = UINT32_MAX;
    calibrate_counter();
    UART_DIVIDER = 16;
    UART_CONTROL = UART_TX_ON | UART_RX_ON | UART_RX_INTERRUPT;
    NVIC_ENABLE = 1u << JRG_PORT_IRQ_UART_RX | 1u << JRG_PORT_IRQ_UART_TX | 1u << JRG_PORT_IRQ_ALARM;
}

const jrg_port_info *jrg_port_identify(void)
{
    return &info;
}

uint32_t jrg_port_time_ms(void)
{
    uint32_t value = CLOCK_VALUE;
    board_clock.ticks += board_clock.last_value - value;
    board_clock.last_value = value;
    return (uint32_t)(board_clock.ticks / JRG_PORT_TICKS_PER_MS);
}

size_t jrg_port_read(uint8_t *bytes, size_t capacity_bytes)
{
    size_t count = 0;
    while (count < capacity_bytes && rx_ring_used() > 0) {
        bytes[count++] = rx_ring.bytes[rx_ring.tail % RX_RING_BYTES];
        rx_ring.tail++;
    }
    interrupts_off();
    drain_uart();
    interrupts_on();
    return count;
}

static void set_alarm(uint32_t timeout_ms)
{
    uint32_t ticks = (timeout_ms < LONGEST_SLEEP_MS ? timeout_ms : LONGEST_SLEEP_MS) * JRG_PORT_TICKS_PER_MS;
    ALARM_CONTROL = 0;
    ALARM_RELOAD = ticks;
    ALARM_VALUE = ticks;
    ALARM_CONTROL = TIMER_ON | TIMER_INTERRUPT;
}

/* A host that does not read is no hang: the alarm ends the sleep in time for the next feed. */
static void wait_for_transmitter(void)
{
    jrg_port_watchdog_feed();
    interrupts_off();
    set_alarm(LONGEST_SLEEP_MS);
    UART_CONTROL |= UART_TX_INTERRUPT;
    if (UART_STATE & UART_TX_FULL)
        wait_for_interrupt();
    interrupts_on();
}

void jrg_port_write(const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        while (UART_STATE & UART_TX_FULL)
            wait_for_transmitter();
        UART_DATA = bytes[i];
    }
}

/* Interrupts are held back between the look at the ring and the sleep; a pending one ends the sleep at once. */
void jrg_port_idle(uint32_t timeout_ms)
{
    jrg_port_watchdog_feed();
    if (timeout_ms == 0)
        return;
    set_alarm(timeout_ms);
    interrupts_off();
    if (rx_ring_used() == 0 && ALARM_CONTROL != 0)
        wait_for_interrupt();
    interrupts_on();
}
