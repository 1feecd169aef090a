"""What the compiler's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from run_folder import run_folder


@pytest.fixture(scope="session")
def engine_cache() -> Path:
    """A folder for built native engines, empty at the start of a test run, shared by its processes."""
    return run_folder() / "engines"
