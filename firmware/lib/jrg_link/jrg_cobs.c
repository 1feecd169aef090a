#include "jrg_cobs.h"

enum { LONGEST_BLOCK = 255 }; /* code byte of a block of 254 bytes that no zero ends */

size_t jrg_cobs_encode(const uint8_t *bytes, size_t len_bytes, uint8_t *out)
{
    size_t code_at = 0;
    size_t at = 1;
    uint8_t code = 1;
    for (size_t i = 0; i < len_bytes; i++) {
        if (bytes[i] != 0) {
            out[at++] = bytes[i];
            code++;
        }
        /* A full block at the very end needs no block after it. */
        if (bytes[i] == 0 || (code == LONGEST_BLOCK && i + 1 < len_bytes)) {
            out[code_at] = code;
            code_at = at++;
            code = 1;
        }
    }
    out[code_at] = code;
    return at;
}

jrg_status jrg_cobs_decode(uint8_t *bytes, size_t *len_bytes)
{
    size_t from = 0;
    size_t to = 0;
    while (from < *len_bytes) {
        uint8_t code = bytes[from++];
        if (code == 0 || from + code - 1u > *len_bytes)
            return JRG_STATUS_BAD_FRAME;
        for (uint8_t i = 1; i < code; i++) {
            if (bytes[from] == 0)
                return JRG_STATUS_BAD_FRAME;
            bytes[to++] = bytes[from++];
        }
        if (code < LONGEST_BLOCK && from < *len_bytes)
            bytes[to++] = 0;
    }
    *len_bytes = to;
    return JRG_STATUS_OK;
}
