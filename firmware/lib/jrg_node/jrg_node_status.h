/* The kernels know nothing of the protocol; their codes are mapped to its codes here. */
#ifndef JRG_NODE_STATUS_H
#define JRG_NODE_STATUS_H

#include "jrg_defs.h"           // jrg_status
#include "core/jrg_nn_status.h" // jrg_nn_status

JRG_MUST_USE jrg_status jrg_node_status_of(jrg_nn_status status);
#endif
