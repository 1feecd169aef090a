#include <string.h>

#include "jrg_bytes.h"        // jrg_bytes_get_u16
#include "jrg_crc32.h"        // jrg_crc32
#include "jrg_model.h"        // jrg_model_train
#include "core/jrg_nn_rate.h" // jrg_nn_rate_is_valid
#include "jrg_node_parts.h"

enum {
    SAMPLE_HEADER_BYTES = 4,
    TARGET_BYTES = 2 * JRG_MODEL_TARGETS,
    SAMPLE_BYTES = TARGET_BYTES + 2 * JRG_MODEL_INPUTS,
};

/* int16 numbers are taken as they come. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "samples and blobs are little endian; this processor is not"
#endif

/* ---- what is told of a job ---------------------------------------------------------------------------------------- */

bool jrg_node_knows_job(const jrg_node *node, uint32_t number)
{
    return node->job.state != JRG_JOB_STATE_UNKNOWN && node->job.number == number;
}

static void describe_job(const jrg_node *node, struct job_state *state)
{
    const jrg_node_job *job = &node->job;
    state->job_state_kind = (uint32_t)job->kind;
    state->job_state_state = (uint32_t)job->state;
    state->job_state_done = job->done;
    state->job_state_correct = job->correct;
    state->job_state_loss_sum = job->loss_sum;
    state->job_state_loss_exponent = jrg_model_loss_exponent();
    state->job_state_instructions = job->instructions;
    if (job->state != JRG_JOB_STATE_RUNNING)
        state->job_state_blob_crc = jrg_crc32(0, (const uint8_t *)JRG_NODE_WORKING(node), JRG_MODEL_BLOB_BYTES);
}

/* A job the board does not know has state `unknown` and no figures. */
void jrg_node_answer_job(jrg_node *node, uint32_t id, uint32_t number)
{
    struct response_r response = {
        .response_choice = response_job_state_m_c,
        .response_job_state_m = {.job_state_id = id, .job_state_job = number},
    };
    if (jrg_node_knows_job(node, number))
        describe_job(node, &response.response_job_state_m);
    jrg_node_answer(node, &response);
}

static void tell_progress(jrg_node *node)
{
    const jrg_node_job *job = &node->job;
    struct response_r event = {
        .response_choice = response_progress_m_c,
        .response_progress_m =
            {
                .progress_job = job->number,
                .progress_done = job->done,
                .progress_samples = job->samples,
                .progress_correct = job->correct,
                .progress_loss_sum = job->loss_sum,
                .progress_loss_exponent = jrg_model_loss_exponent(),
            },
    };
    jrg_node_tell(node, &event);
}

/* ---- begin and end ------------------------------------------------------------------------------------------------ */

/* L4.12. */
jrg_status jrg_node_check_base(const jrg_node *node, const struct zcbor_string *base)
{
    if (base->len == 0)
        return node->bound ? JRG_STATUS_OK : JRG_STATUS_NOT_BOUND;
    if (base->len != JRG_LIMIT_HASH_BYTES)
        return JRG_STATUS_MALFORMED;
    return jrg_node_holds(node, base->value) ? JRG_STATUS_OK : JRG_STATUS_NO_BLOB;
}

static jrg_nn_rate rate_of(const struct job_begin *request)
{
    return (jrg_nn_rate){
        .mantissa = (uint16_t)request->job_begin_rate_mantissa,
        .exponent = (uint8_t)request->job_begin_rate_exponent,
    };
}

/* Kinds of jobs that have a rate and change the weights; a job of kind online begins by itself (L4.11). */
static bool takes_steps(uint32_t kind)
{
    return kind == JRG_JOB_KIND_TRAIN || kind == JRG_JOB_KIND_TRAIN_ENROLLED;
}

/* L4.4: how the samples of the job are learnt. */
static jrg_status set_training(const struct job_begin *request)
{
    jrg_status status = jrg_node_status_of(jrg_model_set_rate(rate_of(request)));
    if (status == JRG_STATUS_OK)
        status = jrg_node_status_of(jrg_model_set_accumulation(request->job_begin_batch));
    if (status == JRG_STATUS_OK) {
        jrg_model_set_clip(request->job_begin_clip);
        jrg_model_set_loss_threshold(request->job_begin_loss_threshold);
    }
    return status;
}

