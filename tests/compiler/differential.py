"""Random networks on four machines, which must compute the same bits (A3 to A11).

    python tests/compiler/differential.py --count 200 [--seed 7]        (make random-networks COUNT=200 SEED=7)

The NumPy reference, the native C, the image on an emulated Cortex-M4 (kernels for its DSP instructions) and the image
on an emulated Cortex-M0 (portable kernels). Each step compares all outputs, the result, all weights and all biases; and
no call may take more stack than its bound (stack.py).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from image_networks import random_conv_network, random_graph_network
from random_cases import random_frozen, random_network, with_sums

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_bench.steps.steps import Outcome, Step, mismatches, run
from jaragua_compiler import CompileError, Network, Plan, ReferenceEngine, plan
from jaragua_compiler.engines.native import NativeEngine
from jaragua_compiler.graph.layers import Layer, WeightedLayer
from jaragua_compiler.planning.operators import DepthwisePlan
from jaragua_compiler.planning.stack import stack_bound

NATIVE = "native"
UNOPTIMISED = "native, -O0"  # built in a third of the time
_NATIVE_FLAGS: dict[str, tuple[str, ...]] = {NATIVE: (), UNOPTIMISED: ("-O0",)}
CORES = toolchain.ARM_CORES
MACHINES = (NATIVE, *CORES)
STEPS = 24  # ordinary weights and wild ones (random_steps)
_DENSE_MOST = 60
_PROGRESS_EVERY = 20


class Case(NamedTuple):
    """A network and what it is to do."""

    compiled: Plan
    steps: list[Step]


@dataclass(frozen=True)
class Compared:
    """What one random network gave: a sentence for each machine that differs, and the most stack a call took."""

    compiled: Plan
    differences: tuple[str, ...]
    stack_bytes: dict[str, int]


def random_case(seed: int) -> Case:
    """A dense network, convolutions, or any graph; int16 and int8 weights, frozen layers, sums of several samples."""
    generator = np.random.default_rng(seed)
    while True:
        try:
            compiled = _random_plan(generator)
            steps = random_steps(compiled, seed, STEPS)
        except CompileError:  # int8 sums may not fit where int16 ones do, nor any exponents those of frozen layers
            continue
        return Case(compiled, with_sums(generator, steps) if compiled.accumulate else steps)


def compare(seed: int, machines: Sequence[str] = MACHINES, cache: Path | None = None) -> Compared:
    """The network of a seed on the reference and on `machines`; `cache` is for native engines."""
    compiled, steps = random_case(seed)
    expected = run(ReferenceEngine(compiled), steps)
    differences, stack_bytes = [], {}
    for machine in machines:
        try:
            outcomes, stack_bytes[machine] = _on_machine(compiled, steps, machine, cache)
        except CompileError as error:  # C that does not build is a difference too
            differences.append(f"{machine}, network {seed}: {error}: {compiled.network}")
            outcomes, stack_bytes[machine] = expected, 0
        found = mismatches(compiled, expected, outcomes)
        differences += [f"{machine}, network {seed}, {found[0]}: {compiled.network}"] if found else []
    return Compared(compiled, tuple(differences), stack_bytes)


def compare_all(
    seeds: Sequence[int], machines: Sequence[str] = MACHINES, cache: Path | None = None
) -> Iterator[Compared]:
    """The networks of all seeds, on all cores of this machine: the C compilers take most of the time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda seed: compare(seed, machines, cache), seeds)


def over_the_bound(compared: Compared) -> list[str]:
    """A sentence for each core on which a call took more stack than the plan says."""
    bounds = {core: stack_bound(compared.compiled, core) for core in CORES}
    return [
        f"{core}: {compared.stack_bytes[core]} bytes of stack, the bound is {bound}: {compared.compiled.network}"
        for core, bound in bounds.items()
        if compared.stack_bytes[core] > bound
    ]


def _random_plan(generator: np.random.Generator) -> Plan:
    kind = generator.integers(4)
    if kind == 0:
        network = random_network(generator, _DENSE_MOST)
    else:
        network = random_conv_network(generator) if kind == 1 else random_graph_network(generator)
    network = _with_formats(generator, network)
    compiled = random_frozen(generator, network) if generator.random() < 0.4 else plan(network)
    return replace(compiled, accumulate=bool(generator.random() < 0.4))


def _with_formats(generator: np.random.Generator, network: Network) -> Network:
    """All weights int16, all int8 but the last layer's, or each layer's as it comes."""
    kind = generator.choice(["w16", "w8", "mixed"])
    layers = tuple(_with_format(generator, layer, kind == "mixed") for layer in network.layers)
    return replace(network, layers=layers, weights="w8" if kind == "w8" else "w16")


def _with_format(generator: np.random.Generator, layer: Layer, mixed: bool) -> Layer:
    if mixed and isinstance(layer, WeightedLayer):
        return replace(layer, weights="w8" if generator.random() < 0.5 else "w16")
    return layer


def _on_machine(compiled: Plan, steps: Sequence[Step], machine: str, cache: Path | None) -> tuple[list[Outcome], int]:
    if machine in _NATIVE_FLAGS:
        return run(NativeEngine(compiled, cache, _NATIVE_FLAGS[machine]), steps), 0
    records = board.run(compiled, steps, core=machine, counted=False)
    stack = max(max(counts.forward_stack_bytes, counts.train_stack_bytes) for counts, _ in records)
    return [outcome for _, outcome in records], stack


def learns_int8_depthwise(compiled: Plan) -> bool:
    """True if int8 weights of a depthwise convolution learn (A8.7)."""
    return any(isinstance(layer, DepthwisePlan) and layer.per_channel and layer.trains for layer in compiled.layers)


def _summary(results: Sequence[Compared]) -> Iterator[str]:
    plans = [result.compiled for result in results]
    kinds = sorted({type(layer).__name__ for compiled in plans for layer in compiled.network.layers})
    yield f"layers: {', '.join(kinds)}"
    int8 = sum(compiled.per_channel for compiled in plans)
    frozen = sum(any(not layer.trains for layer in compiled.layers) for compiled in plans)
    sums = sum(compiled.accumulate for compiled in plans)
    yield f"{len(plans)} networks: {int8} with int8 weights, {frozen} with frozen layers, {sums} with sums of samples"
    depthwise = [compiled for compiled in plans if learns_int8_depthwise(compiled)]
    summed = sum(compiled.accumulate for compiled in depthwise)
    yield f"{len(depthwise)} with a depthwise convolution whose int8 weights learn, {summed} of them with sums"
    for core in CORES:
        yield f"stack on {core}: at most {max(result.stack_bytes[core] for result in results)} bytes"
    yield f"over the bound of the stack: {sum(bool(over_the_bound(result)) for result in results)}"
    yield f"mismatches: {sum(len(result.differences) for result in results)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a machine differs or takes too much stack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="repeats a run")
    options = parser.parse_args(arguments)
    print(f"{options.count} random networks, seed {options.seed}: reference, {', '.join(MACHINES)}", flush=True)
    results: list[Compared] = []
    for result in compare_all(range(options.seed, options.seed + options.count)):
        results.append(result)
        for sentence in (*result.differences, *over_the_bound(result)):
            print(sentence, flush=True)
        if len(results) % _PROGRESS_EVERY == 0:
            print(f"{len(results)} compared", file=sys.stderr, flush=True)
    print("\n".join(_summary(results)))
    return 1 if any(result.differences or over_the_bound(result) for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
