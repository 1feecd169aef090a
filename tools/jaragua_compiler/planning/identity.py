"""What of an operator belongs to a network's identity (A6.2): everything a blob must fit, and nothing else."""

from __future__ import annotations

from jaragua_compiler.planning.frozen import FrozenRows
from jaragua_compiler.planning.operators import (
    ActivationPlan,
    AddPlan,
    ConvolutionPlan,
    DepthwisePlan,
    OperatorPlan,
    PoolPlan,
    WeightedPlan,
)

Identity = dict[str, object]


def operator_identity(step: OperatorPlan, constants: FrozenRows | None = None) -> Identity:
    """The entry of one operator in the canonical JSON, with what is frozen of its weights (A10.6).

    Tensors are named where they do not follow one another.
    """
    identity = _weighted(step) if isinstance(step, WeightedPlan) else _unweighted(step)
    if isinstance(step, WeightedPlan) and constants is not None:
        identity |= {"frozen": constants.digest(), "trained_rows": step.trained_rows}
    if isinstance(step, WeightedPlan) and step.held:
        identity["held"] = True
    if (*step.input_tensors, step.output_tensor) != (step.step, step.step + 1):
        identity["tensors"] = [*step.input_tensors, step.output_tensor]
    return identity


def _weighted(step: WeightedPlan) -> Identity:
    identity: Identity = {
        "kind": "dense",
        "inputs": step.inputs,
        "outputs": step.outputs,
        "relu": step.relu,
        "input_width": step.input_width,
        "output_width": step.output_width,
        "error_width": step.error_width,
    }
    if step.per_channel:
        identity["weights"] = step.weight_format
    if isinstance(step, ConvolutionPlan):
        identity["kind"] = "depthwise" if isinstance(step, DepthwisePlan) else "conv"
        identity |= _geometry(step)
    return identity


def _unweighted(step: OperatorPlan) -> Identity:
    if isinstance(step, PoolPlan):
        return {"kind": f"{step.kind}_pool", **_geometry(step)}
    if isinstance(step, AddPlan):
        return {"kind": "add", "relu": step.relu, "size": step.size, "output_width": step.output_width}
    assert isinstance(step, ActivationPlan)
    return {"kind": step.kind, "slope": step.slope, "size": step.size, "output_width": step.output_width}


def _geometry(step: ConvolutionPlan | PoolPlan) -> Identity:
    geometry = step.geometry
    return {
        "input_shape": list(step.input_shape),
        "output_shape": list(step.output_shape),
        "kernel": list(geometry.kernel),
        "stride": list(geometry.stride),
        "pads": [list(pads) for pads in geometry.pads],
    }
