"""Updates as integers in the exponents of their start, and their sums as real numbers (U1, U9). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jaragua.privacy.clipping import clipped, on_grid
from jaragua.privacy.words import Integers, WordLayout
from jaragua.strategies import Vector
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import exponents, unpack_integers


@dataclass(frozen=True)
class SumRule:
    """How the updates of a run become one sum. by_samples: each counts as often as the samples it was trained on.

    grid, clip: U9, in units of 2^-grid; both None without clipping. noise: variance that each device adds (U10.3).
    """

    by_samples: bool = False
    grid: int | None = None
    clip: int | None = None
    noise: int = 0

    @property
    def is_clipped(self) -> bool:
        """Whether updates are brought to a grid and clipped."""
        return self.clip is not None


class StartNumbers:
    """A start: its integers and their exponents, number by number in the order of a strategy's vector."""

    def __init__(self, plan: Plan, start: bytes) -> None:
        """Raises: CompileError if it is no blob of the network."""
        self._plan = plan
        self._found = exponents(plan, start)
        self._integers = _flat_integers(plan, start)

    @cached_property
    def exponents(self) -> NDArray[np.int64]:
        """int64 [parameters]: a number stands for itself times 2^-exponent."""
        parts: list[NDArray[np.int64]] = []
        for layer, (shape, _) in zip(self._plan.layers, self._plan.shapes, strict=True):
            rows = np.array(self._found.rows(layer.index, layer.outputs), np.int64)
            parts += [np.repeat(rows, int(np.prod(shape[1:]))), rows + self._found.inputs[layer.index]]
        return np.concatenate(parts)

    @cached_property
    def layout(self) -> WordLayout:
        """Of a sum without clipping: biases are wide (U1.2)."""
        sizes = [(int(np.prod(shape)), biases) for shape, (biases,) in self._plan.shapes]
        wide = [np.repeat([False, True], pair) for pair in sizes]
        return WordLayout(np.concatenate(wide))

    def moved(self, update: bytes) -> Integers:
        """What a device's blob is beyond the start, int64 [parameters]. Raises: CompileError for other exponents."""
        if exponents(self._plan, update) != self._found:
            raise CompileError("blob: its exponents are not those of the start that it was trained from.")
        return _flat_integers(self._plan, update) - self._integers

    def moved_rows(self, learned: Vector) -> Integers:
        """The same of what simulated devices learned, float64 [devices, parameters], which are such integers scaled."""
        found: Integers = np.ldexp(learned, self.exponents).astype(np.int64)
        return found


class Summed:
    """What sums of one round are made of, and mean."""

    def __init__(self, start: StartNumbers, rule: SumRule) -> None:
        self._start, self._rule = start, rule

    @property
    def layout(self) -> WordLayout:
        """Words of a sum: all narrow on a grid (U9.1)."""
        if not self._rule.is_clipped:
            return self._start.layout
        return WordLayout(np.zeros(len(self._start.exponents), np.bool_))

    def contribution(self, moved: Integers, samples: int) -> Integers:
        """What a device adds to the sum, before masks and noise, int64 [parameters]."""
        rule = self._rule
        if rule.clip is not None and rule.grid is not None:
            return clipped(on_grid(moved, self._start.exponents, rule.grid), rule.clip)
        return moved * samples if rule.by_samples else moved

    def mean(self, total: Integers, devices: int, samples: int) -> Vector:
        """What the round learned: the sum over how often its devices count, float64 [parameters]."""
        rule = self._rule
        scale = self._start.exponents if rule.grid is None else rule.grid
        count = samples if rule.by_samples and not rule.is_clipped else devices
        learned: Vector = np.ldexp(total.astype(np.float64), -np.asarray(scale)) / count
        return learned


def _flat_integers(plan: Plan, blob: bytes) -> Integers:
    return np.concatenate([np.asarray(part, np.int64).ravel() for pair in unpack_integers(plan, blob) for part in pair])
