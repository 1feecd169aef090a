/* A network so small that a test can follow it by hand. */
#ifndef JRG_MODEL_CONFIG_H
#define JRG_MODEL_CONFIG_H

#define JRG_MODEL_NAME "fake"
#define JRG_MODEL_BLOB_BYTES 500u /* three DATA frames */
#define JRG_MODEL_INPUTS 3u
#define JRG_MODEL_OUTPUTS 2u
#define JRG_MODEL_TARGETS 1u
#define JRG_MODEL_ARENA_BYTES 12u
#endif
