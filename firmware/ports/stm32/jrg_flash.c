/* Flash of an STM32 (PM0075 and PM0063: F1; RM0090, 3 and RM0390, 3: F4; RM0410, 3: F7). The code lies in the same flash:
 * the core stands still while a page is erased, one to two seconds for the 128 KB of an F4, and SysTick loses that time. */
#include "jrg_stm32.h"

#define CONTROLLER(offset) JRG_REGISTER(JRG_STM32_FLASH + (offset))
enum { KEY = 0x04, STATE = 0x0C, CONTROL = 0x10 };
#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu

#if JRG_BOARD_FAMILY == 1
enum { ADDRESS = 0x14, BUSY = 1, ERRORS = 1 << 2 | 1 << 4 };
enum { PROGRAM = 1, ERASE_PAGE = 1 << 1, START = 1 << 6 };
#define LOCK (1u << 7)
#define PAGE_BYTES 0x400u
#else
/* RM0090, 3.8.5: words, for which the supply must be at least 2.7 V; these boards have 3.3 V. */
enum { BUSY = 1 << 16, ERRORS = 1 << 1 | 15 << 4 };
enum { PROGRAM = 1, ERASE_SECTOR = 1 << 1, SECTOR = 3, WORDS = 2 << 8, START = 1 << 16 };
#define LOCK (1u << 31)
/* The last sectors, which are the largest; four small ones and one of half their size are as large as one of them. */
enum { SECTORS_BEFORE = 4 };
#define ORIGIN 0x08000000u
#if JRG_BOARD_FAMILY == 4
#define PAGE_BYTES 0x20000u
#else
#define PAGE_BYTES 0x40000u
#endif
#endif

/* DS5319, DS8626, DS10693, DS11532: 10,000 cycles at least. */
enum { ENDURANCE = 10000 };
_Static_assert(JRG_PORT_KEEP_BYTES % (2 * PAGE_BYTES) == 0, "K1: an even number of pages");

extern uint8_t jrg_port_keep_start[];

/* Whatever was written before is done before a register is looked at: a Cortex-M7 has a buffer of writes. */
static void wait(void)
{
    __asm__ volatile("dsb" ::: "memory");
    while (CONTROLLER(STATE) & BUSY) {
    }
}

static void lock(void)
{
    CONTROLLER(CONTROL) = LOCK;
}

/* Keys that come when it is not locked would lock it until a reset. */
static void unlock(void)
{
    wait();
    if (CONTROLLER(CONTROL) & LOCK) {
        CONTROLLER(KEY) = KEY_1;
        CONTROLLER(KEY) = KEY_2;
    }
    CONTROLLER(STATE) = ERRORS;
#if JRG_BOARD_FAMILY == 4
    CONTROLLER(0) &= ~(1u << 10); /* its data cache, which a boot loader may have left on, would go on with what was */
#endif
}

#if JRG_BOARD_FAMILY == 1

static void erase(uint32_t page)
{
    jrg_chip_feed();
    unlock();
    CONTROLLER(CONTROL) = ERASE_PAGE;
    CONTROLLER(ADDRESS) = (uint32_t)(uintptr_t)jrg_port_keep_start + page * PAGE_BYTES;
    CONTROLLER(CONTROL) = ERASE_PAGE | START;
    wait();
    lock();
}

/* Half-words: any other write is a bus error. */
static void write(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    volatile uint16_t *to = (volatile uint16_t *)(uintptr_t)(jrg_port_keep_start + offset_bytes);
    unlock();
    CONTROLLER(CONTROL) = PROGRAM;
    for (uint32_t i = 0; i < 2 * count; i++) {
        to[i] = (uint16_t)(words[i / 2] >> (16 * (i % 2)));
        wait();
    }
    lock();
}

#else

static void erase(uint32_t page)
{
    const uint32_t before = ((uint32_t)(uintptr_t)jrg_port_keep_start - ORIGIN) / PAGE_BYTES;
    const uint32_t what = ERASE_SECTOR | WORDS | (SECTORS_BEFORE + before + page) << SECTOR;
    jrg_chip_feed();
    unlock();
    CONTROLLER(CONTROL) = what;
    CONTROLLER(CONTROL) = what | START;
    wait();
    lock();
}

static void write(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    volatile uint32_t *to = (volatile uint32_t *)(uintptr_t)(jrg_port_keep_start + offset_bytes);
    unlock();
    CONTROLLER(CONTROL) = PROGRAM | WORDS;
    __asm__ volatile("dsb" ::: "memory");
    for (uint32_t i = 0; i < count; i++) {
        to[i] = words[i];
        wait();
    }
    lock();
}

#endif

/* K10. Other chips of the family have other pages: an F1 of more than 128 KB has such of 2 KB (RM0008, 3.3.3, and its size
 * in KB in 30.1.1), and an F4 or F7 with two banks numbers its sectors in another way (RM0090, 3.4; RM0410, 3.3.2). */
static bool has_these_pages(void)
{
#if JRG_BOARD_FAMILY == 1
    return (JRG_REGISTER(0x1FFFF7E0u) & 0xFFFFu) <= 128;
#else
    const bool is_first_bank =
        (uint32_t)(uintptr_t)jrg_port_keep_start - ORIGIN + JRG_PORT_KEEP_BYTES <= 8 * PAGE_BYTES;
#if JRG_BOARD_FAMILY == 7
    return is_first_bank && (CONTROLLER(0x14) & 1u << 29) != 0;
#else
    return is_first_bank;
#endif
#endif
}

/* K10: an emulator without a controller reads as 0 everywhere. */
static bool has_controller(void)
{
    if (!(CONTROLLER(CONTROL) & LOCK))
        lock();
    return (CONTROLLER(CONTROL) & LOCK) != 0;
}

const jrg_keep_flash *jrg_chip_flash(void)
{
    static const jrg_keep_flash flash = {
        .start = jrg_port_keep_start,
        .page_bytes = PAGE_BYTES,
        .pages = JRG_PORT_KEEP_BYTES / PAGE_BYTES,
        .endurance = ENDURANCE,
        .erase = erase,
        .write = write,
    };
    return has_controller() && has_these_pages() ? &flash : NULL;
}
