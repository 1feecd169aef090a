"""What a front end makes of a file."""

from __future__ import annotations

from typing import NamedTuple

from jaragua_compiler.graph.initial_weights import Weights
from jaragua_compiler.graph.network import Network
from jaragua_compiler.graph.sample_layout import SampleLayout
from jaragua_compiler.quantisation.ranges import Ranges


class ModelFile(NamedTuple):
    """A network, per layer with weights (W, b), and how the file's own samples lie.

    `ranges` are None unless the file says what the integers of its input stand for.
    """

    network: Network
    weights: Weights
    samples: SampleLayout
    ranges: Ranges | None = None
