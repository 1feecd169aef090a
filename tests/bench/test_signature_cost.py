"""`python -m jaragua_bench.signature` and `.masking`: cryptography on the emulated Cortex-M4 (G32, private updates)."""

from __future__ import annotations

import pytest

from jaragua_bench import masking, signature
from jaragua_bench.emulated import toolchain


@pytest.mark.board
@pytest.mark.parametrize("core", toolchain.ARM_CORES)
def test_g33_2_a_board_tells_a_genuine_signature_from_a_damaged_one(core: str) -> None:
    """`measure` fails if it does not."""
    cost = signature.measure(core)
    assert 500_000 < cost.instructions < 25_000_000
    assert 500 < cost.stack_bytes < 2_000
    assert 2_000 < cost.flash_bytes < 10_000


@pytest.mark.board
@pytest.mark.parametrize("core", toolchain.ARM_CORES)
def test_what_masking_would_cost_is_counted_on_right_results(core: str) -> None:
    """`measure` compares them with those of the package cryptography."""
    cost = masking.measure(core)
    assert 500_000 < cost.x25519 < 20_000_000
    assert 500 < cost.block < 10_000
