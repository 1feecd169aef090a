#include "jrg_keep.h"

#include <string.h>

#include "jrg_crc32.h" // jrg_crc32

enum { MAGIC = 0x504B524A, NO_SLOT = 2 }; /* "JRKP" */

/* K2. */
typedef struct {
    uint32_t magic, generation, len_bytes, payload_crc;
    uint8_t key[JRG_KEEP_KEY_BYTES];
    uint32_t unused;
    uint32_t header_crc; /* of all before it */
} header;
_Static_assert(sizeof(header) == JRG_KEEP_HEADER_BYTES, "K2");

static uint32_t slot_bytes(const jrg_keep_flash *flash)
{
    return flash->pages / 2 * flash->page_bytes;
}

static const uint8_t *slot_at(const jrg_keep_flash *flash, uint32_t slot)
{
    return flash->start + slot * slot_bytes(flash);
}

static uint32_t crc_of(const header *head)
{
    return jrg_crc32(0, (const uint8_t *)head, offsetof(header, header_crc));
}

/* K4: is there a whole record, of any key? */
static bool read_header(const jrg_keep_flash *flash, uint32_t slot, header *head)
{
    memcpy(head, slot_at(flash, slot), sizeof *head);
    if (head->magic != MAGIC || head->header_crc != crc_of(head))
        return false;
    if (head->len_bytes > slot_bytes(flash) - JRG_KEEP_HEADER_BYTES)
        return false;
    return jrg_crc32(0, slot_at(flash, slot) + JRG_KEEP_HEADER_BYTES, head->len_bytes) == head->payload_crc;
}

/* The slot with the newest whole record, and its header; NO_SLOT if there is none. Saves are less than 2^31 (K5). */
static uint32_t newest_slot(const jrg_keep_flash *flash, header *head)
{
    header found[2];
    const bool whole[2] = {read_header(flash, 0, &found[0]), read_header(flash, 1, &found[1])};
    if (!whole[0] && !whole[1])
        return NO_SLOT;
    const uint32_t slot = whole[0] && (!whole[1] || found[0].generation > found[1].generation) ? 0 : 1;
    *head = found[slot];
    return slot;
}

static uint32_t length_of(const jrg_keep_part *parts, uint32_t count)
{
    uint32_t len_bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        len_bytes += parts[i].len_bytes;
    return len_bytes;
}

uint32_t jrg_keep_saves(const jrg_keep_flash *flash)
{
    header head;
    return newest_slot(flash, &head) == NO_SLOT ? 0 : head.generation;
}

uint32_t jrg_keep_most_saves(const jrg_keep_flash *flash)
{
    return 2 * flash->endurance;
}

static void erase_for(const jrg_keep_flash *flash, uint32_t slot, uint32_t len_bytes, uint32_t *erases)
{
    const uint32_t needed = (JRG_KEEP_HEADER_BYTES + len_bytes + flash->page_bytes - 1) / flash->page_bytes;
    for (uint32_t page = 0; page < needed; page++) {
        flash->erase(slot * (flash->pages / 2) + page);
        ++*erases;
    }
}

/* Returns the checksum of what was written. */
static uint32_t write_parts(const jrg_keep_flash *flash, uint32_t offset, const jrg_keep_part *parts, uint32_t count)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < count; i++) {
        flash->write(offset, parts[i].bytes, parts[i].len_bytes / 4);
        crc = jrg_crc32(crc, parts[i].bytes, parts[i].len_bytes);
        offset += parts[i].len_bytes;
    }
    return crc;
}

/* K3: the header is written last, and makes the record whole. */
static void write_record(const jrg_keep_flash *flash, uint32_t slot, header *head, const jrg_keep_part *parts,
                         uint32_t count)
{
    uint32_t words[JRG_KEEP_HEADER_BYTES / 4];
    const uint32_t offset = slot * slot_bytes(flash);
    head->payload_crc = write_parts(flash, offset + JRG_KEEP_HEADER_BYTES, parts, count);
    head->header_crc = crc_of(head);
    memcpy(words, head, sizeof words);
    flash->write(offset, words, JRG_KEEP_HEADER_BYTES / 4);
}

jrg_keep_status jrg_keep_save(const jrg_keep_flash *flash, const uint8_t key[JRG_KEEP_KEY_BYTES],
                              const jrg_keep_part *parts, uint32_t count, uint32_t *erases)
{
    header head = {.magic = MAGIC}, before, after;
    const uint32_t newest = newest_slot(flash, &before);
    head.len_bytes = length_of(parts, count);
    head.generation = newest == NO_SLOT ? 1 : before.generation + 1;
    if (head.len_bytes > slot_bytes(flash) - JRG_KEEP_HEADER_BYTES)
        return JRG_KEEP_TOO_LARGE;
    if (head.generation > jrg_keep_most_saves(flash))
        return JRG_KEEP_WORN;
    memcpy(head.key, key, sizeof head.key);
    const uint32_t slot = newest == 0 ? 1 : 0;
    erase_for(flash, slot, head.len_bytes, erases);
    write_record(flash, slot, &head, parts, count);
    return read_header(flash, slot, &after) && after.generation == head.generation ? JRG_KEEP_OK : JRG_KEEP_FAILED;
}

jrg_keep_status jrg_keep_load(const jrg_keep_flash *flash, const uint8_t key[JRG_KEEP_KEY_BYTES],
                              const jrg_keep_part *parts, uint32_t count)
{
    header head;
    const uint32_t slot = newest_slot(flash, &head);
    if (slot == NO_SLOT || memcmp(head.key, key, sizeof head.key) != 0 || head.len_bytes != length_of(parts, count))
        return JRG_KEEP_NOTHING;
    const uint8_t *from = slot_at(flash, slot) + JRG_KEEP_HEADER_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(parts[i].bytes, from, parts[i].len_bytes);
        from += parts[i].len_bytes;
    }
    return JRG_KEEP_OK;
}
