/* What can go wrong in a call of jrg_model.h. The node maps these to its own codes. */
#ifndef JRG_NN_STATUS_H
#define JRG_NN_STATUS_H

#define JRG_NN_MUST_USE __attribute__((warn_unused_result))

typedef enum {
    JRG_NN_OK = 0,
    JRG_NN_BAD_LENGTH,       /* the blob's length is not the network's (A6.1) */
    JRG_NN_BAD_MAGIC,        /* not a blob of weights, or one of another format */
    JRG_NN_BAD_ARCHITECTURE, /* weights of another network (A6.2) */
    JRG_NN_BAD_EXPONENT,     /* an exponent outside A2.6, A3.3 or A5.6 */
    JRG_NN_BAD_WEIGHTS,      /* a bias outside A2.3, or padding that is not zero */
    JRG_NN_BAD_ALIGNMENT,    /* the blob does not start at a multiple of 4 */
    JRG_NN_BAD_RATE,         /* not a learning rate of A5.2 */
    JRG_NN_BAD_BATCH,        /* a number of samples outside A11.1, or an image without sums */
    JRG_NN_NOT_BOUND,        /* there are no weights to compute on: jrg_model_bind comes first */
    JRG_NN_NO_RATE,          /* there is no learning rate: jrg_model_set_rate comes before training */
    JRG_NN_BAD_CLASS,        /* a class the image has no room for (A12.1) */
    JRG_NN_FULL_CLASS,       /* the class has 65535 samples (A12.1) */
    JRG_NN_NO_PROTOTYPE,     /* no sample was enrolled, or none of that class (A12.2) */
} jrg_nn_status;

#endif
