/* The port of a board without a framework: what all such boards share, on what their chips give (jrg_chip.h). */
#include "jrg_boot.h"   // jrg_port_boot_block
#include "jrg_chip.h"   // jrg_chip_receive
#include "jrg_cpu.h"    // jrg_cpu_interrupts_off
#include "jrg_memory.h" // JRG_MEMORY_PAINT
#include "jrg_port.h"

#ifndef JRG_PORT_RING_BYTES
#define JRG_PORT_RING_BYTES 2048 /* a window of eight whole frames */
#endif
_Static_assert((JRG_PORT_RING_BYTES & (JRG_PORT_RING_BYTES - 1)) == 0, "an index is masked");

/* Read by `jaragua emulate` from the image: which machine runs it. */
__attribute__((used)) const char jrg_port_board_name[] = JRG_PORT_BOARD;

static struct {
    volatile uint32_t head, tail;
    volatile uint8_t bytes[JRG_PORT_RING_BYTES]; /* as the two above, so that the compiler keeps their order */
} rx_ring;

static struct {
    uint32_t last_ticks, ms;
} board_clock;

static jrg_port_info info;
static uint32_t count_overhead;

extern uint8_t jrg_port_ram_bytes[], jrg_port_flash_bytes[];

/* ---- received bytes ----------------------------------------------------------------------------------------------- */

static uint32_t rx_ring_used(void)
{
    return rx_ring.head - rx_ring.tail;
}

/* With interrupts off. With a full ring the rest stays with the chip, and the interrupt off until there is room: an
 * emulator holds the bytes back, a wire loses them and they are sent again (L3.2). */
static void drain_line(bool can_send)
{
    uint8_t byte;
    while (rx_ring_used() < JRG_PORT_RING_BYTES && jrg_chip_receive(&byte)) {
        rx_ring.bytes[rx_ring.head % JRG_PORT_RING_BYTES] = byte;
        rx_ring.head++;
    }
    jrg_chip_interrupts(rx_ring_used() < JRG_PORT_RING_BYTES, can_send);
}

void jrg_bare_on_line(void)
{
    drain_line(false);
}

size_t jrg_port_read(uint8_t *bytes, size_t capacity_bytes)
{
    size_t count = 0;
    while (count < capacity_bytes && rx_ring_used() > 0) {
        bytes[count++] = rx_ring.bytes[rx_ring.tail % JRG_PORT_RING_BYTES];
        rx_ring.tail++;
    }
    jrg_cpu_interrupts_off();
    drain_line(false);
    jrg_cpu_interrupts_on();
    return count;
}

/* ---- identity ----------------------------------------------------------------------------------------------------- */

static bool is_emulated(void)
{
    return jrg_port_boot_block.magic == JRG_BOOT_MAGIC;
}

/* Why the image says that it restarted goes before what the chip says: a fault looks like any reset of software. */
static void note_start(void)
{
    if (jrg_port_kept.magic != JRG_KEPT_MAGIC) {
        jrg_port_kept.magic = JRG_KEPT_MAGIC;
        jrg_port_kept.starts = 0;
    } else if (jrg_port_kept.reset_cause != JRG_RESET_CAUSE_UNKNOWN) {
        info.reset_cause = (jrg_reset_cause)jrg_port_kept.reset_cause;
    } else if (is_emulated()) {
        info.reset_cause =
            JRG_RESET_CAUSE_PIN; /* whatever restarts it without saying why is the emulator's own reset */
    }
    jrg_port_kept.reset_cause = JRG_RESET_CAUSE_UNKNOWN;
    jrg_port_kept.starts++;
}

static void take_emulated_identity(void)
{
    info.uid_len_bytes = 8;
    for (unsigned i = 0; i < 8; i++)
        info.uid[i] = (uint8_t)(jrg_port_boot_block.uid[i / 4] >> (8 * (i % 4)));
}

/* The words that nothing writes are what the RAM of a board has after power-on; after a reset the count differs. */
static uint16_t mixed_nonce(uint32_t nonce)
{
    uint32_t mixed = nonce + jrg_port_kept.starts;
    for (unsigned i = 0; i < sizeof jrg_port_kept.unused / sizeof jrg_port_kept.unused[0]; i++)
        mixed = (mixed ^ jrg_port_kept.unused[i]) * 0x9E3779B1u;
    return (uint16_t)(mixed >> 16);
}

