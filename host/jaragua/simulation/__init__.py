"""Virtual devices: the rounds of a fleet on one machine, in the boards' own arithmetic or in float32."""

from jaragua.simulation.comparison.figures import Comparison, MethodFigures
from jaragua.simulation.rounds.simulation import simulate
from jaragua.simulation.settings import (
    ENGINES,
    Buffered,
    CurvePoint,
    EngineName,
    Means,
    Natural,
    RoundRecord,
    Simulation,
    SimulationProgress,
    SimulationResult,
    VirtualTime,
    device_names,
)

__all__ = [
    "ENGINES",
    "Buffered",
    "Comparison",
    "CurvePoint",
    "EngineName",
    "Means",
    "MethodFigures",
    "Natural",
    "RoundRecord",
    "Simulation",
    "SimulationProgress",
    "SimulationResult",
    "VirtualTime",
    "device_names",
    "simulate",
]
