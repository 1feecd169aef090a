/* Is a signature genuine? Ed25519 (RFC 8032, 5.1.7), without the cofactor, as most implementations have it.
 *
 * Keys, signatures and messages are public, so the time depends on them. There is nothing here that signs. */
#ifndef JRG_ED25519_H
#define JRG_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JRG_ED25519_KEY_BYTES = 32, JRG_ED25519_SIGNATURE_BYTES = 64 };

/* Refused are also keys that are no point of the curve, and numbers of more than the one form they have: y of a key at
 * least p, S of a signature at least the order of the base point. */
bool jrg_ed25519_verifies(const uint8_t key[JRG_ED25519_KEY_BYTES],
                          const uint8_t signature[JRG_ED25519_SIGNATURE_BYTES], const uint8_t *message,
                          size_t len_bytes);
#endif
