"""The configuration of a run."""

from jaragua.config.load import load, parse
from jaragua.config.schema import (
    BrokerSection,
    ClientSection,
    DevicesSection,
    ModelSection,
    RoundSection,
    RunConfig,
    RunSection,
    StrategySection,
)
from jaragua.config.strategy import strategy_of

__all__ = [
    "BrokerSection",
    "ClientSection",
    "DevicesSection",
    "ModelSection",
    "RoundSection",
    "RunConfig",
    "RunSection",
    "StrategySection",
    "load",
    "parse",
    "strategy_of",
]
