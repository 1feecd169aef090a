"""C of the sums of an image whose steps take several samples (A11), and of what an image without them says to that."""

from __future__ import annotations

from jaragua_compiler.codegen.backward import WayBack, backward_calls
from jaragua_compiler.codegen.names import bias_sums, biases, dither_key, sums, weights
from jaragua_compiler.planning.operators import DensePlan, WeightedPlan
from jaragua_compiler.planning.plan import Plan

NEXT_DITHER = """\
jrg_model_dither_step = jrg_nn_mix32(jrg_model_dither_next);
    jrg_model_dither_next += JRG_NN_DITHER_GOLDEN;
    """

# A11.2: of each of several samples of a step.
_SAMPLE_DITHER = """\
jrg_model_dither_step = jrg_nn_mix32(jrg_nn_mix32(jrg_model_dither_next));
    """

_NESTED = "    "  # one level deeper than a step's own function

STATE = """\
/* Sums of steps, and how many samples are in them, of how many (A11.1). */
static int32_t jrg_model_sums[{sums}];
static uint32_t jrg_model_summed;
static uint32_t jrg_model_batch = 1u;
"""

DROP = """\
static void jrg_model_drop_sums(void)
{
    if (jrg_model_summed != 0u) {
        memset(jrg_model_sums, 0, sizeof jrg_model_sums);
        jrg_model_summed = 0u;
    }
}
"""

TRAIN_SAMPLE = """\
static jrg_nn_status jrg_model_sum(const int16_t *x, const int16_t *target, jrg_nn_result *result)
{{
    {dither}jrg_model_infer(x);
{calls}
    jrg_model_summed++;
    return jrg_model_summed == jrg_model_batch ? jrg_model_apply() : JRG_NN_OK;
}}
"""

SWITCH = """\
if (jrg_model_batch > 1u) {
        return jrg_model_sum(x, target, result);
    }
    """

_WITH_SUMS = """\
jrg_nn_status jrg_model_set_accumulation(uint32_t samples)
{{
    if (samples == 0u || samples > JRG_NN_LARGEST_BATCH) {{
        return JRG_NN_BAD_BATCH;
    }}
    jrg_model_drop_sums();
    jrg_model_batch = samples;
    return JRG_NN_OK;
}}

jrg_nn_status jrg_model_apply(void)
{{
    if (jrg_model_blob == NULL) {{
        return JRG_NN_NOT_BOUND;
    }}
    if (jrg_model_summed != 0u) {{
        const int32_t factor = jrg_nn_mean_factor(jrg_model_summed);
        {next_dither}jrg_model_summed = 0u;
{calls}
    }}
    return JRG_NN_OK;
}}
"""

_APPLY_STEP = """\
static void jrg_model_step{step}_apply(int32_t factor)
{{
{calls}
}}
"""

_WITHOUT_SUMS = """\
jrg_nn_status jrg_model_set_accumulation(uint32_t samples)
{
    return samples == 1u ? JRG_NN_OK : JRG_NN_BAD_BATCH;
}

jrg_nn_status jrg_model_apply(void)
{
    return jrg_model_blob == NULL ? JRG_NN_NOT_BOUND : JRG_NN_OK;
}
"""


def accumulation_code(plan: Plan) -> str:
    """The two functions of the interface."""
    if not plan.accumulate:
        return _WITHOUT_SUMS
    calls = "\n".join(f"        jrg_model_step{layer.step}_apply(factor);" for layer in plan.layers if layer.trains)
    return _WITH_SUMS.format(next_dither=NEXT_DITHER + _NESTED if plan.dithered else "", calls=calls)


def apply_functions(plan: Plan) -> list[str]:
    """A11.5 of every layer that learns, one function each; none if there are no sums."""
    if not plan.accumulate:
        return []
    return [
        _APPLY_STEP.format(step=layer.step, calls=_apply_calls(plan, layer)) for layer in plan.layers if layer.trains
    ]


def train_sample_code(plan: Plan) -> str:
    """The function that learns one sample of several."""
    calls = backward_calls(plan, WayBack(verb="sum"))
    return TRAIN_SAMPLE.format(dither=sample_dither(plan), calls="\n".join(calls))


def sample_dither(plan: Plan) -> str:
    """The statement that draws for one of several samples of a step (A11.2), "" if no layer needs it."""
    return _SAMPLE_DITHER if any(_dithers_samples(layer) for layer in plan.layers) else ""


def _dithers_samples(layer: WeightedPlan) -> bool:
    """True for dense int16 weights, whose row factors draw with every sample (A11.2)."""
    return isinstance(layer, DensePlan) and layer.trains and not layer.per_channel


def _apply_calls(plan: Plan, layer: WeightedPlan) -> str:
    """A11.5 of one layer."""
    summed, shape = sums(plan, layer), f"{layer.trained_rows}u, {layer.inputs}u"
    if layer.per_channel:
        own = f"jrg_nn_apply_weights_w8({weights(layer)}, {summed}, {shape}, factor,\n"
        own += f"                            {dither_key(layer)});"
    else:
        dense = isinstance(layer, DensePlan)
        kernel = "jrg_nn_apply_weights" if dense else "jrg_nn_apply_conv_weights"
        rows, columns = layer.trained_rows, layer.row_elements
        count = f"{rows * columns}u" if dense else f"{rows}u, {columns}u"
        unit = f"{layer.input_width + 1}u, " if dense else ""
        last = f"\n{' ' * (len(kernel) + 5)}{unit}{dither_key(layer)}"
        own = f"{kernel}({weights(layer)}, {summed}, {count}, factor,{last});"
    shared = f"jrg_nn_apply_biases({biases(layer)}, {bias_sums(plan, layer)}, {layer.trained_rows}u, factor);"
    return f"    {own}\n    {shared}"
