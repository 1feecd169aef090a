"""Bits of jrg_model_info.operators. Made from host/jaragua/wire/definitions.toml; do not edit."""

from __future__ import annotations

from typing import Final

BITS: Final[dict[str, int]] = {
    "dense": 1 << 0,
    "relu": 1 << 1,
    "softmax_cross_entropy": 1 << 2,
    "mean_squared_error": 1 << 3,
    "conv": 1 << 4,
    "depthwise": 1 << 5,
    "max_pool": 1 << 6,
    "average_pool": 1 << 7,
    "add": 1 << 8,
    "activation": 1 << 9,
    "accumulation": 1 << 16,
    "prototypes": 1 << 18,
    "prototype_gradients": 1 << 20,
}
