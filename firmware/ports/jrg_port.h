/* What a board gives to the firmware: start, bytes, time, identity. The only interface that knows a chip.
 * docs/reference/boards.md says how to write one. */
#ifndef JRG_PORT_H
#define JRG_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h" // jrg_reset_cause
#include "jrg_keep.h" // jrg_keep_flash

#ifdef __cplusplus
extern "C" {
#endif

enum { JRG_PORT_UID_MAX_BYTES = 16 };

typedef struct {
    const char *board;                   /* name of the board, at most 24 characters */
    uint8_t uid[JRG_PORT_UID_MAX_BYTES]; /* unique to the chip */
    uint8_t uid_len_bytes;               /* 4..16 */
    uint16_t boot_nonce;                 /* another one at every start */
    jrg_reset_cause reset_cause;         /* why the board started */
    uint32_t ram_bytes;                  /* statically used, the reserved stack included; 0 if not known */
    uint32_t flash_bytes;                /* size of the image; 0 if not known */
} jrg_port_info;

/* Once, first: clocks, serial line, time. */
void jrg_port_start(int argc, char **argv);

/* Valid after jrg_port_start. */
const jrg_port_info *jrg_port_identify(void);

/* Milliseconds since the start; wraps round after 49 days. */
uint32_t jrg_port_time_ms(void);

/* Takes up to `capacity_bytes` received bytes; returns how many. Never waits. */
size_t jrg_port_read(uint8_t *bytes, size_t capacity_bytes);

/* Sends all of the bytes; waits while the line is full, and feeds the watchdog meanwhile. */
void jrg_port_write(const uint8_t *bytes, size_t len_bytes);

/* Feeds the watchdog (watchdog.md, W2); sleeps until a byte comes or `timeout_ms` is over. It may return early. */
void jrg_port_idle(uint32_t timeout_ms);

/* Instructions between start and stop, without those of the two calls; 0 if the board cannot count. */
void jrg_port_count_start(void);
uint32_t jrg_port_count_stop(void);

/* The reserved stack and the part of it that was never used (painted at the start); both 0 if not known. */
void jrg_port_stack(uint32_t *size_bytes, uint32_t *free_bytes);

/* Flash for what is kept over a power cut (docs/reference/keep.md); NULL if there is none. */
const jrg_keep_flash *jrg_port_flash(void);

#ifdef __cplusplus
}
#endif
#endif
