"""The configuration of a run."""

from jaragua.config.load import for_simulation, load, parse
from jaragua.config.strategy import strategy_of
from jaragua.settings import RunConfig

__all__ = ["RunConfig", "for_simulation", "load", "parse", "strategy_of"]
