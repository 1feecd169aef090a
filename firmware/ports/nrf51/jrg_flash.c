/* Flash of the nRF51 (nRF51 Series Reference Manual 3.0, chapter 6): pages of 1 KB; the core stands still meanwhile. */
#include "jrg_chip.h"

#define CONTROLLER(offset) JRG_REGISTER(0x4001E000u + (offset))
enum { READY = 0x400, MODE = 0x504, ERASE_PAGE = 0x508, MODE_READ = 0, MODE_WRITE = 1, MODE_ERASE = 2 };
enum { PAGE_BYTES = 1024, ENDURANCE = 20000 };

extern uint8_t jrg_port_keep_start[];

static void set_mode(uint32_t mode)
{
    CONTROLLER(MODE) = mode;
    while (CONTROLLER(READY) == 0) {
    }
}

static void erase(uint32_t page)
{
    jrg_chip_feed();
    set_mode(MODE_ERASE);
    CONTROLLER(ERASE_PAGE) = (uint32_t)(uintptr_t)jrg_port_keep_start + page * PAGE_BYTES;
    set_mode(MODE_READ);
}

static void write(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    volatile uint32_t *to = (volatile uint32_t *)(uintptr_t)(jrg_port_keep_start + offset_bytes);
    set_mode(MODE_WRITE);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = words[i];
        while (CONTROLLER(READY) == 0) {
        }
    }
    set_mode(MODE_READ);
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
    return &flash;
}
