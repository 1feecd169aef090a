"""How far a device's logits are from those in real numbers, by the number of inputs of the last dense layer.

    python -m jaragua_bench.logit_error [--seeds 5]

A network 16-n-10 with random initial weights; the same weights in every format. The error is the root of the mean
square, in percent of the standard deviation of the logits (A2.4, A8.1).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.graph.initial_weights import initial_weights
from jaragua_compiler.graph.layers import Dense, WeightFormat
from jaragua_compiler.graph.network import Network
from jaragua_compiler.planning.plan import LOGIT_EXPONENT, plan
from jaragua_compiler.quantisation.blob import exponents, pack, quantise_inputs
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.reference.engine import ReferenceEngine

FAN_INS = (16, 32, 64, 65, 128, 256, 257, 512, 784, 1024, 2048, 4096)
FORMATS: tuple[WeightFormat, ...] = ("w16", "w8")
INPUTS, OUTPUTS, SAMPLES = 16, 10, 50

Logits = npt.NDArray[np.float64]


def network_of(fan_in: int, weight_format: WeightFormat) -> Network:
    """16 inputs, a hidden layer of `fan_in`, 10 logits; the last layer too has this format."""
    layers = (Dense(fan_in, "relu", weights="w16"), Dense(OUTPUTS, "linear", weights=weight_format))
    return Network("logit-error", INPUTS, layers, loss="softmax_cross_entropy")


def logit_error(fan_in: int, weight_format: WeightFormat, seed: int) -> float:
    """In percent of the logits' standard deviation."""
    compiled = plan(network_of(fan_in, weight_format))
    weights = initial_weights(compiled.network, seed)
    x = np.random.default_rng(seed).normal(size=(SAMPLES, INPUTS)).astype(np.float32)
    blob = pack(compiled, weights, calibrate(compiled, weights, x))
    engine = ReferenceEngine(compiled)
    engine.load(blob)
    inputs = quantise_inputs(compiled, exponents(compiled, blob), x)
    found: Logits = np.array([engine.forward(one) for one in inputs]) * 2.0**-LOGIT_EXPONENT
    exact: Logits = np.asarray(FloatEngine(compiled.network, weights, np.float64).forward(x), dtype=np.float64)
    return 100 * float(np.sqrt(np.mean((found - exact) ** 2)) / exact.std())


def table(seeds: Sequence[int]) -> Iterator[str]:
    """The lines of docs/results/accuracy.md's table: means over the seeds."""
    columns = ["inputs of the last layer", *(f"{name}: bits of its input" for name in FORMATS)]
    columns += [f"{name}: error, % of the spread" for name in FORMATS]
    yield f"| {' | '.join(columns)} |"
    yield "|" + len(columns) * "---|"
    for fan_in in FAN_INS:
        widths = [plan(network_of(fan_in, name)).layers[-1].input_width for name in FORMATS]
        errors = [np.mean([logit_error(fan_in, name, seed) for seed in seeds]) for name in FORMATS]
        yield f"| {fan_in} | {' | '.join(map(str, widths))} | {' | '.join(f'{error:.2f}' for error in errors)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaragua_bench.logit_error", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="starts, at least 1")
    options = parser.parse_args(arguments)
    for line in table(range(max(1, options.seeds))):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
