/* Two slots of flash, of which one always holds a whole state: what was saved last, or what was saved before (docs/
 * reference/keep.md). Pure: the flash is reached through three functions, and nothing is allocated. */
#ifndef JRG_KEEP_H
#define JRG_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h" // JRG_MUST_USE

enum { JRG_KEEP_KEY_BYTES = 8, JRG_KEEP_HEADER_BYTES = 32 };

/* K1. Erased bytes are 0xFF; a write clears bits. `pages` is even: half of them are a slot. */
typedef struct {
    const uint8_t *start; /* readable as memory, at a multiple of 4 */
    uint32_t page_bytes;  /* erased at once; a multiple of 4 */
    uint32_t pages;
    uint32_t endurance; /* erases that a page is good for */
    void (*erase)(uint32_t page);
    void (*write)(uint32_t offset_bytes, const uint32_t *words, uint32_t count);
} jrg_keep_flash;

/* A state is one or more of these, one after the other. */
typedef struct {
    void *bytes;        /* at a multiple of 4 */
    uint32_t len_bytes; /* a multiple of 4 */
} jrg_keep_part;

typedef enum {
    JRG_KEEP_OK = 0,
    JRG_KEEP_NOTHING,   /* no state of this key and length is kept */
    JRG_KEEP_TOO_LARGE, /* a slot has no room for it */
    JRG_KEEP_WORN,      /* K5 */
    JRG_KEEP_FAILED,    /* the flash does not hold what was written; the state before is kept */
} jrg_keep_status;

/* Saves a state under a key (K3). *erases is counted up with each erase operation (K9). */
JRG_MUST_USE jrg_keep_status jrg_keep_save(const jrg_keep_flash *flash, const uint8_t key[JRG_KEEP_KEY_BYTES],
                                           const jrg_keep_part *parts, uint32_t count, uint32_t *erases);

/* Copies the newest whole state of this key and length (K4). After anything but OK the parts are as they were. */
JRG_MUST_USE jrg_keep_status jrg_keep_load(const jrg_keep_flash *flash, const uint8_t key[JRG_KEEP_KEY_BYTES],
                                           const jrg_keep_part *parts, uint32_t count);

/* Saves so far, of any key (K5): a page was erased half as often, rounded up. */
uint32_t jrg_keep_saves(const jrg_keep_flash *flash);

/* Saves that the flash takes (K5). */
uint32_t jrg_keep_most_saves(const jrg_keep_flash *flash);

#endif
