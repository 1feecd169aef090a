"""Names and small pieces of C that all emitters share."""

from __future__ import annotations

from jaragua_compiler.planning.operators import WeightedPlan
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


def weights(layer: WeightedPlan) -> str:
    """A pointer to a layer's weights."""
    return f"(int16_t *)(void *)(jrg_model_blob + {layer.weights_offset}u)"


def weights_w8(layer: WeightedPlan) -> str:
    """A pointer to a layer's int8 weights."""
    return f"(int8_t *)(jrg_model_blob + {layer.weights_offset}u)"


def channels(layer: WeightedPlan) -> str:
    """A pointer to the exponents of a layer's channels (A8.6)."""
    return f"(const int8_t *)(jrg_model_blob + {layer.channels_offset}u)"


def dither_key(layer: WeightedPlan) -> str:
    """The layer's dither in this step (A8.5)."""
    return f"jrg_nn_dither_layer(jrg_model_dither_step, {layer.index}u)"


def biases(layer: WeightedPlan) -> str:
    """A pointer to a layer's biases."""
    return f"(int32_t *)(void *)(jrg_model_blob + {layer.biases_offset}u)"


def sums(plan: Plan, layer: WeightedPlan) -> str:
    """A pointer to the sums of a layer's weights (A11.1)."""
    return f"jrg_model_sums + {plan.sums_index(layer)}u"


def bias_sums(plan: Plan, layer: WeightedPlan) -> str:
    """A pointer to the sums of a layer's biases."""
    return f"jrg_model_sums + {plan.sums_index(layer) + layer.trained_rows * layer.row_elements}u"


def exponent(plan: Plan, index: int) -> str:
    """The run-time exponent of a tensor, read from the blob."""
    return f"(int8_t)jrg_model_blob[{plan.slot_offset(plan.scales.slots[index])}u]"
