"""How much stack a call of a model takes at most, on a board: a bound from the network, checked against the compiler.

The generated C calls its kernels inlined and without recursion, so the deepest call is known: the frame of a training
step, which holds the errors of a graph with branches, and below it the frames of one operator. Where registers are few
(no DSP extension) operators are functions of their own, so that their frames lie in the same bytes; elsewhere GCC gives
their variables the same bytes of one frame. What the operators need is measured (tests/compiler/planning/test_stack.py:
GCC's own call graph with every frame, and painted stacks of random networks). Over 1,700 random networks the bound was
never less than 16 bytes above that; but how GCC divides registers has outliers, so the tests draw new networks each
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jaragua_compiler.planning.boards import Core
from jaragua_compiler.planning.operators import DensePlan, DepthwisePlan, OperatorPlan, WeightedPlan

_EXPONENTS_BYTES = 4  # of a layer, which jrg_model_bind keeps until a blob is known to be good
_ERROR_BYTES = 12  # jrg_nn_error
# A training step with its deepest operator: of networks with dense layers alone, and of all others.
_DENSE_BYTES: dict[Core, int] = {"cortex_m4": 336, "cortex_m0plus": 288, "rv32imc": 256}
_IMAGE_BYTES: dict[Core, int] = {"cortex_m4": 416, "cortex_m0plus": 432, "rv32imc": 416}
_SPLIT_BYTES = 96  # more where a layer has rows that learn and rows that do not (A10.7): two kernels in one step
_DEPTHWISE_W8_BYTES = 64  # more where int8 weights of a depthwise convolution learn: gradients of a channel (A8.7)


class Planned(Protocol):
    """What the bound depends on: the part of a plan that this module reads."""

    @property
    def steps(self) -> Sequence[OperatorPlan]: ...

    @property
    def layers(self) -> Sequence[WeightedPlan]: ...

    @property
    def branches(self) -> bool: ...


def stack_bound(plan: Planned, core: Core) -> int:
    """Bytes below the caller's frame that no call of jrg_model.h exceeds, with the flags of firmware/flags.toml."""
    dense = all(isinstance(step, DensePlan) for step in plan.steps)
    errors = sum(step.has_backward for step in plan.steps) if plan.branches else 0
    step_bytes = (_DENSE_BYTES if dense else _IMAGE_BYTES)[core]
    split = any(layer.trains and layer.frozen_rows for layer in plan.layers)
    step_bytes += _SPLIT_BYTES if split else 0
    step_bytes += _DEPTHWISE_W8_BYTES if any(_learns_int8_depthwise(step) for step in plan.steps) else 0
    return step_bytes + _ERROR_BYTES * errors + _EXPONENTS_BYTES * len(plan.layers)


def _learns_int8_depthwise(step: OperatorPlan) -> bool:
    return isinstance(step, DepthwisePlan) and step.per_channel and step.trains
