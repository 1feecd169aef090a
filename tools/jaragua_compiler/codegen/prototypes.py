"""C of an image that recognises classes by prototypes (A12): their memory, and training with them as last layer."""

from __future__ import annotations

from jaragua_compiler.codegen import weighted
from jaragua_compiler.codegen.accumulation import NEXT_DITHER, sample_dither
from jaragua_compiler.codegen.backward import WayBack, backward_calls, error_target
from jaragua_compiler.codegen.names import call, function, tensor
from jaragua_compiler.planning.plan import Plan

INCLUDES = (("prototypes/jrg_nn_prototypes.h", "jrg_nn_enrol"),)

CONFIG = """
/* Prototypes (A12): the classes there is room for, and the numbers of a prototype. */
#define JRG_MODEL_PROTOTYPES {classes}u
#define JRG_MODEL_FEATURES {features}u
{gradients}"""

_GRADIENTS_CONFIG = """\
#define JRG_MODEL_PROTOTYPE_GRADIENTS 1 /* enrolled samples can teach (A12.9) */
"""

_STATE = """\
/* Prototypes (A12), and scratch of their logits and errors. */
static struct {{
    int32_t sums[JRG_MODEL_PROTOTYPES * JRG_MODEL_FEATURES];
    uint32_t factors[JRG_MODEL_PROTOTYPES];
    uint16_t counts[JRG_MODEL_PROTOTYPES];
}} jrg_model_enrolment;
{gradients}static uint64_t jrg_model_distances[JRG_MODEL_PROTOTYPES];
static int16_t jrg_model_prototype_logits[JRG_MODEL_PROTOTYPES];
static jrg_nn_row_error jrg_model_prototype_errors[JRG_MODEL_PROTOTYPES];
static jrg_nn_rate jrg_model_temperature;
static uint16_t jrg_model_stricter; /* the threshold of A12.8 is 2^15 less this */
static uint32_t jrg_model_nearest; /* the class recognised by the last call that made logits */
static const jrg_nn_prototypes jrg_model_prototypes = {{
    jrg_model_enrolment.sums, {gradient_pointer}, jrg_model_enrolment.factors, jrg_model_enrolment.counts,
    JRG_MODEL_PROTOTYPES, JRG_MODEL_FEATURES, {width}u,
}};
"""

_GRADIENTS_STATE = """\
static int32_t jrg_model_gradients[JRG_MODEL_PROTOTYPES * JRG_MODEL_FEATURES]; /* A12.9 */
"""

BACKWARD_FUNCTION = "jrg_model_prototypes_backward"
_BACKWARD = call(
    "jrg_nn_prototype_backward",
    "&jrg_model_prototypes, jrg_model_prototype_errors, error, {x},",
    "{input_rectified}, jrg_model_temperature,",
    "jrg_model_exponents[{index}].input_exponent, {down}",
    result="jrg_nn_error below = ",
)
_ADD_TO_GRADIENTS = call(
    "jrg_nn_add_to_gradients", "&jrg_model_prototypes, jrg_model_prototype_errors, error.count, {x}"
)

ENROLLED_FUNCTION = "jrg_model_enrolled_backward"
_ENROLLED_BACKWARD = call(
    "jrg_nn_prototype_enrolled_backward",
    "&jrg_model_prototypes, jrg_model_prototype_errors[error.count - 1u].row, {x},",
    "{input_rectified}, jrg_model_temperature,",
    "jrg_model_exponents[{index}].input_exponent, {down}",
    result="jrg_nn_error below = ",
)

_TRAIN_ENROLLED = """
/* The class that has the gradient stands in the list of errors, as its only entry. */
static jrg_nn_error jrg_model_enrolled_class(uint32_t label)
{{
    jrg_model_prototype_errors[0] = (jrg_nn_row_error){{.row = label}};
    return (jrg_nn_error){{.count = 1u, .magnitude = 1u}};
}}

jrg_nn_status jrg_model_train_enrolled(const int16_t *x, uint32_t label)
{{
    if (jrg_model_blob == NULL) {{
        return JRG_NN_NOT_BOUND;
    }}
    if (label >= JRG_MODEL_PROTOTYPES) {{
        return JRG_NN_BAD_CLASS;
    }}
    if (jrg_model_enrolment.counts[label] == 0u) {{
        return JRG_NN_NO_PROTOTYPE;
    }}
    if (jrg_model_rate.mantissa == 0u || jrg_model_temperature.mantissa == 0u) {{
        return JRG_NN_NO_RATE;
    }}
    jrg_model_embed(x);
    {next_dither}{calls}
    return JRG_NN_OK;
}}
"""

