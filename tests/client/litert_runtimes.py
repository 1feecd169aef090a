"""Where the LiteRT runtimes are: in the environments of `make test-litert`, or in this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIMES = {"ai_edge_litert": ".venv-litert", "tflite_runtime": ".venv-tflite"}


def python_with(name: str) -> str:
    """A Python with that runtime: of the environment a Pi would have if it is there, or this one."""
    own = ROOT / RUNTIMES[name] / "bin" / "python"
    if own.exists():
        return str(own)
    if "JARAGUA_LITERT_BOTH" in os.environ:
        pytest.fail(f"{own} is not there: make test-litert makes it")
    if name != "ai_edge_litert":
        pytest.skip(f"no {RUNTIMES[name]}; make test-litert makes it")
    return sys.executable
