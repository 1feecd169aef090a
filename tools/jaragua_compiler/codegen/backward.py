"""C of the way back through the graph: which operator gives its error to whom, and sums where a tensor has readers."""

from __future__ import annotations

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
        target = _target(plan, step, 0)
        sums = [module.sum_code(step, plan, target)] if plan.accumulate and step.trains else []
        return [module.backward_code(step, plan, target), *sums]
    return [module.backward_code(step, plan, _target(plan, step, operand), operand) for operand in _wanted(step)]


def backward_calls(plan: Plan, verb: str = "backward") -> list[str]:
    """The body of the way back. A chain hands one error on; a graph with branches keeps one for each tensor.

    verb: what layers that learn do: "backward" moves them, "sum" sums their steps (A11.1).
    """
    if not plan.branches:
        return _sequential(plan, verb)
    lines = [f"    jrg_nn_error error{tensor} = {{0}};" for tensor, step in _made(plan) if step.has_backward]
    lines.append(f"    error{plan.graph.output} = jrg_model_loss(target, result);")
    for step in reversed(plan.steps):
        lines += _branching_calls(plan, step, _verb(step, verb))
    return lines


def _sequential(plan: Plan, verb: str) -> list[str]:
    lines = ["    jrg_nn_error error = jrg_model_loss(target, result);"]
    for step in reversed(plan.steps):
        if step.has_backward:
            call = f"jrg_model_step{step.step}_{_verb(step, verb)}(error)"
            lines += _guarded("error", [f"error = {call};"])
    return lines


def _verb(step: OperatorPlan, verb: str) -> str:
    return verb if isinstance(step, WeightedPlan) and step.trains else "backward"


def _branching_calls(plan: Plan, step: OperatorPlan, verb: str) -> list[str]:
    above = f"error{step.output_tensor}"
    if step.has_backward and not any(step.passes_error):
        return _guarded(above, [f"(void)jrg_model_step{step.step}_{verb}({above});"])
    calls = []
    for operand in _wanted(step):
        tensor, suffix = step.input_tensors[operand], str(operand) if operand else ""
        call = f"jrg_model_step{step.step}_{verb}{suffix}({above})"
        if share_name(plan.graph, step.step, tensor) is None:
            calls.append(f"error{tensor} = {call};")
        else:
            calls.append(_sum(plan, step, operand, call))
    return _guarded(above, calls) if calls else []


def _sum(plan: Plan, step: OperatorPlan, operand: int, call: str) -> str:
    tensor = step.input_tensors[operand]
    sums, size = buffer(error_name(plan.graph, tensor)), plan.graph.tensors[tensor].size
    share = _target(plan, step, operand)
    return f"error{tensor} = jrg_nn_sum_errors({sums}, error{tensor}, {share}, {call}, {size}u);"


def _guarded(error: str, calls: list[str]) -> list[str]:
    return [f"    if ({error}.magnitude != 0u) {{", *(f"        {call}" for call in calls), "    }"]


def _wanted(step: OperatorPlan) -> list[int]:
    return [operand for operand, passes in enumerate(step.passes_error) if passes]


def _made(plan: Plan) -> list[tuple[int, OperatorPlan]]:
    return [(step.output_tensor, step) for step in plan.steps]


def _target(plan: Plan, step: OperatorPlan, operand: int) -> str:
    """The buffer an operator writes the error of one of its inputs to."""
    tensor = step.input_tensors[operand]
    return buffer(share_name(plan.graph, step.step, tensor) or error_name(plan.graph, tensor))
