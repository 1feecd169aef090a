"""How an initialisation moves. To add a strategy, write one class in one module here and name it in `REGISTRY`."""

from jaragua.strategies.base import ClientUpdate, Strategy, Vector
from jaragua.strategies.registry import REGISTRY, create, names
from jaragua.strategies.tiny_reptile import TinyReptile

__all__ = ["REGISTRY", "ClientUpdate", "Strategy", "TinyReptile", "Vector", "create", "names"]
