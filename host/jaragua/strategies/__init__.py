"""How an initialisation moves. To add a strategy, write one class: name it in `REGISTRY`, or use `module:Class`."""

from jaragua.strategies.aggregation import Aggregation, ClientUpdate, Vector
from jaragua.strategies.algorithms.tiny_reptile import TinyReptile
from jaragua.strategies.base import NO_DECAY, WHOLE_SET, ClientWork, ModelProperties, Settings, Strategy
from jaragua.strategies.registry import REGISTRY, create, fleet_obstacle, names

__all__ = [
    "NO_DECAY",
    "REGISTRY",
    "WHOLE_SET",
    "Aggregation",
    "ClientUpdate",
    "ClientWork",
    "ModelProperties",
    "Settings",
    "Strategy",
    "TinyReptile",
    "Vector",
    "create",
    "fleet_obstacle",
    "names",
]
