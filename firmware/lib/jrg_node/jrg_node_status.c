#include "jrg_node_parts.h"

jrg_status jrg_node_status_of(jrg_nn_status status)
{
    switch (status) {
    case JRG_NN_OK:
        return JRG_STATUS_OK;
    case JRG_NN_BAD_LENGTH:
        return JRG_STATUS_BAD_SIZE;
    case JRG_NN_BAD_MAGIC:
        return JRG_STATUS_BAD_MAGIC;
    case JRG_NN_BAD_ARCHITECTURE:
        return JRG_STATUS_BAD_ARCHITECTURE;
    case JRG_NN_BAD_EXPONENT:
        return JRG_STATUS_BAD_EXPONENT;
    case JRG_NN_BAD_WEIGHTS:
        return JRG_STATUS_BAD_VALUE;
    case JRG_NN_BAD_RATE:
        return JRG_STATUS_BAD_RATE;
    case JRG_NN_BAD_BATCH: /* this image has no sums (A11.1) */
        return JRG_STATUS_UNSUPPORTED;
    case JRG_NN_NOT_BOUND:
        return JRG_STATUS_NOT_BOUND;
    case JRG_NN_BAD_CLASS:
    case JRG_NN_FULL_CLASS:
        return JRG_STATUS_BAD_SAMPLE;
    case JRG_NN_NO_PROTOTYPE:
        return JRG_STATUS_NO_PROTOTYPE;
    case JRG_NN_NO_RATE:       /* a job of kind train brings one, so this is no fault of the host's either */
    case JRG_NN_BAD_ALIGNMENT: /* our buffers are aligned, so this is no fault of the host's */
        break;
    }
    return JRG_STATUS_UNSUPPORTED;
}
