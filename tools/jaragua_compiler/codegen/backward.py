"""C of the way back through the graph: which operator gives its error to whom, and sums where a tensor has readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaragua_compiler.codegen.names import buffer
from jaragua_compiler.planning.memory import error_name, share_name
from jaragua_compiler.planning.operators import OperatorPlan, WeightedPlan
from jaragua_compiler.planning.plan import Plan

Emitter = Any
"""What has the forward_code, backward_code and INCLUDES of an operator: a module or a table of kernels."""


def backward_functions(module: Emitter, step: OperatorPlan, plan: Plan) -> list[str]:
    """The functions of one operator: one for each operand that wants its error, and one at least if it learns."""
    if not step.has_backward:
        return []
    if isinstance(step, WeightedPlan):
        target = error_target(plan, step, 0)
        sums = [module.sum_code(step, plan, target)] if plan.accumulate and step.trains else []
        return [module.backward_code(step, plan, target), *sums]
    return [module.backward_code(step, plan, error_target(plan, step, operand), operand) for operand in _wanted(step)]


@dataclass(frozen=True)
class WayBack:
    """Which functions the way back calls.

    loss: gives the error of the outputs. verb: what layers that learn do: "backward" moves them, "sum" sums their steps
    (A11.1). head: takes the place of the last layer's function, "" for its own; it passes errors down, and does not
    learn. arguments: of `loss`.
    """

    loss: str = "jrg_model_loss"
    verb: str = "backward"
    head: str = ""
    arguments: str = "target, result"

    def has(self, plan: Plan, step: OperatorPlan) -> bool:
        """Whether an operator has a part in it."""
        return any(step.passes_error) if self._replaced(plan, step) else step.has_backward

    def function(self, plan: Plan, step: OperatorPlan, suffix: str = "") -> str:
        """The function of one operator; suffix: of one of its operands."""
        if self._replaced(plan, step):
            return self.head
        verb = self.verb if isinstance(step, WeightedPlan) and step.trains else "backward"
        return f"jrg_model_step{step.step}_{verb}{suffix}"

    def _replaced(self, plan: Plan, step: OperatorPlan) -> bool:
        return bool(self.head) and step is plan.steps[-1]


def backward_calls(plan: Plan, way: WayBack) -> list[str]:
    """The body of the way back. A chain hands one error on; a graph with branches keeps one for each tensor."""
    if not plan.branches:
        return _sequential(plan, way)
    lines = [f"    jrg_nn_error error{tensor} = {{0}};" for tensor, step in _made(plan) if step.has_backward]
    lines.append(f"    error{plan.graph.output} = {way.loss}({way.arguments});")
    for step in reversed(plan.steps):
        lines += _branching_calls(plan, step, way) if way.has(plan, step) else []
    return lines


def _sequential(plan: Plan, way: WayBack) -> list[str]:
    if not any(way.has(plan, step) for step in plan.steps):
        return [f"    (void){way.loss}({way.arguments});"]
    lines = [f"    jrg_nn_error error = {way.loss}({way.arguments});"]
    for step in reversed(plan.steps):
        if way.has(plan, step):
            lines += _guarded("error", [f"error = {way.function(plan, step)}(error);"])
    return lines


def _branching_calls(plan: Plan, step: OperatorPlan, way: WayBack) -> list[str]:
    above = f"error{step.output_tensor}"
    if not any(step.passes_error):
        return _guarded(above, [f"(void){way.function(plan, step)}({above});"])
    calls = []
    for operand in _wanted(step):
        tensor, suffix = step.input_tensors[operand], str(operand) if operand else ""
        call = f"{way.function(plan, step, suffix)}({above})"
        if share_name(plan.graph, step.step, tensor) is None:
            calls.append(f"error{tensor} = {call};")
        else:
            calls.append(_sum(plan, step, operand, call))
    return _guarded(above, calls) if calls else []


def _sum(plan: Plan, step: OperatorPlan, operand: int, call: str) -> str:
    tensor = step.input_tensors[operand]
    sums, size = buffer(error_name(plan.graph, tensor)), plan.graph.tensors[tensor].size
    share = error_target(plan, step, operand)
    return f"error{tensor} = jrg_nn_sum_errors({sums}, error{tensor}, {share}, {call}, {size}u);"


def _guarded(error: str, calls: list[str]) -> list[str]:
    return [f"    if ({error}.magnitude != 0u) {{", *(f"        {call}" for call in calls), "    }"]


def _wanted(step: OperatorPlan) -> list[int]:
    return [operand for operand, passes in enumerate(step.passes_error) if passes]


def _made(plan: Plan) -> list[tuple[int, OperatorPlan]]:
    return [(step.output_tensor, step) for step in plan.steps]


def error_target(plan: Plan, step: OperatorPlan, operand: int) -> str:
    """The buffer an operator writes the error of one of its inputs to."""
    tensor = step.input_tensors[operand]
    return buffer(share_name(plan.graph, step.step, tensor) or error_name(plan.graph, tensor))
