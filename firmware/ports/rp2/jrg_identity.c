/* Unique id and reset cause. The RP2350 has a number of its own; of an RP2040 board the flash has. */
#include "jrg_rp2.h"

#define WATCHDOG_REASON JRG_REGISTER(JRG_RP2_WATCHDOG + 0x08u)
enum { BY_TIMER = 1 };

#if defined(__ARM_ARCH_6M__)
#define CHIP_RESET JRG_REGISTER(0x40064008u)
enum { BY_POWER = 1 << 8, BY_PIN = 1 << 16 };
#else
#define CHIP_RESET JRG_REGISTER(0x4010002Cu)
enum { BY_POWER = 1 << 16 | 1 << 17, BY_PIN = 1 << 18 };
#endif

jrg_reset_cause jrg_rp2_reset_cause(void)
{
    if (WATCHDOG_REASON & BY_TIMER)
        return JRG_RESET_CAUSE_WATCHDOG;
    if (CHIP_RESET & BY_POWER)
        return JRG_RESET_CAUSE_POWER_ON;
    return CHIP_RESET & BY_PIN ? JRG_RESET_CAUSE_PIN : JRG_RESET_CAUSE_UNKNOWN;
}

#if defined(__ARM_ARCH_6M__)
/* Serial flash, command 4B: four bytes of nothing, then 64 bits. Meanwhile no code can be read from the flash, so this
 * runs from RAM; jrg_boot2, copied before, makes the flash readable again (RP2040 Datasheet, 4.10). */
#define SSI(offset) JRG_REGISTER(0x18000000u + (offset))
enum { SSI_CONTROL = 0x00, SSI_ON = 0x08, SSI_SELECT = 0x10, SSI_BAUD = 0x14, SSI_STATE = 0x28, SSI_DATA = 0x60 };
enum { EIGHT_BITS_BOTH_WAYS = 7 << 16, RX_NOT_EMPTY = 1 << 3, SLOW = 8 };
#define CHIP_SELECT JRG_REGISTER(0x4001800Cu)
enum { SELECT_LOW = 2 << 8, READ_ID = 0x4B, NOTHING_BYTES = 4, ID_BYTES = 8 };

typedef void (*again)(void);

__attribute__((section(".ram_code"), noinline)) static uint8_t exchange(uint8_t out)
{
    SSI(SSI_DATA) = out;
    while (!(SSI(SSI_STATE) & RX_NOT_EMPTY)) {
    }
    return (uint8_t)SSI(SSI_DATA);
}

__attribute__((section(".ram_code"), noinline)) static void read_flash_id(volatile uint8_t *id, again make_readable)
{
    SSI(SSI_ON) = 0;
    SSI(SSI_BAUD) = SLOW;
    SSI(SSI_CONTROL) = EIGHT_BITS_BOTH_WAYS;
    SSI(SSI_SELECT) = 1;
    SSI(SSI_ON) = 1;
    CHIP_SELECT = SELECT_LOW;
    (void)exchange(READ_ID);
    for (unsigned i = 0; i < NOTHING_BYTES; i++)
        (void)exchange(0);
    for (unsigned i = 0; i < ID_BYTES; i++)
        id[i] = exchange(0);
    CHIP_SELECT = 0;
    make_readable();
}

void jrg_rp2_read_uid(uint8_t uid[8])
{
    volatile uint32_t boot2[JRG_RP2_BOOT2_WORDS];
    for (unsigned i = 0; i < JRG_RP2_BOOT2_WORDS; i++)
        boot2[i] = jrg_boot2[i];
    void (*volatile read)(volatile uint8_t *, again) = read_flash_id; /* too far for a plain call */
    __asm__ volatile("cpsid i\n\tdsb\n\tisb" ::: "memory");
    read(uid, (again)((uintptr_t)boot2 | 1u));
}
#else
/* RP2350 Datasheet, 13.10: rows 0 to 3 of the one-time memory, two rows a word. */
#define CHIP_ID(word) JRG_REGISTER(0x40130000u + 4u * (word))

void jrg_rp2_read_uid(uint8_t uid[8])
{
    for (unsigned i = 0; i < 8; i++)
        uid[i] = (uint8_t)(CHIP_ID(i / 4) >> (8 * (i % 4)));
}
#endif
