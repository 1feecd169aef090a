/* What the files of this library share. */
#ifndef JRG_NODE_PARTS_H
#define JRG_NODE_PARTS_H

#include "jrg_messages_types.h" // request_r, response_r
#include "jrg_node.h"

#include "core/jrg_nn_status.h" // jrg_nn_status

/* Id of what answers no request: complaints about DATA and SAMPLE, events (L4.9). */
enum { JRG_NODE_NO_REQUEST = 0 };

/* jrg_node_status.c: the kernels know nothing of the protocol; their codes are mapped to its codes here. */
JRG_MUST_USE jrg_status jrg_node_status_of(jrg_nn_status status);

/* jrg_node_answer.c: everything that goes out. */
void jrg_node_answer(jrg_node *node, const struct response_r *response);
void jrg_node_answer_status(jrg_node *node, uint32_t id, jrg_status code, uint32_t detail);
void jrg_node_tell(jrg_node *node, const struct response_r *event);
void jrg_node_log(jrg_node *node, jrg_log_level level, const char *text);

/* jrg_node_identity.c: L4.1 and L4.8. */
void jrg_node_identify(jrg_node *node, uint32_t id);
void jrg_node_answer_health(jrg_node *node, uint32_t id);
void jrg_node_tell_health(jrg_node *node);

/* jrg_node_blob.c: L4.2, G33. */
void jrg_node_take_signature(jrg_node *node, const struct blob_signature *request);
void jrg_node_begin_blob(jrg_node *node, const struct blob_begin *request);
void jrg_node_end_blob(jrg_node *node, const struct blob_end *request);
void jrg_node_take_data(jrg_node *node, const uint8_t *payload, uint16_t len_bytes);
bool jrg_node_holds(const jrg_node *node, const uint8_t *hash);

/* jrg_node_job.c: L4.3 to L4.6. */
/* With one buffer: what was staged is no longer there (L4.3). */
void jrg_node_use_up_staged(jrg_node *node);

void jrg_node_begin_job(jrg_node *node, const struct job_begin *request);
void jrg_node_end_job(jrg_node *node, const struct job_end *request);
void jrg_node_cancel_job(jrg_node *node, const struct cancel *request);
void jrg_node_take_sample(jrg_node *node, const uint8_t *payload, uint16_t len_bytes);

/* At the end of a sample of kind infer, and whenever there is room: what is left to tell of its outputs (L4.6). */
void jrg_node_tell_prediction(jrg_node *node);

/* What jobs of all kinds share: the weights they begin with (L4.3), looked at and then taken, and the note of a job that
 * begins. */
JRG_MUST_USE jrg_status jrg_node_check_base(const jrg_node *node, const struct zcbor_string *base);
JRG_MUST_USE jrg_status jrg_node_prepare_job(jrg_node *node, const struct zcbor_string *base);
void jrg_node_note_job(jrg_node *node, uint32_t number, jrg_job_kind kind, uint32_t samples, uint32_t seed);
bool jrg_node_knows_job(const jrg_node *node, uint32_t number);
void jrg_node_answer_job(jrg_node *node, uint32_t id, uint32_t number);

/* jrg_node_online.c: L4.11. */
void jrg_node_begin_online(jrg_node *node, const struct online_begin *request);
void jrg_node_answer_online(jrg_node *node, uint32_t id);
JRG_MUST_USE jrg_status jrg_node_learn_online(jrg_node *node, int16_t *input, uint32_t label);

/* jrg_node_prototypes.c: L4.13. */
/* Does a job compute with prototypes? */
bool jrg_node_uses_prototypes(const struct job_begin *request);
/* What such a job needs of the image and of what is enrolled; changes nothing. */
JRG_MUST_USE jrg_status jrg_node_check_prototypes(const struct job_begin *request);
/* Takes the temperature of a job, and forgets all classes if it says so. */
JRG_MUST_USE jrg_status jrg_node_prepare_prototypes(const struct job_begin *request);
/* One sample of a job that computes with prototypes. */
JRG_MUST_USE jrg_status jrg_node_work_with_prototypes(jrg_node *node, int16_t *input);
/* The classes that labels of a job may be. */
uint32_t jrg_node_classes(const jrg_node_job *job);
void jrg_node_forget(jrg_node *node, const struct forget *request);
void jrg_node_answer_prototype(jrg_node *node, const struct prototype_read *request);

/* jrg_node_update.c: L4.7. */
void jrg_node_begin_update(jrg_node *node, const struct update_read *request);
void jrg_node_send_update(jrg_node *node);
#endif
