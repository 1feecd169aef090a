/* Where RP2040 (Cortex-M0+) and RP2350 (Cortex-M33) have their devices (RP2040 and RP2350 Datasheets). */
#ifndef JRG_RP2_H
#define JRG_RP2_H

#include "jrg_chip.h" // JRG_REGISTER

#if defined(__ARM_ARCH_6M__)
#define JRG_RP2_RESETS 0x4000C000u
#define JRG_RP2_PSM 0x40010000u
#define JRG_RP2_IO 0x40014000u
#define JRG_RP2_PADS 0x4001C000u
#define JRG_RP2_CLOCKS 0x40008000u
#define JRG_RP2_XOSC 0x40024000u
#define JRG_RP2_PLL 0x40028000u
#define JRG_RP2_UART 0x40034000u
#define JRG_RP2_TIMER 0x40054000u
#define JRG_RP2_WATCHDOG 0x40058000u
enum { JRG_RP2_RESET_IO = 1 << 5, JRG_RP2_RESET_PADS = 1 << 8, JRG_RP2_RESET_PLL = 1 << 12 };
enum { JRG_RP2_RESET_TIMER = 1 << 21, JRG_RP2_RESET_UART = 1 << 22 };
enum { JRG_RP2_IRQ_TIMER = 0, JRG_RP2_IRQ_UART = 20, JRG_RP2_TIMER_INTERRUPTS = 0x34 };
/* Errata RP2040-E1: the watchdog counts two a microsecond. */
enum { JRG_RP2_WATCHDOG_COUNTS_PER_US = 2, JRG_RP2_WATCHDOG_ALL = 0x0001FFFC };
#else
#define JRG_RP2_RESETS 0x40020000u
#define JRG_RP2_PSM 0x40018000u
#define JRG_RP2_IO 0x40028000u
#define JRG_RP2_PADS 0x40038000u
#define JRG_RP2_CLOCKS 0x40010000u
#define JRG_RP2_XOSC 0x40048000u
#define JRG_RP2_PLL 0x40050000u
#define JRG_RP2_UART 0x40070000u
#define JRG_RP2_TIMER 0x400B0000u
#define JRG_RP2_WATCHDOG 0x400D8000u
enum { JRG_RP2_RESET_IO = 1 << 6, JRG_RP2_RESET_PADS = 1 << 9, JRG_RP2_RESET_PLL = 1 << 14 };
enum { JRG_RP2_RESET_TIMER = 1 << 23, JRG_RP2_RESET_UART = 1 << 26 };
enum { JRG_RP2_IRQ_TIMER = 0, JRG_RP2_IRQ_UART = 33, JRG_RP2_TIMER_INTERRUPTS = 0x3C };
enum { JRG_RP2_WATCHDOG_COUNTS_PER_US = 1, JRG_RP2_WATCHDOG_ALL = 0x01FFFFF3 };
#endif

enum { JRG_RP2_CRYSTAL_MHZ = 12 };

void jrg_rp2_on_line(void);
void jrg_rp2_on_alarm(void);

/* jrg_clock.c: 125 MHz, and 12 MHz for the UART; a microsecond tick for timer and watchdog. */
void jrg_rp2_start_clocks(void);

/* Makes the flash readable as memory; copied to RAM, it can be called. An RP2040's is in jrg_boot.c, an RP2350's ROM has one
 * of 64 words. */
extern const uint32_t jrg_boot2[];
#if defined(__ARM_ARCH_6M__)
enum { JRG_RP2_BOOT2_WORDS = 63 };
#else
enum { JRG_RP2_BOOT2_WORDS = 64 };
#endif

/* jrg_identity.c. */
jrg_reset_cause jrg_rp2_reset_cause(void);
void jrg_rp2_read_uid(uint8_t uid[8]);

#endif
