"""The bound of the stack (stack.py): no call goes deeper, on either core, and with it the RAM bars still hold.

(That painted stacks of random networks keep it too is asked in test_differential.py.)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from differential import random_case
from image_networks import CNN
from named_networks import NETWORKS
from random_cases import MLP, SINE
from stack_usage import worst_stack_bytes

from jaragua_bench.emulated import board, toolchain
from jaragua_bench.steps.random_steps import random_steps
from jaragua_compiler import Dense, Network, Plan, plan
from jaragua_compiler.export.memory import figures
from jaragua_compiler.planning.boards import Core
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_compiler.planning.stack import stack_bound
from long_form import paired

#: RISC-V where its compiler is: `make boards` installs it.
CORES = [core for core in get_args(Core) if core != toolchain.RV32 or toolchain.has_tools(core)]
KWS = Network("kws", 650, (Dense(25, "relu"), Dense(3)))
LONG = Network("long", 3, (*(Dense(2, "relu") for _ in range(24)), Dense(2)))
PLANS: dict[str, Plan] = {
    "deep": plan(NETWORKS["deep"], accumulate=True),
    "prototypes": with_prototypes(plan(NETWORKS["mlp"], accumulate=True), 20),
    "prototypes, cnn w8": with_prototypes(plan(replace(CNN, weights="w8"), accumulate=True), 20),
    "cnn": plan(CNN, accumulate=True),
    "cnn w8": plan(replace(CNN, weights="w8"), accumulate=True),
    "every kind": plan(NETWORKS["every kind"]),
    "every kind w8": plan(NETWORKS["every kind w8"], accumulate=True),
    "depthwise w8": plan(NETWORKS["depthwise w8"], accumulate=True),
    "25 layers": plan(LONG),
    "25 layers of int8 with sums": plan(replace(LONG, weights="w8"), accumulate=True),
    "deep w8": plan(replace(NETWORKS["deep"], weights="w8"), accumulate=True),
}
BARS_BYTES = {SINE: 4 * 1024, MLP: 6 * 1024, KWS: 36 * 1024, CNN: 24 * 1024}
MARGIN_BYTES = 260  # what the bound may be over the compiler's own figure


@pytest.mark.board
@pytest.mark.parametrize(("name", "core"), paired(PLANS, CORES))
def test_no_call_goes_deeper_than_the_bound(name: str, core: Core, tmp_path: Path) -> None:
    compiled = PLANS[name]
    worst = worst_stack_bytes(compiled, core, tmp_path)
    assert worst <= stack_bound(compiled, core) <= worst + MARGIN_BYTES


@pytest.mark.board
def test_no_call_of_a_random_network_goes_deeper(seed: int, tmp_path: Path) -> None:
    for case in range(seed, seed + 2):
        compiled = random_case(case).compiled
        for core in CORES:
            worst = worst_stack_bytes(compiled, core, tmp_path)
            assert worst <= stack_bound(compiled, core), f"network {case} on {core}: {compiled.network}"


@pytest.mark.board
@pytest.mark.parametrize("core", CORES)
def test_what_is_painted_is_what_the_compiler_says(core: Core, tmp_path: Path) -> None:
    compiled = PLANS["every kind"]
    counts = [count for count, _ in board.run(compiled, random_steps(compiled, 5, 24), core=core, counted=False)]
    painted = max(max(count.train_stack_bytes, count.forward_stack_bytes) for count in counts)
    assert painted <= worst_stack_bytes(compiled, core, tmp_path) <= painted + 100


@pytest.mark.parametrize("network", BARS_BYTES, ids=lambda network: network.name)
def test_the_ram_bars_hold_with_the_bound_too(network: Network) -> None:
    """Weights, activations, scratch, state and the bound of the stack; the sample belongs to the caller."""
    rows = {row.name: row.bytes for row in figures(plan(network), "cortex_m4").ram}
    needed = sum(size for name, size in rows.items() if not name.startswith("one sample"))
    assert rows["stack, at most"] == stack_bound(plan(network), "cortex_m4")
    assert needed <= BARS_BYTES[network]
