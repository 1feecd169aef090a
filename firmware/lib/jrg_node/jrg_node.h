/* The board as the host sees it (protocol.md, L4): says what it is, takes blobs, does jobs, gives the result back.
 *
 * Sans-I/O, and nothing is allocated: the struct holds all there is. Call jrg_node_receive with whatever came, and
 * jrg_node_poll when nothing more is waiting and whenever jrg_node_wait_ms has passed. */
#ifndef JRG_NODE_H
#define JRG_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jrg_defs.h"         // jrg_job_state, jrg_reset_cause
#include "jrg_key.h"          // JRG_NODE_VERIFIES
#include "jrg_link.h"         // jrg_link
#include "jrg_model_config.h" // JRG_MODEL_BLOB_BYTES
#include "jrg_online_model.h" // JRG_ONLINE_MODEL_BYTES

/* Of a board that keeps what it has learned (docs/reference/keep.md, K9): saves of its flash so far, how many it takes
 * (0: nothing is kept), erase operations since the start. */
typedef struct {
    uint32_t saves, most_saves, erases;
} jrg_node_wear;

/* What the board's port and the image say of themselves. */
typedef struct {
    const char *firmware; /* version */
    uint8_t build[8];     /* names the sources of the image */
    const char *board;
    const uint8_t *uid;
    uint8_t uid_len_bytes; /* 4..16 */
    uint16_t boot_nonce;
    jrg_reset_cause reset_cause;
    uint32_t ram_bytes, flash_bytes;

    void *context; /* first argument of `write` */
    void (*write)(void *context, const uint8_t *bytes, size_t len_bytes);
    void (*count_start)(void);
    uint32_t (*count_stop)(void); /* instructions since, 0 if not counted */
    void (*stack)(uint32_t *size_bytes, uint32_t *free_bytes);
    const jrg_node_wear *wear; /* as it is when it is told; NULL: nothing is kept */
} jrg_node_board;

/* Classes recognised by prototypes (L4.13) and their RAM (A12.1, and one that is told), where the image has them. */
#ifdef JRG_MODEL_PROTOTYPES
#define JRG_NODE_PROTOTYPES 1
#define JRG_NODE_PROTOTYPE_BYTES (JRG_MODEL_PROTOTYPES * (4u * JRG_MODEL_FEATURES + 24u) + 2u * JRG_MODEL_FEATURES)
#else
#define JRG_NODE_PROTOTYPES 0
#define JRG_NODE_PROTOTYPE_BYTES 0u
#endif

/* Buffers for weights (L4.3): staged and working, or one that is both where two would not leave the rest its room. */
#ifndef JRG_NODE_MODEL_RAM_BYTES
#define JRG_NODE_MODEL_RAM_BYTES 229376u /* of 256 KB: 32 KB are left for stack, link and node */
#endif
#ifndef JRG_NODE_BUFFERS
#if 2u * JRG_MODEL_BLOB_BYTES + JRG_MODEL_ARENA_BYTES + JRG_NODE_PROTOTYPE_BYTES > JRG_NODE_MODEL_RAM_BYTES
#define JRG_NODE_BUFFERS 1
#else
#define JRG_NODE_BUFFERS 2
#endif
#endif

/* Learning after deployment (L4.11), where the network has a head for it and the learner's RAM is there. */
#ifndef JRG_NODE_ONLINE
#if !defined(JRG_MODEL_HEAD_INPUTS) || JRG_NODE_BUFFERS == 1
#define JRG_NODE_ONLINE 0
#elif JRG_MODEL_OUTPUTS > JRG_ONLINE_MOST_OUTPUTS ||                                                                   \
    2u * JRG_MODEL_BLOB_BYTES + JRG_MODEL_ARENA_BYTES + JRG_NODE_PROTOTYPE_BYTES + JRG_ONLINE_MODEL_BYTES >            \
        JRG_NODE_MODEL_RAM_BYTES
#define JRG_NODE_ONLINE 0
#else
#define JRG_NODE_ONLINE 1
#endif
#endif

