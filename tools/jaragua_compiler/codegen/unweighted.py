"""C of operators without weights: pools, sums, activations."""

from __future__ import annotations

from jaragua_compiler.codegen.names import boolean, buffer, conv_geometry_code, exponent, function, tensor
from jaragua_compiler.codegen.weighted import RETURN_BELOW
from jaragua_compiler.operators.registry import ACTIVATIONS, UNWEIGHTED
from jaragua_compiler.planning.memory import error_name
from jaragua_compiler.planning.operators import ActivationPlan, AddPlan, OperatorPlan, PoolPlan
from jaragua_compiler.planning.plan import Plan

INCLUDES = (
    ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
    *dict.fromkeys(tuple(one.kernel) for one in UNWEIGHTED),
)


def forward_code(step: OperatorPlan, plan: Plan) -> str:
    """The function `jrg_model_step<step>_forward`: reads the inputs' tensors, writes the output's."""
    return function(f"void jrg_model_step{step.step}_forward(void)", _forward(step, plan))


def backward_code(step: OperatorPlan, plan: Plan, below: str, operand: int = 0) -> str:
    """The function `jrg_model_step<step>_backward` (`_backward1` of the second operand): its error, in `below`."""
    output = step.output_tensor
    g = buffer(f"g{output}")
    size = plan.graph.tensors[output].size
    listed = error_name(plan.graph, output).startswith("list")
    take = [f"jrg_nn_spread_errors({buffer(f'list{output}')}, &error, {g}, {size}u);"] if listed else []
    statements = [*take, *_backward(step, plan, g, below, operand), "below.exponent += error.exponent;", RETURN_BELOW]
    head = f"jrg_nn_error jrg_model_step{step.step}_backward{operand or ''}(jrg_nn_error error)"
    return function(head, statements)


def _forward(step: OperatorPlan, plan: Plan) -> list[str]:
    x, y = tensor(step.input_tensor), tensor(step.output_tensor)
    if isinstance(step, PoolPlan):
        width = plan.scales.widths[step.output_tensor]
        average = boolean(step.kind == "average")
        return [_geometry(step), f"jrg_nn_pool_forward(&geometry, {average}, {x}, {y}, {width}u);"]
    if isinstance(step, AddPlan):
        output = exponent(plan, step.output_tensor)
        shifts = [f"(uint32_t)({exponent(plan, source)} - {output})" for source in step.input_tensors]
        other = tensor(step.input_tensors[1])
        numbers = f"{step.size}u, {shifts[0]}, {shifts[1]}, {step.output_width}u, {boolean(step.relu)}"
        return [f"jrg_nn_add_forward({x}, {other}, {y}, {numbers});"]
    assert isinstance(step, ActivationPlan)
    return [_activation(step, plan), f"jrg_nn_activate_forward(&activation, {x}, {y}, {step.size}u);"]


def _backward(step: OperatorPlan, plan: Plan, g: str, below: str, operand: int) -> list[str]:
    x, rectified = tensor(step.input_tensors[operand]), boolean(step.rectified[operand])
    declaration = []
    if isinstance(step, PoolPlan):
        average = boolean(step.kind == "average")
        declaration = [_geometry(step)]
        call = f"jrg_nn_pool_backward(&geometry, {average}, {step.head_room}u, {g}, {x}, {rectified}, {below})"
    elif isinstance(step, AddPlan):
        call = f"jrg_nn_add_backward({g}, {x}, {step.size}u, {rectified}, {below})"
    else:
        assert isinstance(step, ActivationPlan)
        y = tensor(step.output_tensor)
        declaration = [_activation(step, plan)]
        call = f"jrg_nn_activate_backward(&activation, {g}, {x}, {y}, {step.size}u, {rectified}, {below})"
    return [*declaration, f"jrg_nn_error below = {call};"]


def _geometry(step: PoolPlan) -> str:
    return f"const jrg_nn_conv_geometry geometry = {conv_geometry_code(step)};"


def _activation(step: ActivationPlan, plan: Plan) -> str:
    exponents = f"{exponent(plan, step.input_tensor)}, {exponent(plan, step.output_tensor)}"
    numbers = f"{ACTIVATIONS[step.kind].c_name}, {step.width}u, {step.output_width}u, {step.slope}, {exponents}"
    return f"const jrg_nn_activate activation = {{{numbers}}};"
