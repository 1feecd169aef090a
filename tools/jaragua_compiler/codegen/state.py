"""C of what a model keeps: its description, the tables its blobs are checked with, and its static memory."""

from __future__ import annotations

from jaragua_compiler.codegen import accumulation
from jaragua_compiler.codegen.names import boolean, buffer
from jaragua_compiler.graph.layers import WeightFormat
from jaragua_compiler.planning.memory import Place
from jaragua_compiler.planning.operators import DensePlan, WeightedPlan
from jaragua_compiler.planning.plan import SUM_BYTES, Plan
from jaragua_compiler.quantisation.exponents import blob_rules

# Buffers are named after what they hold (memory.py): the C type of a name's first letters.
_TYPES = {
    "x": "int16_t",
    "patch": "int16_t",
    "column": "int16_t",
    "e": "int16_t",
    "g": "int32_t",
    "h": "int32_t",
    "list": "jrg_nn_row_error",
    "down": "jrg_nn_row_error",
}

_STATE = """\
const jrg_model_info jrg_model = {{
    .name = JRG_MODEL_NAME,
    .architecture = {{{architecture}}},
    .blob_bytes = JRG_MODEL_BLOB_BYTES,
    .inputs = JRG_MODEL_INPUTS,
    .outputs = JRG_MODEL_OUTPUTS,
    .targets = JRG_MODEL_TARGETS,
    .classifier = {classifier},
    .arena_bytes = JRG_MODEL_ARENA_BYTES,
    .operators = {operators}u,
}};

static const jrg_nn_blob_layer jrg_model_blob_layers[{layers}] = {{
{blob_layers}
}};
{blob_rules}
static const jrg_nn_blob_network jrg_model_network = {{
    jrg_model_blob_layers, {rules}, {layers}u, {rule_count}u, {header_end}u,
}};

/* Activations x, errors (lists of them, int32 g, int16 e) and scratch, as the memory planner laid them out: buffers
 * whose times do not meet share bytes. */
static _Alignas(8) uint8_t jrg_model_arena[{arena_bytes}];
{buffers}
{rows}
_Static_assert(sizeof(void *) != 4u || sizeof jrg_model_arena + {more_bytes} == JRG_MODEL_ARENA_BYTES,
               "the plan counts these bytes");

static uint8_t *jrg_model_blob;
static jrg_nn_exponents jrg_model_exponents[{layers}];
static jrg_nn_step_rate jrg_model_rate;
static int8_t jrg_model_output_exponent;
static uint32_t jrg_model_loss_threshold;
static uint32_t jrg_model_not_clip; /* ~ of the limit: what starts as 0 takes no initial value */
{dither}{sums}"""

_ROWS = """\
/* A layer's active rows take the place of the errors they come from, where they are as long. */
#if UINTPTR_MAX == UINT32_MAX
#define JRG_MODEL_ROWS(errors) ((jrg_nn_active_row *)(void *)(errors))
#else
static jrg_nn_active_row jrg_model_rows[{entries}];
#define JRG_MODEL_ROWS(errors) jrg_model_rows
#endif
"""

_ROWS_W8 = """\
static jrg_nn_active_row_w8 jrg_model_rows_w8[{entries}];
"""

_DITHER = """\
static uint32_t jrg_model_dither_next; /* A8.5: the seed and what n steps add to it */
static uint32_t jrg_model_dither_step; /* the key of this step */
"""

_RULES = """\
static const jrg_nn_blob_rule jrg_model_blob_rules[{count}] = {{
{rules}
}};
"""


def state_code(plan: Plan) -> str:
    """Everything static of a model."""
    rules = blob_rules(plan)
    lines = "\n".join(f"    {{{high}u, {low}u, {least}, {most}}}," for high, low, least, most in rules)
    return _STATE.format(
        architecture=", ".join(f"0x{byte:02x}" for byte in plan.architecture),
        classifier=boolean(plan.network.classifier),
        operators=plan.operators,
        layers=len(plan.layers),
        blob_layers="\n".join(_blob_layer(plan, layer) for layer in plan.layers),
        blob_rules=_RULES.format(count=len(rules), rules=lines) if rules else "",
        rules="jrg_model_blob_rules" if rules else "NULL",
        rule_count=len(rules),
        header_end=plan.exponents_offset + 2 * len(plan.layers) + 1 + len(plan.scales.extra),
        arena_bytes=plan.memory.bytes,
        buffers="\n".join(_buffer(place) for place in plan.memory.places),
        rows=_rows(plan),
        more_bytes=" + ".join(_variables_beside_the_arena(plan)),
        dither=_DITHER if plan.dithered else "",
        sums=accumulation.STATE.format(sums=plan.sums) if plan.accumulate else "",
    )


def _rows(plan: Plan) -> str:
    lists: tuple[tuple[WeightFormat, str], ...] = (("w16", _ROWS), ("w8", _ROWS_W8))
    return "".join(
        text.format(entries=plan.active_elements(name)) for name, text in lists if plan.active_elements(name)
    )


def _variables_beside_the_arena(plan: Plan) -> list[str]:
    rows = ["sizeof jrg_model_rows_w8"] if plan.active_elements("w8") else []
    return [*rows, f"{SUM_BYTES * plan.sums}u"]


def _blob_layer(plan: Plan, layer: WeightedPlan) -> str:
    source = plan.slot_offset(plan.scales.slots[layer.input_tensor])
    output = plan.slot_offset(plan.scales.slots[layer.output_tensor])
    offsets = f"{layer.weights_offset}u, {layer.biases_offset}u, {layer.inputs}u, {layer.trained_rows}u"
    kind = boolean(isinstance(layer, DensePlan) and layer.trained_rows > 0)
    channels = f", {layer.channels_offset if layer.per_channel else 0}u" if plan.per_channel else ""
    constants = f"&jrg_model_frozen{layer.index}" if layer.frozen_rows else "NULL"
    frozen = f", {constants}" if plan.network.frozen else ""
    return f"    {{{offsets}, {source}u, {output}u, {layer.input_width}u, {kind}{channels}{frozen}}},"


def _buffer(place: Place) -> str:
    name = place.buffer.name
    kind = _TYPES[name.rstrip("0123456789_")]
    return f"static {kind} *const {buffer(name)} = ({kind} *)(void *)(jrg_model_arena + {place.offset}u);"
