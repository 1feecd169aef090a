/* The interface of a compiled model: what generated code implements, and all that node, native engine and bench know.
 *
 * One model per image, no allocation, not reentrant. Numbers as A1.1 are rules of docs/reference/arithmetic.md.
 * A call that can fail returns a status, and a result by pointer; anything but JRG_NN_OK means that nothing changed and
 * no result was written. jrg_model_bind comes before what computes (JRG_NN_NOT_BOUND otherwise), jrg_model_set_rate before
 * training (JRG_NN_NO_RATE). The other settings may be given in any order; they hold until they are given again.
 */
#ifndef JRG_MODEL_H
#define JRG_MODEL_H

#include <stdint.h>

#include "core/jrg_nn_operators.h" // JRG_MODEL_OPERATOR_DENSE
#include "core/jrg_nn_status.h"    // jrg_nn_status
#include "core/jrg_nn_types.h"     // jrg_model_info

extern const jrg_model_info jrg_model;

/* Would jrg_model_bind take these bytes (A6.1)? Any alignment, no side effect. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_check(const void *blob, uint32_t len_bytes);

/* Compute on these weights from now on, and train them in place. `blob` holds jrg_model.blob_bytes bytes, starts at a
 * multiple of 4, is checked again here, and stays the caller's. After an error the binding before holds. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_bind(void *blob);

/* The learning rate of the training steps that follow (A5.2, A5.3). After an error the rate before holds. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_set_rate(jrg_nn_rate rate);

/* Begins the dither of the training steps that follow anew (A5.9, A7.7, A8.5). */
void jrg_model_set_seed(uint32_t seed);

/* Samples of one training step, 1..65535; 1 until this is called. More than one takes an image with sums (A11.1). What was
 * summed and not applied is dropped, as jrg_model_bind does too. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_set_accumulation(uint32_t samples);

/* The step of the samples since the last one, if there are any (A11.5): for the end of a stream. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_apply(void);

/* The largest output error of the training steps that follow, in its own unit (A11.7); 0: any, as before this is called. */
void jrg_model_set_clip(uint32_t limit);

/* The loss threshold, as jrg_nn_result counts it, of the training steps that follow: a sample below it makes no update
 * (A11.8); 0 disables, as before this is called. */
void jrg_model_set_loss_threshold(uint32_t least);

/* Optional zero-copy input buffer, jrg_model.inputs numbers, 4-aligned, to be passed as x below. Its contents are undefined
 * after any call. */
int16_t *jrg_model_input(void);

/* A3. x: jrg_model.inputs numbers, clamped to the input's range (A3.0); outputs: jrg_model.outputs numbers. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_forward(const int16_t *x, int16_t *outputs);

/* What the last layer was fed by the call of jrg_model_forward just before: JRG_MODEL_HEAD_INPUTS numbers. Only models with
 * that number in jrg_model_config.h have it (docs/reference/online.md, O1.1). */
const int16_t *jrg_model_features(void);

/* Forward and loss (A4.4); the weights stay. target: jrg_model.targets numbers. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_evaluate(const int16_t *x, const int16_t *target, jrg_nn_result *result);

/* One training step (A5.8), or one sample of it (A11.1). The result is that of the forward pass, before the step. A label
 * that is no output teaches nothing: its loss is 0x7FFFFFFF (A4.2). */
JRG_NN_MUST_USE jrg_nn_status jrg_model_train(const int16_t *x, const int16_t *target, jrg_nn_result *result);

/* Prototypes (A12): only models with JRG_MODEL_PROTOTYPES in jrg_model_config.h, which is the number of classes N, have the
 * calls below. The last layer takes no part in them. Sums stay when weights change or are bound anew: a class enrolled
 * before is then compared with features of other weights, so forget all classes and enrol them again. */

/* Takes a sample into the mean of its class: one forward pass. JRG_NN_BAD_CLASS, JRG_NN_FULL_CLASS (A12.1). */
JRG_NN_MUST_USE jrg_nn_status jrg_model_enrol(const int16_t *x, uint32_t label);

/* Forgets all samples of one class, or of all classes (A12.1). */
JRG_NN_MUST_USE jrg_nn_status jrg_model_forget(uint32_t label);
void jrg_model_forget_all(void);

/* What enrolment has made, 4-aligned, a multiple of 4 long: for who keeps it (docs/reference/keep.md, K8). */
void *jrg_model_enrolled_classes(uint32_t *len_bytes);

/* How many samples of a class are enrolled; 0 for a class the image has no room for. */
uint32_t jrg_model_enrolled(uint32_t label);

/* The prototype of a class (A12.2): JRG_MODEL_FEATURES numbers. JRG_NN_BAD_CLASS, JRG_NN_NO_PROTOTYPE. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_prototype(uint32_t label, int16_t *numbers);

/* The class whose prototype is nearest (A12.3), and whether it is accepted (A12.8). JRG_NN_NO_PROTOTYPE before a sample is
 * enrolled. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_recognise(const int16_t *x, jrg_nn_match *match);

/* The largest relative distance that is accepted, Q15 (A12.8). Everything is accepted before the first call, and with a
 * threshold of 32768 or more. */
void jrg_model_set_rejection(uint16_t threshold);

/* The temperature of A12.4, in the format of a rate. JRG_NN_BAD_RATE; the one before then holds. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_set_temperature(jrg_nn_rate temperature);

/* Forward and loss with the prototypes as last layer (A12.4). JRG_NN_NO_PROTOTYPE before a sample is enrolled,
 * JRG_NN_NO_RATE without a temperature. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_evaluate_prototypes(const int16_t *x, const int16_t *target,
                                                            jrg_nn_result *result);

/* One training step of the layers below the last one, with the prototypes as last layer (A12.6). */
JRG_NN_MUST_USE jrg_nn_status jrg_model_train_prototypes(const int16_t *x, const int16_t *target,
                                                         jrg_nn_result *result);

/* One training step of the layers below the last one on an enrolled sample, by the gradient of its class's prototype (A12.10):
 * only models with JRG_MODEL_PROTOTYPE_GRADIENTS have it. JRG_NN_BAD_CLASS, JRG_NN_NO_PROTOTYPE, JRG_NN_NO_RATE. */
JRG_NN_MUST_USE jrg_nn_status jrg_model_train_enrolled(const int16_t *x, uint32_t label);

/* Exponent of every loss (A4.4): 11 for cross-entropy, 2 fy for squared errors (of the weights bound last). */
int8_t jrg_model_loss_exponent(void);

#endif
