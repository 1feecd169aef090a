/* Bits of jrg_model_info.operators. Made from host/jaragua/wire/definitions.toml; do not edit. */
#ifndef JRG_NN_OPERATORS_H
#define JRG_NN_OPERATORS_H

#define JRG_MODEL_OPERATOR_DENSE (1u << 0)                 /* A dense layer. */
#define JRG_MODEL_OPERATOR_RELU (1u << 1)                  /* A ReLU. */
#define JRG_MODEL_OPERATOR_SOFTMAX_CROSS_ENTROPY (1u << 2) /* The loss of a classifier (A4.2). */
#define JRG_MODEL_OPERATOR_MEAN_SQUARED_ERROR (1u << 3)    /* The loss of a regression (A4.3). */
#define JRG_MODEL_OPERATOR_CONV (1u << 4)                  /* A convolution (A7). */
#define JRG_MODEL_OPERATOR_DEPTHWISE (1u << 5)             /* A depthwise convolution (A9.8). */
#define JRG_MODEL_OPERATOR_MAX_POOL (1u << 6)              /* A max pool (A9.5). */
#define JRG_MODEL_OPERATOR_AVERAGE_POOL (1u << 7)          /* An average pool (A9.5). */
#define JRG_MODEL_OPERATOR_ADD (1u << 8)                   /* A sum of two tensors (A9.6). */
#define JRG_MODEL_OPERATOR_ACTIVATION (1u << 9)            /* An activation behind a layer (A9.1 to A9.4). */
#define JRG_MODEL_OPERATOR_ACCUMULATION (1u << 16)         /* Sums for steps of several samples (A11.1). */
#define JRG_MODEL_OPERATOR_PROTOTYPES (1u << 18)           /* Classes recognised by prototypes (A12). */
#define JRG_MODEL_OPERATOR_PROTOTYPE_GRADIENTS (1u << 20)  /* Gradients of prototypes (A12.9). */

#endif
