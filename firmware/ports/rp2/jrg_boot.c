/* What the boot ROMs look for at the beginning of the flash. */
#include <stdint.h>

#if defined(__ARM_ARCH_6M__)
/* RP2040 Datasheet, 2.8.1.3: the ROM copies the first 256 bytes of the flash to the end of the RAM and runs them, if the
 * last four are the checksum of the others. They make the flash readable with the one command that every serial flash
 * knows, 03, and jump to the image; or return, if somebody else than the ROM called. Their checksum is tested by
 * tests/boards/test_uploads.py. */
__asm__(".section .boot2, \"ax\"\n"
        ".balign 4\n"
        ".thumb\n"
        ".global jrg_boot2\n"
        "jrg_boot2:\n"
        "push {lr}\n"
        "ldr r3, 3f\n"
        "movs r1, #0\n"
        "str r1, [r3, #0x08]\n" /* SSIENR: off, to be set */
        "movs r1, #4\n"
        "str r1, [r3, #0x14]\n" /* BAUDR: a quarter of the core's clock */
        "ldr r1, 4f\n"
        "str r1, [r3, #0x00]\n" /* CTRLR0 */
        "ldr r1, 5f\n"
        "ldr r0, 6f\n"
        "str r1, [r0]\n" /* SPI_CTRLR0 */
        "movs r1, #0\n"
        "str r1, [r3, #0x04]\n" /* CTRLR1: one word a read */
        "movs r1, #1\n"
        "str r1, [r3, #0x08]\n" /* SSIENR: on */
        "pop {r0}\n"
        "cmp r0, #0\n"
        "bne 1f\n"
        "ldr r0, 7f\n"
        "ldr r1, 8f\n"
        "str r0, [r1]\n" /* VTOR */
        "ldr r1, [r0, #0]\n"
        "ldr r2, [r0, #4]\n"
        "msr msp, r1\n"
        "bx r2\n"
        "1: bx r0\n"
        ".balign 4\n"
        "3: .word 0x18000000\n" /* SSI */
        "4: .word 0x001F0300\n" /* one wire, 32 bits, send a command and read */
        "5: .word 0x03000218\n" /* command 03, eight bits; an address of 24 bits */
        "6: .word 0x180000F4\n"
        "7: .word 0x10000100\n"
        "8: .word 0xE000ED08\n"
        ".org 252\n"
        ".word 0x83200DEF\n" /* checksum */
        ".text\n");
#else
/* RP2350 Datasheet, 5.9.5.1: the smallest block that makes an image one: executable, secure, Arm, RP2350. */
__attribute__((section(".image_def"), used)) static const uint32_t image_definition[] = {
    0xFFFFDED3u, 0x10210142u, 0x000001FFu, 0x00000000u, 0xAB123579u,
};
#endif
