"""What the reference's layers with weights share: their integers, and what a step leaves behind."""

from __future__ import annotations

from typing import Generic, TypeVar

from jaragua_compiler.planning.operators import WeightedPlan
from jaragua_compiler.quantisation.blob import IntArray
from jaragua_compiler.quantisation.dither import Dither
from jaragua_compiler.quantisation.exponents import LayerScale
from jaragua_compiler.reference.accumulation import StepSums

PlanT = TypeVar("PlanT", bound=WeightedPlan)


class ReferenceWeighted(Generic[PlanT]):
    """A layer with its weights as the device's integers: int64 arrays W (outputs first) and b [out].

    `scaled_error` is e of A5.1 of the last step that came here; `sums` are there while a step takes several samples.
    """

    def __init__(self, layer: PlanT, matrix: IntArray, bias: IntArray, scale: LayerScale, dither: Dither) -> None:
        self.layer = layer
        self.matrix = matrix
        self.bias = bias
        self.scaled_error: IntArray | None = None
        self.sums: StepSums | None = None
        self._scale = scale
        self._dither = dither