_INTERFACE = """
jrg_nn_status jrg_model_enrol(const int16_t *x, uint32_t label)
{{
    if (jrg_model_blob == NULL) {{
        return JRG_NN_NOT_BOUND;
    }}
    if (label >= JRG_MODEL_PROTOTYPES) {{
        return JRG_NN_BAD_CLASS;
    }}
    jrg_model_embed(x);
    return jrg_nn_enrol(&jrg_model_prototypes, label, {x});
}}

jrg_nn_status jrg_model_forget(uint32_t label)
{{
    if (label >= JRG_MODEL_PROTOTYPES) {{
        return JRG_NN_BAD_CLASS;
    }}
    jrg_nn_forget(&jrg_model_prototypes, label);
    return JRG_NN_OK;
}}

void jrg_model_forget_all(void)
{{
    for (uint32_t label = 0; label < JRG_MODEL_PROTOTYPES; label++) {{
        jrg_nn_forget(&jrg_model_prototypes, label);
    }}
}}

void *jrg_model_enrolled_classes(uint32_t *len_bytes)
{{
    *len_bytes = (uint32_t)sizeof jrg_model_enrolment;
    return &jrg_model_enrolment;
}}

uint32_t jrg_model_enrolled(uint32_t label)
{{
    return label < JRG_MODEL_PROTOTYPES ? jrg_model_enrolment.counts[label] : 0u;
}}

jrg_nn_status jrg_model_prototype(uint32_t label, int16_t *numbers)
{{
    if (label >= JRG_MODEL_PROTOTYPES) {{
        return JRG_NN_BAD_CLASS;
    }}
    if (jrg_model_enrolment.counts[label] == 0u) {{
        return JRG_NN_NO_PROTOTYPE;
    }}
    for (uint32_t i = 0; i < JRG_MODEL_FEATURES; i++) {{
        numbers[i] = (int16_t)jrg_nn_prototype_number(jrg_model_enrolment.sums[label * JRG_MODEL_FEATURES + i],
                                                      jrg_model_enrolment.factors[label], {width}u);
    }}
    return JRG_NN_OK;
}}

static bool jrg_model_compare(jrg_nn_match *match)
{{
    return jrg_nn_prototype_distances(&jrg_model_prototypes, {x}, jrg_model_distances, match);
}}

jrg_nn_status jrg_model_recognise(const int16_t *x, jrg_nn_match *match)
{{
    jrg_nn_match found = {{0}};
    if (jrg_model_blob == NULL) {{
        return JRG_NN_NOT_BOUND;
    }}
    jrg_model_embed(x);
    if (!jrg_model_compare(&found)) {{
        return JRG_NN_NO_PROTOTYPE;
    }}
    jrg_nn_accept(&jrg_model_prototypes, jrg_model_distances, (uint16_t)(JRG_NN_RELATIVE_ONE - jrg_model_stricter),
                  &found);
    *match = found;
    return JRG_NN_OK;
}}

void jrg_model_set_rejection(uint16_t threshold)
{{
    jrg_model_stricter = threshold < JRG_NN_RELATIVE_ONE ? (uint16_t)(JRG_NN_RELATIVE_ONE - threshold) : 0u;
}}

jrg_nn_status jrg_model_set_temperature(jrg_nn_rate temperature)
{{
    if (!jrg_nn_rate_is_valid(temperature)) {{
        return JRG_NN_BAD_RATE;
    }}
    jrg_model_temperature = temperature;
    return JRG_NN_OK;
}}

/* What a call needs before the prototypes can be its last layer; the logits are then those of x. */
static jrg_nn_status jrg_model_prototype_outputs(const int16_t *x)
{{
    jrg_nn_match match = {{0}};
    if (jrg_model_blob == NULL) {{
        return JRG_NN_NOT_BOUND;
    }}
    if (jrg_model_temperature.mantissa == 0u) {{ /* no temperature of A12.4 has that */
        return JRG_NN_NO_RATE;
    }}
    jrg_model_embed(x);
    if (!jrg_model_compare(&match)) {{
        return JRG_NN_NO_PROTOTYPE;
    }}
    jrg_model_nearest = match.label;
    jrg_nn_prototype_logits(&jrg_model_prototypes, jrg_model_distances, match.distance, jrg_model_temperature,
                            jrg_model_exponents[{index}].input_exponent + {width_up}, jrg_model_prototype_logits);
    return JRG_NN_OK;
}}

/* A label without a prototype teaches nothing, as one that is no class (A12.6). */
static jrg_nn_error jrg_model_prototype_loss(const int16_t *target, jrg_nn_result *result)
{{
    const bool known = target[0] >= 0 && jrg_model_enrolled((uint32_t)target[0]) != 0u;
    const int16_t label = known ? target[0] : (int16_t)-1;
    const jrg_nn_error error = jrg_nn_softmax_error(jrg_model_prototype_logits, JRG_MODEL_PROTOTYPES, label,
                                                    jrg_model_prototype_errors, result);
    result->correct = known && (uint32_t)target[0] == jrg_model_nearest;
    if (result->loss < jrg_model_loss_threshold) {{
        return (jrg_nn_error){{0}};
    }}
    const uint32_t clip = ~jrg_model_not_clip;
    return error.magnitude < clip ? error : jrg_nn_clip_error(jrg_model_prototype_errors, error, clip);
}}

jrg_nn_status jrg_model_evaluate_prototypes(const int16_t *x, const int16_t *target, jrg_nn_result *result)
{{
    const jrg_nn_status status = jrg_model_prototype_outputs(x);
    if (status == JRG_NN_OK) {{
        (void)jrg_model_prototype_loss(target, result);
    }}
    return status;
}}
{summed}
jrg_nn_status jrg_model_train_prototypes(const int16_t *x, const int16_t *target, jrg_nn_result *result)
{{
    if (jrg_model_blob != NULL && jrg_model_rate.mantissa == 0) {{
        return JRG_NN_NO_RATE;
    }}
    const jrg_nn_status status = jrg_model_prototype_outputs(x);
    if (status != JRG_NN_OK) {{
        return status;
    }}
    {switch}{next_dither}{calls}
    return JRG_NN_OK;
}}
"""

