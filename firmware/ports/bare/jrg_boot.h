/* 64 bytes of RAM that belong to no section, so that nothing clears them (docs/design/emulator.md). */
#ifndef JRG_BOOT_H
#define JRG_BOOT_H

#include <stdint.h>

#include "jrg_defs.h" // jrg_reset_cause

#define JRG_BOOT_MAGIC 0x4247524Au /* "JRGB" */
#define JRG_KEPT_MAGIC 0x4B47524Au /* "JRGK" */

/* Written by whoever launches an emulator. On a board its magic is not there. */
typedef struct {
    uint32_t magic;
    uint16_t instructions, ticks; /* so many instructions take so many ticks of jrg_chip_ticks; 0, 0: not counted */
    uint32_t uid[2];
    uint32_t nonce;
    uint32_t clock_khz; /* of the emulated chip, whose clock generator the emulator may not have */
    uint32_t unused[2];
} jrg_boot_block;
extern const volatile jrg_boot_block jrg_port_boot_block;

/* Outlives a reset, but not the loss of power. */
typedef struct {
    uint32_t magic;
    uint32_t reset_cause;
    uint32_t starts;
    uint32_t unused[5];
} jrg_boot_kept;
extern volatile jrg_boot_kept jrg_port_kept;

/* Notes why, and starts the board anew. */
_Noreturn void jrg_boot_restart(jrg_reset_cause cause);

#endif
