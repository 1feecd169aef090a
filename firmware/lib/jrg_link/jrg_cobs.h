/* Consistent overhead byte stuffing (Cheshire and Baker 1999): no zero byte within, so a zero can end a frame (L1.1). */
#ifndef JRG_COBS_H
#define JRG_COBS_H

#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h" // jrg_status

/* Bytes that `len_bytes` bytes can grow to, without the closing zero. */
#define JRG_COBS_ENCODED_BYTES(len_bytes) ((len_bytes) + (len_bytes) / 254u + 1u)

/* Encodes into `out`, which has room for JRG_COBS_ENCODED_BYTES(len_bytes); returns the encoded length. */
size_t jrg_cobs_encode(const uint8_t *bytes, size_t len_bytes, uint8_t *out);

/* Decodes in place; `*len_bytes` becomes the decoded length. JRG_STATUS_BAD_FRAME: not an encoding. */
JRG_MUST_USE jrg_status jrg_cobs_decode(uint8_t *bytes, size_t *len_bytes);
#endif
