"""The coordinator: rounds as a pure state machine, and the rim that carries out its decisions over MQTT."""

from jaragua.coordinator.adapt import (
    AdaptResult,
    Trial,
    adapt_devices,
    open_fleet,
    request_adaptation,
    wait_for_devices,
)
from jaragua.coordinator.events import RunEvent, RunResult
from jaragua.coordinator.run import run_coordinator

__all__ = [
    "AdaptResult",
    "RunEvent",
    "RunResult",
    "Trial",
    "adapt_devices",
    "open_fleet",
    "request_adaptation",
    "run_coordinator",
    "wait_for_devices",
]
