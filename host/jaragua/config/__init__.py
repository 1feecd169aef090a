"""The configuration of a run."""

from jaragua.config.load import load, parse
from jaragua.config.strategy import strategy_of
from jaragua.settings import RunConfig

__all__ = ["RunConfig", "load", "parse", "strategy_of"]
