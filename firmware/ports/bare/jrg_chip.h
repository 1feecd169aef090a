/* What a chip gives to the port of boards without a framework (jrg_port_bare.c), which makes the functions of jrg_port.h
 * of it. Each folder beside this one has these for its chips; docs/reference/boards.md explains them. */
#ifndef JRG_CHIP_H
#define JRG_CHIP_H

#include "jrg_port.h" // jrg_port_info

#define JRG_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Between two feeds of the watchdog. So long because the clock of an emulated board goes on with its host's while the
 * board sleeps, and a busy host may not let the emulator run for seconds: that is no hang. */
#ifndef JRG_PORT_WATCHDOG_MS
#define JRG_PORT_WATCHDOG_MS 30000
#endif

/* Sleeps end at least so often: the watchdog keeps most of its time (W3). */
enum { JRG_CHIP_LONGEST_SLEEP_MS = JRG_PORT_WATCHDOG_MS / 8 };

/* Watchdog, clock, serial line and the timer behind jrg_chip_ticks; interrupts of the line are enabled in the core, and
 * asked for with jrg_chip_interrupts. */
void jrg_chip_start(void);

/* Fills uid, uid_len_bytes and reset_cause; returns a number that differs at each start, if the chip has one. Not called
 * on an emulator, whose launcher says all of it (jrg_boot.h). */
uint16_t jrg_chip_identify(jrg_port_info *info);

/* A byte that has come; false if there is none. */
bool jrg_chip_receive(uint8_t *byte);

/* Hands a byte to the transmitter; false if it is busy. */
bool jrg_chip_send(uint8_t byte);

/* Which of the line's events raise an interrupt: a byte has come, the transmitter takes another. Whatever the chip's
 * handler of the line has to do, it then calls jrg_bare_on_line. Called with interrupts off. */
void jrg_chip_interrupts(bool received, bool can_send);
void jrg_bare_on_line(void);

/* A timer that runs freely upwards and wraps round at 2^32; how many of its ticks are a millisecond. It is looked at
 * often enough (JRG_CHIP_LONGEST_SLEEP_MS). */
uint32_t jrg_chip_ticks(void);
uint32_t jrg_chip_ticks_per_ms(void);

/* Sleeps until an interrupt, `timeout_ms` at most; may return early. Called with interrupts off, and returns so. */
void jrg_chip_sleep(uint32_t timeout_ms);

/* Ticks between the two calls, with interrupts off, on an emulator that counts instructions; 0 if they are too many. */
void jrg_chip_count_start(void);
uint32_t jrg_chip_count_stop(void);

void jrg_chip_feed(void);

/* Only if the table of boards says keep_bytes: what jrg_port_flash returns. */
const jrg_keep_flash *jrg_chip_flash(void);

#endif