/* What set_training would refuse. */
static jrg_status check_training(const struct job_begin *request)
{
    const bool has_sums = (jrg_model.operators & JRG_MODEL_OPERATOR_ACCUMULATION) != 0u;
    if (!jrg_nn_rate_is_valid(rate_of(request)))
        return JRG_STATUS_BAD_RATE;
    return request->job_begin_batch == 0u || (request->job_begin_batch > 1u && !has_sums) ? JRG_STATUS_UNSUPPORTED
                                                                                          : JRG_STATUS_OK;
}

static jrg_status check_job(const jrg_node *node, const struct job_begin *request)
{
    if (request->job_begin_kind > JRG_JOB_KIND_TRAIN_ENROLLED || request->job_begin_kind == JRG_JOB_KIND_ONLINE)
        return JRG_STATUS_UNSUPPORTED;
    jrg_status status = jrg_node_check_base(node, &request->job_begin_base);
    if (status == JRG_STATUS_OK && takes_steps(request->job_begin_kind))
        status = check_training(request);
    if (status == JRG_STATUS_OK && jrg_node_uses_prototypes(request))
        status = jrg_node_check_prototypes(request);
    return status;
}

/* L4.3: a job begins with a fresh copy of the staged blob, or goes on with what there is. */
jrg_status jrg_node_prepare_job(jrg_node *node, const struct zcbor_string *base)
{
    if (base->len == 0)
        return JRG_STATUS_OK;
    node->has_learner = false;
#if JRG_NODE_BUFFERS == 2
    memcpy(node->working, node->staged.blob, JRG_MODEL_BLOB_BYTES);
#endif
    const jrg_status status = jrg_node_status_of(jrg_model_bind(JRG_NODE_WORKING(node)));
    node->bound = status == JRG_STATUS_OK;
    return status;
}

/* L4.12: whatever can be refused is looked at before anything is changed. */
static jrg_status begin_job(jrg_node *node, const struct job_begin *request)
{
    const bool trains = takes_steps(request->job_begin_kind);
    jrg_status status = check_job(node, request);
    if (status == JRG_STATUS_OK)
        status = jrg_node_prepare_job(node, &request->job_begin_base);
    if (status == JRG_STATUS_OK && trains)
        status = set_training(request);
    if (status == JRG_STATUS_OK && jrg_node_uses_prototypes(request))
        status = jrg_node_prepare_prototypes(request);
    if (status == JRG_STATUS_OK && trains) {
        jrg_node_use_up_staged(node);
        node->has_learner = false;
    }
    return status;
}

void jrg_node_note_job(jrg_node *node, uint32_t number, jrg_job_kind kind, uint32_t samples, uint32_t seed)
{
    jrg_model_set_seed(seed);
    node->update.running = false;
    node->prediction.left = 0;
    node->job.number = number;
    node->job.kind = kind;
    node->job.state = samples == 0 ? JRG_JOB_STATE_DONE : JRG_JOB_STATE_RUNNING;
    node->job.samples = samples;
    node->job.sample_bytes = 0;
    node->job.complained = false;
    node->job.prototypes = false;
    node->job.done = 0;
    node->job.correct = 0;
    node->job.loss_sum = 0;
    node->job.instructions = 0;
}

/* L4.5: a job begun again is answered, not trained again; of the sample on its way the host sends all bytes again. */
void jrg_node_begin_job(jrg_node *node, const struct job_begin *request)
{
    if (!jrg_node_knows_job(node, request->job_begin_job)) {
        jrg_status status = begin_job(node, request);
        if (status != JRG_STATUS_OK) {
            jrg_node_answer_status(node, request->job_begin_id, status, 0);
            return;
        }
        jrg_node_note_job(node, request->job_begin_job, (jrg_job_kind)request->job_begin_kind,
                          request->job_begin_samples, request->job_begin_seed);
        node->job.prototypes = jrg_node_uses_prototypes(request);
    }
    node->job.sample_bytes = 0;
    node->job.complained = false;
    jrg_node_answer_job(node, request->job_begin_id, request->job_begin_job);
}

