"""Random networks on all machines (A3 to A11), in short: `make random-networks COUNT=200` is the long form."""

from __future__ import annotations

import pytest
from differential import CORES, MACHINES, compare_all, over_the_bound

NETWORKS = 4

pytestmark = pytest.mark.board


def test_reference_native_cortex_m4_and_cortex_m0_give_the_same_bits_and_keep_the_bound_of_the_stack(seed: int) -> None:
    results = list(compare_all(range(seed, seed + NETWORKS)))
    assert [sentence for result in results for sentence in (*result.differences, *over_the_bound(result))] == []
    assert all(set(result.stack_bytes) == set(MACHINES) for result in results)
    assert all(result.stack_bytes[core] > 0 for result in results for core in CORES)
