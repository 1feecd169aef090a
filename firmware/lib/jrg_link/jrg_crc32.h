/* CRC-32 as zlib.crc32 (L1.1): reflected polynomial 0xEDB88320, all ones in and out. */
#ifndef JRG_CRC32_H
#define JRG_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* `start` is 0, or the CRC of what stands before these bytes. */
uint32_t jrg_crc32(uint32_t start, const uint8_t *bytes, size_t len_bytes);
#endif
