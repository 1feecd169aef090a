"""Omniglot with the network of the Reptile paper, without its batch normalisation.

Its weights are int8 (A8): in any other format they would not fit a board with 256 KB of RAM.
"""

from dataclasses import replace

from jaragua_models import omniglot
from jaragua_models.omniglot.networks import stack

MODEL = replace(
    omniglot.MODEL,
    name="omniglot-reptile",
    summary="omniglot with the network of the Reptile paper, 112,709 parameters",
    network=replace(stack("omniglot-reptile", (64, 64, 64, 64)), weights="w8"),
    recommended=None,
)