void jrg_node_end_job(jrg_node *node, const struct job_end *request)
{
    jrg_node_answer_job(node, request->job_end_id, request->job_end_job);
}

void jrg_node_cancel_job(jrg_node *node, const struct cancel *request)
{
    if (jrg_node_knows_job(node, request->cancel_job) && node->job.state == JRG_JOB_STATE_RUNNING)
        node->job.state = JRG_JOB_STATE_CANCELLED;
    jrg_node_answer_job(node, request->cancel_id, request->cancel_job);
}

/* ---- samples ------------------------------------------------------------------------------------------------------ */

/* L4.4: a sample comes in as its target, then its inputs; these go where the engine computes on them. */
static void keep_bytes(jrg_node_job *job, const uint8_t *data, uint32_t len_bytes)
{
    uint32_t at = job->sample_bytes;
    uint32_t of_target = at >= TARGET_BYTES ? 0 : TARGET_BYTES - at;
    if (of_target > len_bytes)
        of_target = len_bytes;
    memcpy((uint8_t *)job->target + at, data, of_target);
    if (len_bytes > of_target)
        memcpy((uint8_t *)jrg_model_input() + (at + of_target - TARGET_BYTES), data + of_target, len_bytes - of_target);
    job->sample_bytes += len_bytes;
}

static void note_instructions(jrg_node_job *job, uint32_t instructions)
{
    if (job->instructions == 0 || instructions < job->instructions)
        job->instructions = instructions;
}

static jrg_status learn_or_evaluate(jrg_node *node)
{
    jrg_node_job *job = &node->job;
    jrg_nn_result result = {0};
    jrg_nn_status (*work)(const int16_t *, const int16_t *, jrg_nn_result *) =
        job->kind == JRG_JOB_KIND_TRAIN ? jrg_model_train : jrg_model_evaluate;
    node->board.count_start();
    const jrg_nn_status status = work(jrg_model_input(), job->target, &result);
    note_instructions(job, node->board.count_stop());
    job->correct += result.correct;
    job->loss_sum += result.loss;
    return jrg_node_status_of(status);
}

/* The next outputs of the prediction that is being told, as many as one message holds. */
static void tell_outputs(jrg_node *node)
{
    jrg_node_prediction *told = &node->prediction;
    struct response_r response = {.response_choice = response_prediction_m_c};
    struct prediction *message = &response.response_prediction_m;
    const uint32_t offset = JRG_MODEL_OUTPUTS - told->left;
    const uint32_t count = told->left < JRG_LIMIT_PREDICTION_OUTPUTS ? told->left : JRG_LIMIT_PREDICTION_OUTPUTS;
    message->prediction_job = node->job.number;
    message->prediction_index = told->index;
    message->prediction_offset = offset;
    message->prediction_outputs_int_count = count;
    for (uint32_t i = 0; i < count; i++)
        message->prediction_outputs_int[i] = told->outputs[offset + i];
    told->left -= count;
    jrg_node_answer(node, &response);
}

/* L4.6, L4.10. */
void jrg_node_tell_prediction(jrg_node *node)
{
    while (node->prediction.left > 0 && jrg_link_room(&node->link) > 0)
        tell_outputs(node);
}

static jrg_status infer(jrg_node *node)
{
    node->board.count_start();
    const jrg_nn_status status = jrg_model_forward(jrg_model_input(), node->prediction.outputs);
    note_instructions(&node->job, node->board.count_stop());
    if (status != JRG_NN_OK)
        return jrg_node_status_of(status);
    node->prediction.index = node->job.done;
    node->prediction.left = JRG_MODEL_OUTPUTS;
    jrg_node_tell_prediction(node);
    return JRG_STATUS_OK;
}