_SUMMED = """
static jrg_nn_status jrg_model_sum_prototypes(const int16_t *target, jrg_nn_result *result)
{{
    {dither}{calls}
    jrg_model_summed++;
    return jrg_model_summed == jrg_model_batch ? jrg_model_apply() : JRG_NN_OK;
}}
"""

_SWITCH = """\
if (jrg_model_batch > 1u) {
        return jrg_model_sum_prototypes(target, result);
    }
    """


def state(plan: Plan) -> str:
    """The memory of the prototypes."""
    head = plan.prototype_head
    return _STATE.format(
        width=head.input_width,
        gradients=_GRADIENTS_STATE if plan.prototype_gradients else "",
        gradient_pointer="jrg_model_gradients" if plan.prototype_gradients else "NULL",
    )


def config(plan: Plan) -> str:
    """The numbers that size it."""
    gradients = _GRADIENTS_CONFIG if plan.prototype_gradients else ""
    return CONFIG.format(classes=plan.prototypes, features=plan.prototype_head.inputs, gradients=gradients)


def backward_code(plan: Plan) -> str:
    """The functions that give the error of the features (A12.5, A12.10), if a layer below learns."""
    if not plan.prototype_head.passes_error[0]:
        return ""
    if not plan.prototype_gradients:
        return _to_features(plan, BACKWARD_FUNCTION, (_BACKWARD,))
    queried = _to_features(plan, BACKWARD_FUNCTION, (_ADD_TO_GRADIENTS, _BACKWARD))
    return "\n".join([queried, _to_features(plan, ENROLLED_FUNCTION, (_ENROLLED_BACKWARD,))])


def _to_features(plan: Plan, name: str, statements: tuple[str, ...]) -> str:
    head = plan.prototype_head
    fields = weighted.layer_fields(head, plan, error_target(plan, head, 0))
    lines = (*statements, *weighted.spread(head, plan), weighted.RETURN_BELOW)
    return function(f"jrg_nn_error {name}(jrg_nn_error error)", (line.format(**fields) for line in lines))


def interface(plan: Plan) -> str:
    """The calls of jrg_model.h."""
    head = plan.prototype_head
    summed = _SUMMED.format(dither=sample_dither(plan), calls=_calls(plan, "sum")) if plan.accumulate else ""
    calls = _INTERFACE.format(
        x=tensor(head.input_tensor),
        width=head.input_width,
        width_up=15 - head.input_width,
        index=head.index,
        summed=summed,
        switch=_SWITCH if plan.accumulate else "",
        next_dither=NEXT_DITHER if plan.dithered else "",
        calls=_calls(plan, "backward"),
    )
    return calls + (_train_enrolled(plan) if plan.prototype_gradients else "")


def _train_enrolled(plan: Plan) -> str:
    """The step of an enrolled sample (A12.10)."""
    way = WayBack("jrg_model_enrolled_class", "backward", ENROLLED_FUNCTION, "label")
    calls = "\n".join(backward_calls(plan, way)).strip()
    return _TRAIN_ENROLLED.format(next_dither=NEXT_DITHER if plan.dithered else "", calls=calls)


def _calls(plan: Plan, verb: str) -> str:
    """The way back from the prototypes: the last layer's part is theirs."""
    way = WayBack("jrg_model_prototype_loss", verb, BACKWARD_FUNCTION)
    return "\n".join(backward_calls(plan, way)).strip()
