"""C of a dense layer: calls of jrg_nn's kernels with constant dimensions, from which GCC makes a kernel of its own."""

from __future__ import annotations

from jaragua_compiler.plan import DensePlan

INCLUDES = (
    ("jrg_nn_dense_forward.h", "jrg_nn_dense_forward"),
    ("jrg_nn_live_rows.h", "jrg_nn_live_rows"),
    ("jrg_nn_dense_update.h", "jrg_nn_dense_update"),
    ("jrg_nn_dense_backward.h", "jrg_nn_dense_backward"),
)

_FORWARD = """\
static void jrg_model_layer{index}_forward(void)
{{
    jrg_nn_dense_forward(jrg_model_arena.x{index}, {weights}, {biases}, jrg_model_arena.x{next},
                         {inputs}u, {outputs}u, (uint32_t)jrg_model_exponents[{index}].forward_shift,
                         {output_width}u, {relu});
}}
"""

_BACKWARD = """\
static jrg_nn_error jrg_model_layer{index}_backward(jrg_nn_error error)
{{
    const jrg_nn_dense layer = {{{weights}, {biases}, {inputs}u, {outputs}u, {input_width}u, {error_width}u}};
    const uint32_t count = jrg_nn_live_rows(&layer, jrg_model_exponents[{index}], jrg_model_rate,
                                            jrg_model_arena.errors, &error, jrg_model_arena.rows);
    {learn}
}}
"""

_UPDATE = """\
jrg_nn_dense_update(&layer, jrg_model_arena.rows, count, jrg_model_arena.x{index});
    return (jrg_nn_error){{0}};"""

_UPDATE_AND_PASS_DOWN = """\
jrg_nn_error below = jrg_nn_dense_backward(&layer, jrg_model_arena.rows, count, jrg_model_arena.x{index},
                                               {input_rectified}, jrg_model_arena.errors);
    below.exponent = error.exponent + jrg_model_exponents[{index}].weight_exponent;
    return below;"""


def forward_code(layer: DensePlan) -> str:
    """The function `jrg_model_layer<index>_forward`: reads tensor x<index>, writes x<index + 1>."""
    return _FORWARD.format(**_fields(layer))


def backward_code(layer: DensePlan) -> str:
    """The function `jrg_model_layer<index>_backward`: learns, and leaves the errors of its inputs."""
    fields = _fields(layer)
    learn = _UPDATE_AND_PASS_DOWN if layer.index else _UPDATE
    return _BACKWARD.format(learn=learn.format(**fields), **fields)


def _fields(layer: DensePlan) -> dict[str, object]:
    return {
        "index": layer.index,
        "next": layer.index + 1,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "input_width": layer.input_width,
        "output_width": layer.output_width,
        "error_width": layer.error_width,
        "relu": _boolean(layer.relu),
        "input_rectified": _boolean(layer.input_rectified),
        "weights": f"(int16_t *)(void *)(jrg_model_blob + {layer.weights_offset}u)",
        "biases": f"(int32_t *)(void *)(jrg_model_blob + {layer.biases_offset}u)",
    }


def _boolean(value: bool) -> str:
    return "true" if value else "false"
