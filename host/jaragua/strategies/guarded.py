"""Validates user-defined strategies and reports their failures."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaragua.errors import JaraguaError, RunError
from jaragua.strategies.aggregation import ClientUpdate, Vector
from jaragua.strategies.base import Strategy
from jaragua.strategies.server_optimiser import NO_MOMENTS, Moments

#: R17: rounds in a row in which no update is believed, after which a run or a simulation stops.
MAX_EXCLUDED_ROUNDS = 4
_HINT = "correct the class; a run, and a simulation with --directory, continues from the round before"


class ServerStep(NamedTuple):
    """Where a round's updates moved the server: weights, float64 [parameters], and moments (R18)."""

    vector: Vector
    moments: Moments


def checked_aggregate(
    strategy: Strategy,
    round_number: int,
    initialisation: Vector,
    updates: Sequence[ClientUpdate],
    moments: Moments = NO_MOMENTS,
) -> ServerStep:
    """`Strategy.aggregate`, or `optimised`, believed only if it gives weights of the network that float32 can hold.

    moments: those after the round before (R18). Raises: RunError that names the strategy's class, the round, and the
    line of a class of one's own.
    """
    with strategy_errors(strategy, f"in round {round_number}"):
        if strategy.settings.optimiser.is_plain:
            found = strategy.aggregate(round_number, initialisation, updates)
        else:
            found, moments = strategy.optimised(round_number, initialisation, updates, moments)
    whose = f"the strategy {type(strategy).__name__} gave for round {round_number}"
    if not isinstance(found, np.ndarray) or found.shape != initialisation.shape or found.dtype.kind not in "fiu":
        raise RunError(f"{whose} {_said(found)} in the place of {len(initialisation)} weights", _HINT)
    with np.errstate(over="ignore"):
        finite = np.isfinite(found.astype(np.float32))
    if not finite.all():
        count = len(finite) - int(finite.sum())
        raise RunError(f"{whose} {count} of {len(finite)} weights that are no numbers, or too large for float32", _HINT)
    return ServerStep(found.astype(np.float64, copy=False), moments)


class ExclusionCounter:
    """Counts rounds in a row in which every update was excluded (R17)."""

    def __init__(self) -> None:
        self._excluded_rounds = 0

    def checked(
        self, strategy: Strategy, round_number: int, initialisation: Vector, updates: Sequence[ClientUpdate]
    ) -> int:
        """How many updates of a round the strategy's checks left out. Raises: RunError, as `saw`."""
        _, excluded = strategy.settings.aggregation.checked(initialisation, updates)
        self.saw(round_number, len(updates), excluded)
        return len(excluded)

    def saw(self, round_number: int, updates: int, excluded: Mapping[str, str]) -> None:
        """A round was closed. excluded: why, by device. Raises: RunError after too many with nothing but such."""
        self._excluded_rounds = 0 if len(excluded) < updates else self._excluded_rounds + 1
        if self._excluded_rounds >= MAX_EXCLUDED_ROUNDS:
            device, reason = next(iter(excluded.items()))
            message = (
                f"no update of the last {self._excluded_rounds} rounds is believed, and nothing has moved since round "
                f"{round_number - self._excluded_rounds}; of {device}: {reason}"
            )
            raise RunError(message, "look at the devices; lower client.learning_rate if what they learn diverges")


@contextmanager
def strategy_errors(strategy: Strategy | type[Strategy], when: str) -> Iterator[None]:
    """Whatever a strategy raises that is no error of this project becomes a RunError that says where.

    To leave the program is no way to end a round. What it prints goes to stderr: stdout is for the result.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except JaraguaError:
        raise
    except (Exception, SystemExit) as error:
        name = strategy.__name__ if isinstance(strategy, type) else type(strategy).__name__
        message = f"the strategy {name} failed {when}: {type(error).__name__}: {error}{_line(error)}"
        raise RunError(message, _HINT) from error


def _said(found: object) -> str:
    if isinstance(found, np.ndarray):
        return f"an array of {found.dtype} {list(found.shape)}"
    return type(found).__name__


def _line(error: BaseException) -> str:
    """The innermost line of code outside of this package: most likely the one to mend."""
    package = str(Path(__file__).parents[1])
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(package)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
