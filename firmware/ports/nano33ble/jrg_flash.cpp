// Flash of the nRF52840 (product specification, NVMC): pages of 4 KB; the core stands still meanwhile, 85 ms for a page.
// Where the framework puts its image is not ours to say, so what is kept lies within the image: an upload erases it.
#include <nrf.h>
#include <platform/mbed_mpu_mgmt.h>

#include "jrg_port.h"

#define JRG_NANO_STRING(number) #number
#define JRG_NANO_FILL(bytes) ".fill " JRG_NANO_STRING(bytes) ", 1, 0xFF\n"
#define JRG_NANO_KEEP_BYTES 65536

asm(".pushsection .rodata.jrg_port_keep, \"a\", %progbits\n"
    ".balign 4096\n"
    ".global jrg_port_keep_start\n"
    "jrg_port_keep_start:\n" JRG_NANO_FILL(JRG_NANO_KEEP_BYTES) ".popsection\n");

extern "C" uint8_t jrg_port_keep_start[];

namespace
{

constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kEndurance = 10000; // product specification, 6.4: erases of a page, at least
static_assert(JRG_NANO_KEEP_BYTES % (2 * kPageBytes) == 0, "K1: an even number of pages");

enum Mode : uint32_t { kRead = 0, kWrite = 1, kErase = 2 };

volatile uint32_t &controller(uint32_t offset)
{
    return *reinterpret_cast<volatile uint32_t *>(0x4001E000u + offset);
}

void wait()
{
    while (controller(0x400) == 0) { // READY
    }
}

void set_mode(Mode mode)
{
    controller(0x504) = mode; // CONFIG
    wait();
}

void erase(uint32_t page)
{
    NRF_WDT->RR[0] = WDT_RR_RR_Reload;
    set_mode(kErase);
    controller(0x508) = reinterpret_cast<uint32_t>(jrg_port_keep_start) + page * kPageBytes; // ERASEPAGE
    wait();
    set_mode(kRead);
}

// The framework's memory protection forbids writes to flash, but for those who count themselves in.
void write(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    volatile uint32_t *to = reinterpret_cast<volatile uint32_t *>(jrg_port_keep_start + offset_bytes);
    mbed_mpu_manager_lock_rom_write();
    set_mode(kWrite);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = words[i];
        wait();
    }
    set_mode(kRead);
    mbed_mpu_manager_unlock_rom_write();
}

} // namespace

const jrg_keep_flash *jrg_port_flash(void)
{
    static const jrg_keep_flash flash = {
        jrg_port_keep_start, kPageBytes, JRG_NANO_KEEP_BYTES / kPageBytes, kEndurance, erase, write,
    };
    return &flash;
}
