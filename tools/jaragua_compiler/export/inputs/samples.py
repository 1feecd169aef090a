"""Sample inputs: what a user gives as a .npy file, and what is assumed where nobody gives any."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.initial_weights import FloatArray
from jaragua_compiler.graph.network import Network
from jaragua_compiler.graph.sample_layout import SampleLayout
from jaragua_compiler.quantisation.ranges import Ranges

MOST_SAMPLES = 1024
_ASSUMED_SAMPLES = 256
_SEED = 1


def read_samples(path: Path, network: Network, layout: SampleLayout | None = None) -> FloatArray:
    """A .npy file -> float64 [n, inputs] as the network reads them: at most 1,024 of them, evenly taken.

    Its rows have the shape of a sample in the model file (`layout`) or are flat, in the file's order; or, where that is
    another shape, the network's own shape and order. Raises CompileError.
    """
    try:
        # Mapped, not read: a header that promises more than the file holds is refused, whatever it promises.
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise CompileError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except (ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise CompileError(f"{path} is not a whole .npy file.", "Save it with numpy.save.") from error
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "fiu":
        raise CompileError(f"{path} is not one array of numbers.", "Save it with numpy.save.")
    return shaped_samples(stored, network, layout, str(path))


def shaped_samples(
    stored: npt.NDArray[Any], network: Network, layout: SampleLayout | None = None, origin: str = "the samples"
) -> FloatArray:
    """An array of numbers -> what `read_samples` gives for a file that holds it. origin: what it is, for messages.

    Raises CompileError.
    """
    shape = network.shapes[0]
    layout = layout or SampleLayout(shape, shape)
    own = (layout.shape, (math.prod(shape),))
    known = list(dict.fromkeys((*own, shape)))
    if stored.shape[1:] not in known or not len(stored):
        expected = " or ".join("[n, " + ", ".join(map(str, each)) + "]" for each in known)
        raise CompileError(
            f"{origin}: its shape is {list(stored.shape)}, network {network.name!r} takes {expected}.",
            "Give one row a sample, at least one.",
        )
    chosen = np.asarray(evenly(len(stored), MOST_SAMPLES))
    rows = np.asarray(stored[chosen], dtype=np.float64).reshape(len(chosen), -1)
    return rows[:, layout.places] if stored.shape[1:] in own else rows


def assumed_samples(network: Network, ranges: Ranges | None = None) -> FloatArray:
    """What is taken for inputs nobody showed: uniform in the range of a file, or else in -1..1, seeded.

    float64 [256, inputs].
    """
    low, high = (-1.0, 1.0) if ranges is None else (ranges.input.low, ranges.input.high)
    generator = np.random.default_rng(_SEED)
    return generator.uniform(low, high, size=(_ASSUMED_SAMPLES, network.input_size))


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0..count-1, evenly spread, the first one among them."""
    taken = min(count, most)
    return [index * count // taken for index in range(taken)]
