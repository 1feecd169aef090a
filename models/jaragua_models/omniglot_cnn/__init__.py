"""Omniglot with the smallest network, two convolutions: what docs/results/benchmarks.md calls CNN."""

from dataclasses import replace

from jaragua_models import omniglot
from jaragua_models.omniglot.networks import stack

MODEL = replace(
    omniglot.MODEL,
    name="omniglot-cnn",
    summary="omniglot with a network of 5,173 parameters",
    network=stack("omniglot-cnn", (8, 16)),
    recommended=None,
)
