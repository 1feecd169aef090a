"""Names and small pieces of C that all emitters share."""

from __future__ import annotations

from collections.abc import Iterable

from jaragua_compiler.planning.operators import ConvolutionPlan, PoolPlan, WeightedPlan
from jaragua_compiler.planning.plan import Plan


def boolean(value: bool) -> str:
    """A C bool."""
    return "true" if value else "false"


def tensor(index: int) -> str:
    """The buffer of an activation."""
    return f"jrg_model_x{index}"


def buffer(name: str) -> str:
    """Any other buffer of the memory plan."""
    return f"jrg_model_{name}"


def call(kernel: str, *lines: str, result: str = "") -> str:
    """The statement `result kernel(lines);` of a function; further lines stand under the first argument."""
    begin = f"{result}{kernel}("
    return begin + ("\n    " + " " * len(begin)).join(lines) + ");"


def function(head: str, statements: Iterable[str]) -> str:
    """A static function; head: its result, name and parameters."""
    return f"static {head}\n{{\n    " + "\n    ".join(statements) + "\n}\n"


def weights(layer: WeightedPlan) -> str:
    """A pointer to a layer's weights, int8 or int16."""
    kind = "(int8_t *)" if layer.per_channel else "(int16_t *)(void *)"
    return f"{kind}(jrg_model_blob + {layer.weights_offset}u)"


def biases(layer: WeightedPlan) -> str:
    """A pointer to a layer's biases."""
    return f"(int32_t *)(void *)(jrg_model_blob + {layer.biases_offset}u)"


def channels(layer: WeightedPlan) -> str:
    """A pointer to the exponents of a layer's channels (A8.6)."""
    return f"(const int8_t *)(jrg_model_blob + {layer.channels_offset}u)"


def sums(plan: Plan, layer: WeightedPlan) -> str:
    """A pointer to the sums of a layer's weights (A11.1)."""
    return f"jrg_model_sums + {plan.sums_index(layer)}u"


def bias_sums(plan: Plan, layer: WeightedPlan) -> str:
    """A pointer to the sums of a layer's biases."""
    return f"jrg_model_sums + {plan.sums_index(layer) + layer.trained_rows * layer.row_elements}u"


def dither_key(layer: WeightedPlan) -> str:
    """The layer's dither in this step (A8.5)."""
    return f"jrg_nn_dither_layer(jrg_model_dither_step, {layer.index}u)"


def exponent(plan: Plan, index: int) -> str:
    """The run-time exponent of a tensor, read from the blob."""
    return f"(int8_t)jrg_model_blob[{plan.slot_offset(plan.scales.slots[index])}u]"


def conv_geometry_code(step: ConvolutionPlan | PoolPlan) -> str:
    """The jrg_nn_conv_geometry of an operator."""
    geometry = step.geometry
    (top, _), (left, _) = geometry.pads
    numbers = [*step.input_shape, *geometry.positions, *geometry.kernel, *geometry.stride, top, left]
    return "{" + ", ".join(f"{number}u" for number in numbers) + "}"