static void identify_start(void)
{
    info.board = jrg_port_board_name;
    info.ram_bytes = (uint32_t)(uintptr_t)jrg_port_ram_bytes;
    info.flash_bytes = (uint32_t)(uintptr_t)jrg_port_flash_bytes;
    info.reset_cause = JRG_RESET_CAUSE_POWER_ON;
    uint32_t nonce = jrg_port_boot_block.nonce;
    if (is_emulated())
        take_emulated_identity();
    else
        nonce = jrg_chip_identify(&info);
    note_start();
    info.boot_nonce = mixed_nonce(nonce);
}

const jrg_port_info *jrg_port_identify(void)
{
    return &info;
}

/* ---- instructions ------------------------------------------------------------------------------------------------- */

/* A board's timer counts cycles, not instructions, and its line loses what comes while interrupts are off. */
static bool counts_instructions(void)
{
    return is_emulated() && jrg_port_boot_block.ticks != 0;
}

__attribute__((noinline)) void jrg_port_count_start(void)
{
    if (!counts_instructions())
        return;
    jrg_cpu_interrupts_off();
    jrg_chip_count_start();
}

/* The fraction is rounded to the nearest whole number, in 32 bits. */
static uint32_t instructions_in(uint32_t ticks)
{
    const uint32_t up = jrg_port_boot_block.instructions, down = jrg_port_boot_block.ticks;
    return ticks / down * up + (ticks % down * up + down / 2) / down;
}

__attribute__((noinline)) uint32_t jrg_port_count_stop(void)
{
    if (!counts_instructions())
        return 0;
    const uint32_t ticks = jrg_chip_count_stop();
    jrg_cpu_interrupts_on();
    return ticks == 0 ? 0 : instructions_in(ticks) - count_overhead;
}

/* What the two calls themselves cost. */
static void calibrate_counter(void)
{
    jrg_port_count_start();
    count_overhead = jrg_port_count_stop();
}

/* ---- time and the line -------------------------------------------------------------------------------------------- */

uint32_t jrg_port_time_ms(void)
{
    const uint32_t passed_ms = (jrg_chip_ticks() - board_clock.last_ticks) / jrg_chip_ticks_per_ms();
    board_clock.last_ticks += passed_ms * jrg_chip_ticks_per_ms();
    board_clock.ms += passed_ms;
    return board_clock.ms;
}

void jrg_port_start(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    jrg_chip_start();
    identify_start();
    board_clock.last_ticks = jrg_chip_ticks();
    calibrate_counter();
    jrg_chip_interrupts(true, false);
    jrg_cpu_interrupts_on();
}

/* W3: a host that does not read is no hang. */
static void wait_for_transmitter(void)
{
    jrg_chip_feed();
    jrg_cpu_interrupts_off();
    drain_line(true);
    jrg_chip_sleep(JRG_CHIP_LONGEST_SLEEP_MS);
    jrg_cpu_interrupts_on();
    (void)jrg_port_time_ms();
}

void jrg_port_write(const uint8_t *bytes, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        while (!jrg_chip_send(bytes[i]))
            wait_for_transmitter();
}

/* Interrupts are held back between the look at the ring and the sleep; a pending one ends the sleep at once. */
void jrg_port_idle(uint32_t timeout_ms)
{
    jrg_chip_feed();
    if (timeout_ms == 0)
        return;
    jrg_cpu_interrupts_off();
    if (rx_ring_used() == 0)
        jrg_chip_sleep(timeout_ms < JRG_CHIP_LONGEST_SLEEP_MS ? timeout_ms : JRG_CHIP_LONGEST_SLEEP_MS);
    jrg_cpu_interrupts_on();
}

/* ---- stack -------------------------------------------------------------------------------------------------------- */

void jrg_port_stack(uint32_t *size_bytes, uint32_t *free_bytes)
{
    const uintptr_t bytes = (uintptr_t)jrg_port_stack_top - (uintptr_t)jrg_port_stack_end;
    const uint32_t words = (uint32_t)(bytes / sizeof(uint32_t));
    uint32_t painted = 0;
    while (painted < words && jrg_port_stack_end[painted] == JRG_MEMORY_PAINT)
        painted++;
    *size_bytes = words * (uint32_t)sizeof(uint32_t);
    *free_bytes = painted * (uint32_t)sizeof(uint32_t);
}

/* ---- flash -------------------------------------------------------------------------------------------------------- */

const jrg_keep_flash *jrg_port_flash(void)
{
#ifdef JRG_PORT_KEEP_BYTES
    return jrg_chip_flash();
#else
    return NULL;
#endif
}
