#include "jrg_node_parts.h"

#if JRG_NODE_ONLINE
static jrg_status status_of(jrg_online_status status)
{
    switch (status) {
    case JRG_ONLINE_OK:
        return JRG_STATUS_OK;
    case JRG_ONLINE_BAD_LABEL:
        return JRG_STATUS_BAD_SAMPLE;
    case JRG_ONLINE_NOT_BEGUN:
    case JRG_ONLINE_BAD_WEIGHTS:
        return JRG_STATUS_NOT_BOUND;
    case JRG_ONLINE_BAD_SETTINGS:
    case JRG_ONLINE_WARMING_UP: /* no refusal: whoever calls looks for it first */
        break;
    }
    return JRG_STATUS_BAD_SETTING;
}

static jrg_online_settings settings_of(const struct online_begin *request)
{
    return (jrg_online_settings){
        .known = request->online_begin_known,
        .standardise = request->online_begin_standardise,
        .warm_up = (uint16_t)request->online_begin_warm_up,
        .horizon_log2 = (uint8_t)request->online_begin_horizon,
        .replays = (uint8_t)request->online_begin_replays,
        .slack = (uint16_t)request->online_begin_slack,
        .threshold = request->online_begin_threshold,
    };
}

static jrg_nn_rate rate_of(const struct online_begin *request)
{
    return (jrg_nn_rate){
        .mantissa = (uint16_t)request->online_begin_rate_mantissa,
        .exponent = (uint8_t)request->online_begin_rate_exponent,
    };
}

/* The learner there is goes on, unless another is asked for or its weights are not the ones to work on any more. */
static bool is_fresh(const struct online_begin *request)
{
    return request->online_begin_fresh || request->online_begin_base.len > 0;
}

static jrg_status check_learner(const jrg_node *node, const struct online_begin *request)
{
    const jrg_online_settings settings = settings_of(request);
    const jrg_status status = jrg_node_check_base(node, &request->online_begin_base);
    if (status != JRG_STATUS_OK)
        return status;
    if (!is_fresh(request) && !node->has_learner)
        return JRG_STATUS_NOT_BOUND;
    return status_of(jrg_online_model_check(&settings, rate_of(request), is_fresh(request)));
}

/* L4.12: whatever can be refused is looked at before anything is changed. */
static jrg_status begin_learner(jrg_node *node, const struct online_begin *request)
{
    const jrg_online_settings settings = settings_of(request);
    jrg_status status = check_learner(node, request);
    if (status == JRG_STATUS_OK)
        status = jrg_node_prepare_job(node, &request->online_begin_base);
    if (status != JRG_STATUS_OK)
        return status;
    const jrg_online_status begun = is_fresh(request)
                                        ? jrg_online_model_begin(JRG_NODE_WORKING(node), &settings, rate_of(request))
                                        : jrg_online_model_resume(JRG_NODE_WORKING(node), &settings, rate_of(request));
    if (begun != JRG_ONLINE_OK)
        return status_of(begun);
    node->has_learner = true;
    return JRG_STATUS_OK;
}

static void describe(const jrg_online *online, struct online_state *state)
{
    const jrg_online_report *report = &online->report;
    state->online_state_samples = report->samples;
    state->online_state_correct = report->correct;
    state->online_state_recent = report->recent;
    state->online_state_known = report->known;
    state->online_state_opened = report->opened;
    state->online_state_opened_at = report->opened_at;
    state->online_state_opened_label = report->opened_label;
    state->online_state_drifts = report->drifts;
    state->online_state_drift_at = report->drift_at;
    state->online_state_mean_loss = (uint32_t)online->drift.mean;
    state->online_state_excess = (uint32_t)online->drift.excess;
}

static struct response_r state_of(const jrg_node *node, uint32_t id)
{
    struct response_r response = {
        .response_choice = response_online_state_m_c,
        .response_online_state_m = {.online_state_id = id},
    };
    if (node->has_learner)
        describe(jrg_online_model_state(), &response.response_online_state_m);
    return response;
}

/* L4.5 holds for these jobs too. */
void jrg_node_begin_online(jrg_node *node, const struct online_begin *request)
{
    if (!jrg_node_knows_job(node, request->online_begin_job)) {
        const jrg_status status = begin_learner(node, request);
        if (status != JRG_STATUS_OK) {
            jrg_node_answer_status(node, request->online_begin_id, status, 0);
            return;
        }
        jrg_node_note_job(node, request->online_begin_job, JRG_JOB_KIND_ONLINE, request->online_begin_samples, 0);
    }
    node->job.sample_bytes = 0;
    node->job.complained = false;
    jrg_node_answer_job(node, request->online_begin_id, request->online_begin_job);
}

void jrg_node_answer_online(jrg_node *node, uint32_t id)
{
    const struct response_r response = state_of(node, id);
    jrg_node_answer(node, &response);
}

static void tell_state(jrg_node *node)
{
    const struct response_r event = state_of(node, JRG_NODE_NO_REQUEST);
    jrg_node_tell(node, &event);
}

jrg_status jrg_node_learn_online(jrg_node *node, int16_t *input, uint32_t label)
{
    jrg_online_outcome outcome;
    const jrg_online_status status = jrg_online_model_learn(input, label, &outcome);
    if (status == JRG_ONLINE_WARMING_UP) /* the sample was used (O3.1) */
        return JRG_STATUS_OK;
    if (status != JRG_ONLINE_OK)
        return status_of(status);
    node->job.correct += outcome.correct;
    node->job.loss_sum += outcome.loss;
    const bool due = jrg_online_model_state()->report.samples % JRG_COUNT_PROGRESS_SAMPLES == 0;
    if (due || outcome.opened || outcome.drift)
        tell_state(node);
    return JRG_STATUS_OK;
}
#else
void jrg_node_begin_online(jrg_node *node, const struct online_begin *request)
{
    jrg_node_answer_status(node, request->online_begin_id, JRG_STATUS_UNSUPPORTED, 0);
}

void jrg_node_answer_online(jrg_node *node, uint32_t id)
{
    jrg_node_answer_status(node, id, JRG_STATUS_UNSUPPORTED, 0);
}

jrg_status jrg_node_learn_online(jrg_node *node, int16_t *input, uint32_t label)
{
    (void)node;
    (void)input;
    (void)label;
    return JRG_STATUS_UNSUPPORTED;
}
#endif
