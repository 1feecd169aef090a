"""Data sets that are not in the repository: tests that need one say so, and skip where it is not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

VARIABLE = "JARAGUA_DATA_DIR"
BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def computed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the run, so that nothing comes from or goes to that of the user."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def use_data(monkeypatch: pytest.MonkeyPatch, computed_once: Path) -> Callable[[str], Path]:
    """A function that takes the folder of a data set, makes its loader find it, and skips the test without it."""
    base = Path(os.environ.get(VARIABLE) or BESIDE_THE_REPOSITORY)

    def use(folder: str) -> Path:
        if not (base / folder).is_dir():
            pytest.skip(f"NO DATA: {folder} is not in {base}; set {VARIABLE} to a folder that has it (docs/tasks.md)")
        monkeypatch.setenv(VARIABLE, str(base))
        monkeypatch.setenv("XDG_CACHE_HOME", str(computed_once))
        return base / folder

    return use
