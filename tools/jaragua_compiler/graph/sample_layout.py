"""How the samples of a model file lie beside the input of the network made of it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jaragua_compiler.graph.shapes import Shape

Places = npt.NDArray[np.int64]
"""For each number of something the place of that number in the file's sample."""


@dataclass(frozen=True)
class SampleLayout:
    """`shape` is that of one sample in the file, `inputs` that in which the network reads it.

    With `strides` the two orders differ: number [h, w, c] of the network is number h·strides[0] + w·strides[1] +
    c·strides[2] of the file's sample. None: both have the same order.
    """

    shape: Shape
    inputs: Shape
    strides: tuple[int, ...] | None = None

    @property
    def places(self) -> Places:
        """int64 [inputs]: the file's place of each of the network's numbers, in the network's order."""
        if self.strides is None:
            return np.arange(math.prod(self.inputs), dtype=np.int64)
        steps = np.indices(self.inputs, dtype=np.int64).reshape(len(self.inputs), -1)
        return np.asarray(np.asarray(self.strides) @ steps)


def strides_of(places: Places) -> tuple[int, ...] | None:
    """The strides of places in an array of the network's shape; None if they are in their order.

    Raises ValueError if they are not those of a transposition.
    """
    strides = tuple(int(places[_second(places, axis)]) if size > 1 else 0 for axis, size in enumerate(places.shape))
    if not np.array_equal(SampleLayout((), places.shape, strides).places, places.reshape(-1)):
        raise ValueError("it rearranges the input in another way than a transposition")
    in_order = np.array_equal(places.reshape(-1), np.arange(places.size))
    return None if in_order else strides


def _second(places: Places, axis: int) -> tuple[int, ...]:
    """The index of the second number along an axis."""
    return tuple(int(number == axis) for number in range(places.ndim))
