/* What the network's numbers may be so that the messages carry them: messages.cddl gives each field its size. A network for
 * which one of these is false builds no image; the compiler refuses it before with a sentence (network.py). */
#include <stddef.h>

#include "jrg_model.h" // jrg_model_info
#include "jrg_node_parts.h"

#define ELEMENTS(type, member) (sizeof(((type *)NULL)->member) / sizeof(((type *)NULL)->member[0]))

/* identity */
_Static_assert(sizeof JRG_MODEL_NAME - 1u <= JRG_LIMIT_MODEL_NAME_BYTES, "identity.model");
_Static_assert(sizeof(jrg_model.architecture) == JRG_LIMIT_ARCHITECTURE_BYTES, "identity.architecture");
_Static_assert(JRG_MODEL_INPUTS >= 1u && JRG_MODEL_INPUTS <= UINT16_MAX, "identity.inputs");
_Static_assert(JRG_MODEL_OUTPUTS >= 1u && JRG_MODEL_OUTPUTS <= UINT16_MAX, "identity.outputs");
_Static_assert(JRG_MODEL_TARGETS >= 1u && JRG_MODEL_TARGETS <= JRG_MODEL_OUTPUTS, "a target of a sample");
_Static_assert(JRG_MODEL_BLOB_BYTES % 4u == 0u, "a blob is read as words");

/* prediction: one message has room for so many outputs, and its offset reaches the last of them (L4.6). */
_Static_assert(ELEMENTS(struct prediction, prediction_outputs_int) == JRG_LIMIT_PREDICTION_OUTPUTS,
               "prediction.outputs");

#if JRG_NODE_PROTOTYPES
_Static_assert(JRG_MODEL_PROTOTYPES >= 1u && JRG_MODEL_PROTOTYPES <= UINT8_MAX, "identity.prototypes");
_Static_assert(JRG_MODEL_FEATURES <= UINT16_MAX, "prototype-read.offset");
_Static_assert(ELEMENTS(struct prototype, prototype_numbers_int) == JRG_LIMIT_PREDICTION_OUTPUTS, "prototype.numbers");
_Static_assert(JRG_MODEL_BLOB_BYTES + JRG_MODEL_ARENA_BYTES + JRG_NODE_PROTOTYPE_BYTES <= 229376u,
               "prototypes of so many classes do not fit into the board's RAM: take a smaller JARAGUA_PROTOTYPES");
#endif

/* online-begin.known and online-state.known: a bit for each output (O1.1). */
_Static_assert(!JRG_NODE_ONLINE || JRG_MODEL_OUTPUTS <= 64u, "online-begin.known");

/* Hashes are compared whole. */
_Static_assert(sizeof(((jrg_node_staged *)NULL)->hash) == 32u && JRG_LIMIT_HASH_BYTES == 32u, "hash");