/* The blob as received, pristine (L4.2, L4.3). */
typedef struct {
    uint32_t blob[(JRG_MODEL_BLOB_BYTES + 3) / 4];
    uint8_t hash[JRG_LIMIT_HASH_BYTES]; /* announced; true of the bytes once `verified` */
    bool announced, verified;
    uint32_t received_bytes;
    bool complained; /* one complaint a gap */
} jrg_node_staged;

#if JRG_NODE_VERIFIES
/* The last valid signature (docs/design/security.md, G33). */
typedef struct {
    bool any;
    uint64_t generation;
    uint8_t hash[JRG_LIMIT_HASH_BYTES];
} jrg_node_approved;
#endif

/* L4.4 to L4.6. */
typedef struct {
    uint32_t number;
    jrg_job_kind kind;
    jrg_job_state state;
    uint32_t samples, done, correct;
    uint64_t loss_sum;
    uint32_t instructions;             /* least seen for one sample */
    int16_t target[JRG_MODEL_TARGETS]; /* of the sample that is coming in; its inputs are in jrg_model_input() */
    uint32_t sample_bytes;             /* received of it */
    bool complained;
    bool prototypes; /* they are the last layer (L4.13) */
} jrg_node_job;

/* The outputs of a sample of kind infer on their way to the host (L4.6): the last `left` of them are still to be told. */
typedef struct {
    uint32_t index; /* of the sample */
    uint32_t left;
    int16_t outputs[JRG_MODEL_OUTPUTS];
} jrg_node_prediction;

/* The working blob on its way to the host (L4.7). */
typedef struct {
    bool running;
    uint32_t offset;
} jrg_node_update;

typedef struct {
    jrg_node_board board;
    jrg_link link;
    uint32_t now_ms;       /* of the call in progress */
    uint32_t health_at_ms; /* of the last health event */
    jrg_node_staged staged;
#if JRG_NODE_VERIFIES
    jrg_node_approved approved;
#endif
#if JRG_NODE_BUFFERS == 2
    uint32_t working[(JRG_MODEL_BLOB_BYTES + 3) / 4];
#endif
    bool bound;            /* the working blob is one */
    bool has_learner;      /* one was begun on the working blob (L4.11) */
    bool has_news;         /* a job that changes what is kept has ended since jrg_node_kept */
    uint32_t trained;      /* jobs that train and have ended (K9) */
    uint32_t kept_learner; /* has_learner as it is kept (K8) */
    jrg_node_job job;
    jrg_node_prediction prediction;
    jrg_node_update update;
} jrg_node;

/* The weights that are trained and used (L4.3). */
#if JRG_NODE_BUFFERS == 2
#define JRG_NODE_WORKING(node) ((node)->working)
#else
#define JRG_NODE_WORKING(node) ((node)->staged.blob)
#endif

/* `board` is copied; what it points to must stay. */
void jrg_node_init(jrg_node *node, const jrg_node_board *board);

/* For a board that keeps what it has learned over a power cut (docs/reference/keep.md, K8). jrg_node_to_keep: number
 * `part` of the state, 4-aligned, a multiple of 4 long. jrg_node_has_news: is it worth keeping now, with no job running?
 * jrg_node_kept: it was kept. jrg_node_take_kept: a kept one was put there, after jrg_node_init. */
#define JRG_NODE_KEPT_PARTS (2u + JRG_NODE_ONLINE * JRG_ONLINE_MODEL_PARTS + (JRG_NODE_PROTOTYPES ? 1u : 0u))
typedef struct {
    void *bytes;
    uint32_t len_bytes;
} jrg_node_part;
jrg_node_part jrg_node_to_keep(jrg_node *node, uint32_t part);
bool jrg_node_has_news(const jrg_node *node);
void jrg_node_kept(jrg_node *node);
void jrg_node_take_kept(jrg_node *node);

/* Any bytes in any pieces. */
void jrg_node_receive(jrg_node *node, const uint8_t *bytes, size_t len_bytes, uint32_t now_ms);

/* Sends what is due. */
void jrg_node_poll(jrg_node *node, uint32_t now_ms);

/* Milliseconds until jrg_node_poll has something to do. */
uint32_t jrg_node_wait_ms(const jrg_node *node, uint32_t now_ms);
#endif
