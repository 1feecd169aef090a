"""What the compiler's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for built native engines, empty at the start of a test run."""
    return tmp_path_factory.mktemp("engines")
