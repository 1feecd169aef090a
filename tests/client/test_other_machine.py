"""Training on this machine gives what it gave on another: `make test-raspberry` runs this under emulation."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from litert_networks import NETWORKS
from machine_steps import litert_weights, native_weights

VARIABLE = "JARAGUA_OTHER_MACHINE"
# Float32 operators sum in another order on another processor.
TOLERANCE = 1e-6


@pytest.fixture
def other() -> dict[str, npt.NDArray[np.generic]]:
    """What `machine_steps.py` wrote on the other machine."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no file of another machine; make test-raspberry makes one")
    with np.load(Path(os.environ[VARIABLE])) as found:
        return dict(found)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_native_engine_trains_to_the_same_bytes(other: dict[str, npt.NDArray[np.generic]], network: str) -> None:
    assert np.array_equal(native_weights(NETWORKS[network]), other[f"native/{network}"])


@pytest.mark.parametrize("network", NETWORKS)
def test_litert_trains_to_the_same_weights(other: dict[str, npt.NDArray[np.generic]], network: str) -> None:
    here, there = litert_weights(NETWORKS[network]), other[f"litert/{network}"].astype(np.float32)
    distance = float(np.linalg.norm(here - there) / np.linalg.norm(there))
    print(platform.machine(), network, f"{distance:.1e}", "same bytes" if np.array_equal(here, there) else "")
    assert distance <= TOLERANCE
