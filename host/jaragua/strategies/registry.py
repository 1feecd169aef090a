"""Strategies by the name a configuration gives them, or by `module:Class` for a user's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from difflib import get_close_matches

from jaragua.errors import ConfigurationError
from jaragua.strategies.algorithms.fed_avg import FedAvg
from jaragua.strategies.algorithms.fed_prox import FedProx
from jaragua.strategies.algorithms.fed_sgd import FedSGD
from jaragua.strategies.algorithms.pretrained import Pretrained
from jaragua.strategies.algorithms.proto_reptile import ProtoReptile
from jaragua.strategies.algorithms.reptile import Reptile
from jaragua.strategies.algorithms.scratch import Scratch
from jaragua.strategies.algorithms.tiny_meta_fed import TinyMetaFed
from jaragua.strategies.algorithms.tiny_reptile import TinyReptile
from jaragua.strategies.algorithms.transfer import Transfer
from jaragua.strategies.base import (
    ClientWork,
    ModelProperties,
    Settings,
    Strategy,
    check_layers,
    check_work,
    obstacle,
    optimiser_obstacle,
)
from jaragua.strategies.guarded import strategy_errors

#: The strategies that Jaragua brings.
REGISTRY: Mapping[str, type[Strategy]] = {
    "fedavg": FedAvg,
    "fedprox": FedProx,
    "fedsgd": FedSGD,
    "pretrained": Pretrained,
    "protoreptile": ProtoReptile,
    "reptile": Reptile,
    "scratch": Scratch,
    "tinymetafed": TinyMetaFed,
    "tinyreptile": TinyReptile,
    "transfer": Transfer,
}


#: Classes that Python code gave to `register`, by `module:Class`; one need not be found by an import.
_GIVEN: dict[str, type[Strategy]] = {}


def names() -> list[str]:
    """Every strategy there is, sorted."""
    return sorted(REGISTRY)


def canonical(name: str) -> str:
    """The name as `REGISTRY` has it: `Tiny-Reptile` is `tinyreptile`. One that is not there stays as it is."""
    plain = name.lower().replace("-", "").replace("_", "")
    return plain if plain in REGISTRY else name


def register(kind: type[Strategy]) -> str:
    """The name by which `find` gives a class in this process: its own, or `module:Class`, wherever it was defined.

    A class of the same name that is given later takes its place. Raises: ConfigurationError if it is no strategy.
    """
    own = next((name for name, known in REGISTRY.items() if known is kind), "")
    if own:
        return own
    name = f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', kind)}"
    _GIVEN[name] = _checked(name, kind)
    return name


def find(name: str) -> type[Strategy]:
    """The class of that name, or of `module:Class`. Raises: ConfigurationError if there is none."""
    if name in _GIVEN:
        return _GIVEN[name]
    if ":" in name:
        return _of_a_user(name)
    known = canonical(name)
    if known not in REGISTRY:
        raise ConfigurationError(f"there is no strategy '{name}'", suggestion(name))
    return REGISTRY[known]


def create(name: str, settings: Settings) -> Strategy:
    """The strategy of that name. Raises: ConfigurationError if there is none, or its settings make no sense."""
    kind = find(name)
    with strategy_errors(kind, "when it was made"):
        strategy = kind(settings)
    check_layers(work_of(strategy, 1), settings.properties)
    if not settings.optimiser.is_plain and (reason := optimiser_obstacle(strategy)):
        message = f"server_optimiser is {settings.optimiser.name}, which '{name}' does not take: {reason}"
        raise ConfigurationError(message, "leave it at plain, or take another strategy")
    return strategy


def work_of(strategy: Strategy, round_number: int) -> ClientWork:
    """`Strategy.client_work`. Raises: RunError if it fails, ConfigurationError if its numbers make no sense."""
    with strategy_errors(strategy, f"when asked for the work of round {round_number}"):
        work = strategy.client_work(round_number)
        if not isinstance(work, ClientWork):
            raise TypeError(f"{type(work).__name__} is not a ClientWork")
        return check_work(work)


def step_size_of(strategy: Strategy, round_number: int) -> float:
    """`Strategy.step_size`. Raises: RunError if it fails, or is not a number."""
    with strategy_errors(strategy, f"when asked for the step size of round {round_number}"):
        return float(strategy.step_size(round_number))


def options_of(kind: type[Strategy], properties: ModelProperties) -> dict[str, float]:
    """`Strategy.own_options`. Raises: RunError if it fails."""
    with strategy_errors(kind, "when asked for its options"):
        options = dict(kind.own_options(properties))
        for name, value in options.items():
            if not isinstance(value, int | float):
                raise TypeError(f"option {name!r} is {value!r}, which is not a number")
        return options


def fleet_obstacle(strategy: Strategy) -> str:
    """Why devices cannot run it today, "" if they can."""
    if not strategy.TRAINS:
        return "it trains nothing"
    return obstacle(work_of(strategy, 1))


def suggestion(name: str) -> str:
    """What to write in its place."""
    matches = get_close_matches(name.lower(), names(), n=1)
    known = f"known: {', '.join(names())}"
    return f"did you mean '{matches[0]}'? {known}" if matches else known


def _of_a_user(name: str) -> type[Strategy]:
    module_name, _, class_name = name.partition(":")
    try:
        with redirect_stdout(sys.stderr):  # what the module prints is not the result
            found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "write module:Class, and put the module's folder on PYTHONPATH"
        raise ConfigurationError(f"the strategy '{name}' cannot be loaded: {error}", hint) from error
    except (Exception, SystemExit) as error:
        message = f"the strategy '{name}' cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigurationError(message, f"mend the module {module_name}") from error
    return _checked(name, found)


def _checked(name: str, found: object) -> type[Strategy]:
    """Raises: ConfigurationError if it is no strategy, or its defaults make no sense."""
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigurationError(f"'{name}' is not a strategy", "derive it from jaragua.strategies.Strategy")
    for attribute, least in (("PASSES", 1), ("BATCH", 0)):
        value = getattr(found, attribute)
        if not isinstance(value, int) or value < least:
            raise ConfigurationError(f"{attribute} of '{name}' is {value!r}", f"a whole number from {least} on")
    return found
