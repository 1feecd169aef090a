#include "jrg_model.h"        // jrg_model_enrol
#include "core/jrg_nn_rate.h" // jrg_nn_rate_is_valid
#include "jrg_node_parts.h"

bool jrg_node_uses_prototypes(const struct job_begin *request)
{
    const uint32_t kind = request->job_begin_kind;
    const bool may = kind == JRG_JOB_KIND_TRAIN || kind == JRG_JOB_KIND_EVALUATE;
    return kind == JRG_JOB_KIND_ENROL || kind == JRG_JOB_KIND_RECOGNISE || kind == JRG_JOB_KIND_TRAIN_ENROLLED ||
           (may && request->job_begin_temperature_mantissa != 0u);
}

#if JRG_NODE_PROTOTYPES
static jrg_nn_rate temperature_of(const struct job_begin *request)
{
    return (jrg_nn_rate){
        .mantissa = (uint16_t)request->job_begin_temperature_mantissa,
        .exponent = (uint8_t)request->job_begin_temperature_exponent,
    };
}

static bool has_temperature(const struct job_begin *request)
{
    const uint32_t kind = request->job_begin_kind;
    return kind == JRG_JOB_KIND_TRAIN || kind == JRG_JOB_KIND_EVALUATE || kind == JRG_JOB_KIND_TRAIN_ENROLLED;
}

static bool has_prototype(void)
{
    for (uint32_t label = 0; label < JRG_MODEL_PROTOTYPES; label++) {
        if (jrg_model_enrolled(label) != 0u)
            return true;
    }
    return false;
}

jrg_status jrg_node_check_prototypes(const struct job_begin *request)
{
    const bool has_gradients = (jrg_model.operators & JRG_MODEL_OPERATOR_PROTOTYPE_GRADIENTS) != 0u;
    if (request->job_begin_kind == JRG_JOB_KIND_TRAIN_ENROLLED && !has_gradients)
        return JRG_STATUS_UNSUPPORTED;
    if (has_temperature(request) && !jrg_nn_rate_is_valid(temperature_of(request)))
        return JRG_STATUS_BAD_RATE;
    return request->job_begin_kind == JRG_JOB_KIND_ENROL || has_prototype() ? JRG_STATUS_OK : JRG_STATUS_NO_PROTOTYPE;
}

jrg_status jrg_node_prepare_prototypes(const struct job_begin *request)
{
    if (request->job_begin_kind == JRG_JOB_KIND_ENROL && request->job_begin_fresh)
        jrg_model_forget_all();
    if (request->job_begin_kind == JRG_JOB_KIND_RECOGNISE)
        jrg_model_set_rejection((uint16_t)request->job_begin_rejection);
    if (!has_temperature(request))
        return JRG_STATUS_OK;
    return jrg_node_status_of(jrg_model_set_temperature(temperature_of(request)));
}

uint32_t jrg_node_classes(const jrg_node_job *job)
{
    return job->prototypes ? JRG_MODEL_PROTOTYPES : JRG_MODEL_OUTPUTS;
}

static jrg_status recognise(jrg_node *node, const int16_t *input)
{
    jrg_nn_match match = {0};
    const jrg_nn_status status = jrg_model_recognise(input, &match);
    if (status != JRG_NN_OK)
        return jrg_node_status_of(status);
    const struct response_r response = {
        .response_choice = response_recognition_m_c,
        .response_recognition_m =
            {
                .recognition_job = node->job.number,
                .recognition_index = node->job.done,
                .recognition_label = match.label,
                .recognition_distance = match.distance,
                .recognition_runner_up = match.runner_up,
                .recognition_relative = match.relative,
                .recognition_accepted = match.accepted,
            },
    };
    jrg_node_answer(node, &response);
    return JRG_STATUS_OK;
}

