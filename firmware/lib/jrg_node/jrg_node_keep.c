/* What a board keeps over a power cut (docs/reference/keep.md, K6, K8). */
#include "jrg_model.h" // jrg_model_bind
#include "jrg_node_parts.h"

bool jrg_node_has_news(const jrg_node *node)
{
    return node->has_news && node->bound && node->job.state != JRG_JOB_STATE_RUNNING;
}

void jrg_node_kept(jrg_node *node)
{
    node->has_news = false;
}

/* The weights are numbers that the learner trains, so they come first. */
jrg_node_part jrg_node_to_keep(jrg_node *node, uint32_t part)
{
    if (part == 0)
        return (jrg_node_part){JRG_NODE_WORKING(node), (JRG_MODEL_BLOB_BYTES + 3u) / 4u * 4u};
    if (part == 1) {
        node->kept_learner = node->has_learner;
        return (jrg_node_part){&node->kept_learner, sizeof node->kept_learner};
    }
    jrg_node_part found = {NULL, 0};
#if JRG_NODE_PROTOTYPES
    if (part == 2)
        found.bytes = jrg_model_enrolled_classes(&found.len_bytes);
#endif
#if JRG_NODE_ONLINE
    if (found.bytes == NULL)
        found.bytes = jrg_online_model_part(part - (JRG_NODE_KEPT_PARTS - JRG_ONLINE_MODEL_PARTS), &found.len_bytes);
#endif
    return found;
}

void jrg_node_take_kept(jrg_node *node)
{
    node->bound = jrg_model_bind(JRG_NODE_WORKING(node)) == JRG_NN_OK;
#if JRG_NODE_ONLINE
    node->has_learner =
        node->bound && node->kept_learner != 0 && jrg_online_model_restored(JRG_NODE_WORKING(node)) == JRG_ONLINE_OK;
#endif
}
