/* Flash of an RP2040 or RP2350 board, by functions of the boot ROM (RP2040 Datasheet, 2.8.3; RP2350 Datasheet, 5.4). Between
 * them no code can be read from the flash: what calls them runs from RAM, with interrupts off, and ends with a copy of the
 * code that makes the flash readable. */
#include "jrg_chip.h"

#include <string.h>

#include "jrg_cpu.h" // jrg_cpu_interrupts_off
#include "jrg_rp2.h" // jrg_boot2

enum { SECTOR_BYTES = 4096, PAGE_BYTES = 256, BLOCK_BYTES = 65536, ERASE_BLOCK = 0xD8 };
enum { ENDURANCE = 100000 }; /* data sheets of W25Q16JV and W25Q32RV: erases and writes of a sector */
_Static_assert(JRG_PORT_KEEP_BYTES % (2 * SECTOR_BYTES) == 0, "K1: an even number of pages");
#define FLASH_ORIGIN 0x10000000u

/* What the ROM has at its beginning: three letters, and halves of addresses. */
#if defined(__ARM_ARCH_6M__)
enum { ROM_FUNCTIONS = 0x14, ROM_LOOKUP = 0x18, MAGIC_VERSION = 1 };
#define READ_AGAIN jrg_boot2
#else
enum { ROM_LOOKUP = 0x16, SECURE_ARM = 4, MAGIC_VERSION = 2 };
#define READ_AGAIN ((const volatile uint32_t *)0x400E0000u) /* the ROM puts it at the beginning of the boot RAM */
#endif
enum { ROM_MAGIC = 0x10, MAGIC_M_U = 0x754D, READ_AGAIN_WORDS = JRG_RP2_BOOT2_WORDS };
#define CODE(first, second) ((uint32_t)(first) | (uint32_t)(second) << 8)

typedef struct {
    void (*connect)(void);
    void (*leave_reading)(void);
    void (*erase)(uint32_t offset_bytes, size_t count, uint32_t block_bytes, uint8_t block_command);
    void (*program)(uint32_t offset_bytes, const uint8_t *data, size_t count);
    void (*flush)(void);
    uint32_t read_again[READ_AGAIN_WORDS];
} functions;

extern uint8_t jrg_port_keep_start[];

/* A compiler takes what it knows to be below 4096 for an error of ours. */
static uint16_t rom_half(uintptr_t address)
{
    __asm__("" : "+r"(address));
    return *(const volatile uint16_t *)address;
}

static void *find(uint32_t code)
{
    void *(*const lookup)(uint32_t first, uint32_t second) =
        (void *(*)(uint32_t, uint32_t))(uintptr_t)rom_half(ROM_LOOKUP);
#if defined(__ARM_ARCH_6M__)
    return lookup(rom_half(ROM_FUNCTIONS), code);
#else
    return lookup(code, SECURE_ARM);
#endif
}

static void find_functions(functions *rom)
{
    rom->connect = (void (*)(void))find(CODE('I', 'F'));
    rom->leave_reading = (void (*)(void))find(CODE('E', 'X'));
    rom->erase = (void (*)(uint32_t, size_t, uint32_t, uint8_t))find(CODE('R', 'E'));
    rom->program = (void (*)(uint32_t, const uint8_t *, size_t))find(CODE('R', 'P'));
    rom->flush = (void (*)(void))find(CODE('F', 'C'));
    for (unsigned i = 0; i < READ_AGAIN_WORDS; i++)
        rom->read_again[i] = READ_AGAIN[i];
}

/* page: [PAGE_BYTES] to be written; NULL: the sector is erased. */
__attribute__((section(".ram_code"), noinline)) static void change(const functions *rom, uint32_t offset_bytes,
                                                                   const uint8_t *page)
{
    rom->connect();
    rom->leave_reading();
    if (page != NULL)
        rom->program(offset_bytes, page, PAGE_BYTES);
    else
        rom->erase(offset_bytes, SECTOR_BYTES, BLOCK_BYTES, ERASE_BLOCK);
    rom->flush();
    ((void (*)(void))((uintptr_t)rom->read_again | 1u))();
}

static void change_safely(uint32_t offset_bytes, const uint8_t *page)
{
    functions rom;
    void (*volatile from_ram)(const functions *, uint32_t, const uint8_t *) = change; /* too far for a plain call */
    find_functions(&rom);
    jrg_chip_feed();
    jrg_cpu_interrupts_off();
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    from_ram(&rom, (uint32_t)(uintptr_t)jrg_port_keep_start - FLASH_ORIGIN + offset_bytes, page);
    jrg_cpu_interrupts_on();
}

static void erase(uint32_t page)
{
    change_safely(page * SECTOR_BYTES, NULL);
}

/* Whole pages only: where nothing is to be written there are ones, which clear no bit. */
static void write(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    const uint8_t *from = (const uint8_t *)words;
    uint32_t left_bytes = 4 * count;
    while (left_bytes > 0) {
        uint8_t page[PAGE_BYTES];
        const uint32_t into = offset_bytes % PAGE_BYTES;
        const uint32_t part = left_bytes < PAGE_BYTES - into ? left_bytes : PAGE_BYTES - into;
        memset(page, 0xFF, sizeof page);
        memcpy(page + into, from, part);
        change_safely(offset_bytes - into, page);
        offset_bytes += part;
        from += part;
        left_bytes -= part;
    }
}

/* K10: rp2040js has memory of zeros in place of the ROM. */
static bool has_rom(void)
{
    return rom_half(ROM_MAGIC) == MAGIC_M_U && (rom_half(ROM_MAGIC + 2) & 0xFF) == MAGIC_VERSION;
}

const jrg_keep_flash *jrg_chip_flash(void)
{
    static const jrg_keep_flash flash = {
        .start = jrg_port_keep_start,
        .page_bytes = SECTOR_BYTES,
        .pages = JRG_PORT_KEEP_BYTES / SECTOR_BYTES,
        .endurance = ENDURANCE,
        .erase = erase,
        .write = write,
    };
    return has_rom() ? &flash : NULL;
}