/* L4.13, A12.10. */
static jrg_status train_enrolled(const int16_t *input, uint32_t label)
{
#ifdef JRG_MODEL_PROTOTYPE_GRADIENTS
    if (jrg_model_enrolled(label) == 0u)
        return JRG_STATUS_BAD_SAMPLE;
    return jrg_node_status_of(jrg_model_train_enrolled(input, label));
#else
    (void)input;
    (void)label;
    return JRG_STATUS_UNSUPPORTED; /* no such job begins */
#endif
}

jrg_status jrg_node_work_with_prototypes(jrg_node *node, int16_t *input)
{
    jrg_node_job *job = &node->job;
    jrg_nn_result result = {0};
    jrg_nn_status status = JRG_NN_OK;
    if (job->kind == JRG_JOB_KIND_RECOGNISE)
        return recognise(node, input);
    if (job->kind == JRG_JOB_KIND_TRAIN_ENROLLED)
        return train_enrolled(input, (uint32_t)job->target[0]);
    if (job->kind == JRG_JOB_KIND_ENROL)
        status = jrg_model_enrol(input, (uint32_t)job->target[0]);
    else if (job->kind == JRG_JOB_KIND_TRAIN)
        status = jrg_model_train_prototypes(input, job->target, &result);
    else
        status = jrg_model_evaluate_prototypes(input, job->target, &result);
    job->correct += result.correct;
    job->loss_sum += result.loss;
    return jrg_node_status_of(status);
}

void jrg_node_forget(jrg_node *node, const struct forget *request)
{
    const jrg_nn_status status = jrg_model_forget(request->forget_label);
    node->has_news = node->has_news || status == JRG_NN_OK; /* K6 */
    jrg_node_answer_status(node, request->forget_id, jrg_node_status_of(status), JRG_MODEL_PROTOTYPES);
}

static void answer_numbers(jrg_node *node, const struct prototype_read *request, const int16_t *numbers)
{
    struct response_r response = {.response_choice = response_prototype_m_c};
    struct prototype *message = &response.response_prototype_m;
    uint32_t count = 0;
    message->prototype_id = request->prototype_read_id;
    message->prototype_samples = jrg_model_enrolled(request->prototype_read_label);
    for (uint32_t i = request->prototype_read_offset; i < JRG_MODEL_FEATURES && count < JRG_LIMIT_PREDICTION_OUTPUTS;
         i++)
        message->prototype_numbers_int[count++] = numbers[i];
    message->prototype_numbers_int_count = count;
    jrg_node_answer(node, &response);
}

void jrg_node_answer_prototype(jrg_node *node, const struct prototype_read *request)
{
    static int16_t numbers[JRG_MODEL_FEATURES]; /* too many for the stack */
    const jrg_nn_status status = jrg_model_prototype(request->prototype_read_label, numbers);
    if (status == JRG_NN_OK)
        answer_numbers(node, request, numbers);
    else
        jrg_node_answer_status(node, request->prototype_read_id, jrg_node_status_of(status), JRG_MODEL_PROTOTYPES);
}
#else
jrg_status jrg_node_check_prototypes(const struct job_begin *request)
{
    (void)request;
    return JRG_STATUS_UNSUPPORTED;
}

jrg_status jrg_node_prepare_prototypes(const struct job_begin *request)
{
    (void)request;
    return JRG_STATUS_UNSUPPORTED;
}

uint32_t jrg_node_classes(const jrg_node_job *job)
{
    (void)job;
    return JRG_MODEL_OUTPUTS;
}

jrg_status jrg_node_work_with_prototypes(jrg_node *node, int16_t *input)
{
    (void)node;
    (void)input;
    return JRG_STATUS_UNSUPPORTED;
}

void jrg_node_forget(jrg_node *node, const struct forget *request)
{
    jrg_node_answer_status(node, request->forget_id, JRG_STATUS_UNSUPPORTED, 0);
}

void jrg_node_answer_prototype(jrg_node *node, const struct prototype_read *request)
{
    jrg_node_answer_status(node, request->prototype_read_id, JRG_STATUS_UNSUPPORTED, 0);
}
#endif
