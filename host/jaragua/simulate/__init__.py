"""Virtual devices: the rounds of a fleet on one machine, in the boards' own arithmetic or in float32."""

from jaragua.simulate.settings import (
    ENGINES,
    Buffered,
    CurvePoint,
    EngineName,
    Means,
    Natural,
    Simulation,
    SimulationProgress,
    SimulationResult,
    VirtualTime,
    device_names,
)
from jaragua.simulate.simulation import simulate

__all__ = [
    "ENGINES",
    "Buffered",
    "CurvePoint",
    "EngineName",
    "Means",
    "Natural",
    "Simulation",
    "SimulationProgress",
    "SimulationResult",
    "VirtualTime",
    "device_names",
    "simulate",
]