/* The samples since the last step are a step too (A11.5). */
static jrg_status finish_job(jrg_node_job *job)
{
    job->state = JRG_JOB_STATE_DONE;
    return job->kind == JRG_JOB_KIND_TRAIN ? jrg_node_status_of(jrg_model_apply()) : JRG_STATUS_OK;
}

static jrg_status learn_online(jrg_node *node)
{
    node->board.count_start();
    const jrg_status status = jrg_node_learn_online(node, jrg_model_input(), (uint32_t)node->job.target[0]);
    note_instructions(&node->job, node->board.count_stop());
    return status;
}

static jrg_status compare(jrg_node *node)
{
    node->board.count_start();
    const jrg_status status = jrg_node_work_with_prototypes(node, jrg_model_input());
    note_instructions(&node->job, node->board.count_stop());
    return status;
}

static jrg_status work_on_sample(jrg_node *node)
{
    if (node->job.prototypes)
        return compare(node);
    if (node->job.kind == JRG_JOB_KIND_INFER)
        return infer(node);
    return node->job.kind == JRG_JOB_KIND_ONLINE ? learn_online(node) : learn_or_evaluate(node);
}

/* K6, K9. */
static void note_news(jrg_node *node)
{
    const jrg_job_kind kind = node->job.kind;
    const bool trains = takes_steps(kind) || kind == JRG_JOB_KIND_ONLINE;
    node->has_news = node->has_news || trains || kind == JRG_JOB_KIND_ENROL;
    node->trained += trains;
}

/* The sample is used, and dropped with the bytes of the next (L4.4). */
static jrg_status use_sample(jrg_node *node)
{
    jrg_node_job *job = &node->job;
    jrg_status status = work_on_sample(node);
    if (status != JRG_STATUS_OK)
        return status;
    job->done++;
    if (job->done == job->samples) {
        status = finish_job(job);
        note_news(node);
    }
    if (job->done % JRG_COUNT_PROGRESS_SAMPLES == 0 || job->state == JRG_JOB_STATE_DONE)
        tell_progress(node);
    return status;
}

static void complain(jrg_node *node, jrg_status code)
{
    if (node->job.complained)
        return;
    node->job.complained = true;
    jrg_node_answer_status(node, JRG_NODE_NO_REQUEST, code, node->job.done);
}

static jrg_status check_sample(const jrg_node_job *job, const uint8_t *payload, uint16_t len_bytes)
{
    if (len_bytes < SAMPLE_HEADER_BYTES)
        return JRG_STATUS_MALFORMED;
    if (job->state != JRG_JOB_STATE_RUNNING)
        return JRG_STATUS_NO_JOB;
    bool expected = jrg_bytes_get_u16(payload) == (uint16_t)job->done &&
                    jrg_bytes_get_u16(payload + 2) == (uint16_t)job->sample_bytes;
    bool fits = job->sample_bytes + len_bytes - SAMPLE_HEADER_BYTES <= SAMPLE_BYTES;
    return expected && fits ? JRG_STATUS_OK : JRG_STATUS_BAD_SAMPLE;
}

/* A class label is an index into the outputs, or into the prototypes, and must be one. */
static bool has_target(const jrg_node_job *job)
{
    if (!jrg_model.classifier || job->kind == JRG_JOB_KIND_INFER || job->kind == JRG_JOB_KIND_RECOGNISE)
        return true;
    int32_t label = job->target[0];
    return label >= 0 && label < (int32_t)jrg_node_classes(job);
}

void jrg_node_take_sample(jrg_node *node, const uint8_t *payload, uint16_t len_bytes)
{
    jrg_node_job *job = &node->job;
    jrg_status status = check_sample(job, payload, len_bytes);
    if (status != JRG_STATUS_OK) {
        complain(node, status);
        return;
    }
    keep_bytes(job, payload + SAMPLE_HEADER_BYTES, len_bytes - SAMPLE_HEADER_BYTES);
    if (job->sample_bytes < SAMPLE_BYTES)
        return;
    job->sample_bytes = 0;
    status = has_target(job) ? use_sample(node) : JRG_STATUS_BAD_SAMPLE;
    if (status == JRG_STATUS_OK)
        job->complained = false;
    else
        complain(node, status);
}
