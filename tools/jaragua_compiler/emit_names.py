"""Names and small pieces of C that all emitters share."""

from __future__ import annotations

from jaragua_compiler.plan_operators import WeightedPlan


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


def biases(layer: WeightedPlan) -> str:
    """A pointer to a layer's biases."""
    return f"(int32_t *)(void *)(jrg_model_blob + {layer.biases_offset}u)"
